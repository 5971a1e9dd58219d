"""The shape that all our models share: camelCase on the wire, snake_case in Python, frozen."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def to_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[AwareDatetime, PlainSerializer(to_timestamp, return_type=str)]


class WireModel(BaseModel):
    """A part of a Kubernetes object. Unknown keys are ignored, as the API server prunes them."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", use_enum_values=False
    )

    def to_wire(self) -> dict[str, Any]:
        """The JSON that goes to the API server: camelCase, None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
