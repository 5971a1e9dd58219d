"""What a scenario says about faults. `faults.py` chooses among them, `spoiling.py` carries them out."""

from typing import Literal, Self

from pydantic import Field, model_validator

from lab.simulator.model import ScenarioModel
from lab.simulator.routes import OperationName

BodyFault = Literal["html", "truncated", "empty", "huge", "null", "itemsMissing", "itemsNull", "negativeCounts"]


class Fault(ScenarioModel):
    """Something that goes wrong: the first fault that matches a request and has times left is applied to it."""

    name: str | None = Field(None, description="A name of your own, shown in the request log.")
    operation: OperationName | None = Field(None, description="Only this operation. Left out: every operation.")
    resource_pool: str | None = Field(None, description="Only this resource pool. Left out: every one.")
    node_pool: str | None = Field(None, description="Only this node pool. Left out: every one.")
    times: int | None = Field(None, ge=1, description="How often it is applied. Left out: for ever.")
    status: int | None = Field(
        None,
        ge=100,
        le=599,
        description="Answer this status with an error body. Left out: the true answer, spoiled by the other keys.",
    )
    error_code: str | None = Field(None, description="error_code of the error body. Left out: one that fits status.")
    error_msg: str | None = Field(None, description="error_msg of the error body. Left out: one that fits status.")
    headers: dict[str, str] = Field(default={}, description="Headers added to the answer.")
    retry_after: int | str | None = Field(None, description="The Retry-After header: seconds or an HTTP date.")
    delay_seconds: float = Field(0, ge=0, description="Wait this long first; with effect after: before the answer.")
    effect: Literal["before", "after"] = Field(
        "before",
        description="With status or redirect: answer before (instead of) the effect, or after it has happened.",
    )
    drop: Literal["before", "after"] | None = Field(
        None, description="Close the connection without an answer, before or after the effect."
    )
    body: BodyFault | None = Field(
        None,
        description=(
            "What the body becomes: an HTML page, half of its JSON, nothing, huge (hugeBytes), the JSON null, a "
            "list without its key items or with items: null, or counts below zero."
        ),
    )
    body_text: str | None = Field(
        None, description="The body itself, for what no other key makes; \\u0000 and the like in double quotes."
    )
    huge_bytes: int = Field(52_428_800, ge=1, description="How long a huge body is.")
    date_skew_seconds: float = Field(0, description="Shift the answer's Date header by so much.")
    redirect: str | None = Field(
        None, min_length=1, description="Redirect to this address, with status, or 307 where status is left out."
    )

    @model_validator(mode="after")
    def _drop_has_no_answer(self) -> Self:
        if self.drop and (self.status or self.body or self.body_text is not None or self.redirect):
            raise ValueError("drop leaves no answer, so status, body, bodyText and redirect cannot stand beside it")
        if self.body and self.body_text is not None:
            raise ValueError("body and bodyText both say what the body becomes; leave one out")
        return self
