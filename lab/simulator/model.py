"""The shape that all scenario models share. A leaf: it knows no key and no rule.

Keys are camelCase in YAML and JSON. Unknown keys are refused, and nothing is converted: a `3` is never a "3".
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

# The API states no rule for names, so the simulator has none but this: its clients have to cope with any of them.
NAME_PATTERN = r"^[^\x00-\x1f\x7f]{1,256}$"


class ScenarioModel(BaseModel):
    """A part of a scenario, as its author wrote it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True)

    def written(self) -> dict[str, Any]:
        """The keys that were written, defaults left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def changed(self, change: dict[str, Any]) -> Self:
        """This part with some keys written anew; raises pydantic's ValidationError."""
        return type(self).model_validate(self.written() | change)
