"""The deletion budget of an account. A part of ModelArtsAccount's spec."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from modelarts_nodepool.api.cel import INT32, between, checked, rule
from modelarts_nodepool.api.durations import Duration
from modelarts_nodepool.api.model import WireModel

DEFAULT_MAX = 10
DEFAULT_WINDOW = timedelta(hours=1)

_EITHER_OR = rule(
    "!has(self.unlimited) || !(has(self.max) || has(self.window))",
    "a budget is either unlimited: true or max and window: remove one of them.",
)


class DeletionBudget(WireModel):
    """How many node pools may be deleted in a time window. Further deletions are held until a slot frees.

    The default is 10 in 1h, without `unlimited`. The defaults are set here and not by the API server: it would store
    them, and a later `unlimited: true` would conflict with the stored `max`.
    """

    model_config = ConfigDict(json_schema_extra=checked(_EITHER_OR))

    max: Annotated[
        int | None,
        Field(
            description="How many DELETEs may be sent in the window, 1 to 100. Default: 10.",
            ge=1,
            le=100,
            json_schema_extra=INT32,
        ),
    ] = None
    window: Annotated[
        Duration | None,
        Field(
            description="The window, 1m to 168h, counted back from now. Default: 1h.",
            json_schema_extra=between("1m", "168h"),
        ),
    ] = None
    unlimited: Annotated[
        Literal[True] | None,
        Field(description="No limit. Must be set explicitly, without max and window."),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:  # noqa: ANN401 - a validator sees any input
        if not isinstance(given, dict):
            return given
        said = {key: value for key, value in given.items() if value is not None}
        # If the CRD is bypassed: only `true` lifts the limit, and only alone. Pydantic would accept 1.
        unlimited = said.pop("unlimited", True)
        if unlimited is not True:
            raise ValueError("unlimited must be true or omitted")
        if given.get("unlimited") is True and not said:
            return given
        return {"max": DEFAULT_MAX, "window": DEFAULT_WINDOW, **said}
