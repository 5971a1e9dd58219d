"""The field types of the wire models: they accept every spelling that was seen, and never fail.

Huawei's pages, examples and SDKs disagree on whether some fields are objects or lists. So null, a missing field, `{}`,
an object, `[]`, and a list of one or more objects are all read. Any other value becomes `Unreadable`;
modelarts/parse.py decides where that matters.
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, PlainValidator
from pydantic.alias_generators import to_camel
from typing_extensions import override

from modelarts_nodepool.modelarts.sanitize import quote_value

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(?:\.0{1,18})?")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that is not what the API page describes, unchanged."""

    value: object

    @override
    def __str__(self) -> str:
        """Short and safe to show."""
        return quote_value(self.value, 40)


class Wire(BaseModel):
    """A part of a response: camelCase on the wire; unknown keys are kept in `model_extra`."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="allow")


def read_count(value: object) -> int | Unreadable | None:
    """A number of things: 3, 3.0, "3" or null; not negative and not a boolean."""
    if value is None:
        return None
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and math.isfinite(value) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        number = int(value.strip().partition(".")[0])
    return number if number is not None and number >= 0 else Unreadable(value)


def read_text(value: object) -> str | Unreadable | None:
    """A string, or a number instead."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else Unreadable(value)


def read_map(value: object) -> dict[str, Any] | Unreadable:
    """A map of any values; null and the empty list, which some languages send, are empty maps."""
    if isinstance(value, dict):
        return value
    return {} if value is None or value == [] else Unreadable(value)


def _as_one(value: object) -> object:
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else None
    return value if value is None or isinstance(value, dict) else Unreadable(value)


def _as_many(value: object) -> tuple[object, ...]:
    if not isinstance(value, list):
        value = [value]
    return tuple(
        item if isinstance(item, dict) else Unreadable(item) for item in value if item is not None and item != {}
    )


def read_texts(value: object) -> tuple[str, ...] | Unreadable:
    """A list of strings, or a single string instead."""
    items = [] if value is None else value if isinstance(value, list) else [value]
    texts = tuple(item for item in items if isinstance(item, str))
    return texts if len(texts) == len(items) else Unreadable(value)


Part = TypeVar("Part", bound=Wire)

Count = Annotated[int | Unreadable | None, PlainValidator(read_count)]
Text = Annotated[str | Unreadable | None, PlainValidator(read_text)]
Texts = Annotated[tuple[str, ...] | Unreadable, PlainValidator(read_texts)]
Map = Annotated[dict[str, Any] | Unreadable, PlainValidator(read_map), Field(default_factory=dict)]
One = Annotated[Part | InstanceOf[Unreadable] | None, BeforeValidator(_as_one)]
Many = Annotated[tuple[Part | InstanceOf[Unreadable], ...], BeforeValidator(_as_many)]
