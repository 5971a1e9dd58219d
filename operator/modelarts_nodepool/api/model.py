"""The base of all API models: camelCase on the wire, snake_case in Python, frozen."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel
from typing_extensions import override


def to_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[AwareDatetime, PlainSerializer(to_timestamp, return_type=str)]


# One entry for each combination of fields: some dozens.
_FIELDS_SETS: dict[frozenset[str], set[str]] = {}


class WireModel(BaseModel):
    """A part of a Kubernetes object. Unknown keys are ignored, as the API server prunes them."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", use_enum_values=False
    )

    @override
    def model_post_init(self, _context: Any, /) -> None:
        """Share the set of given fields between models with the same fields.

        Frozen models never change it, a copy has its own, and one set for each model is a third of the memory of an
        object.
        """
        own = self.__pydantic_fields_set__
        object.__setattr__(self, "__pydantic_fields_set__", _FIELDS_SETS.setdefault(frozenset(own), own))

    def to_wire(self) -> dict[str, Any]:
        """The JSON that goes to the API server: camelCase, None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
