"""Durations as Kubernetes users write them: 10s, 1m30s, 1h."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"h": 3600, "m": 60, "s": 1}
# At most three parts of at most five digits: what the API server's CEL can hold without overflow, too.
_WHOLE = re.compile(r"(?:[0-9]{1,5}(?:h|m|s)){1,3}")
_PART = re.compile(r"([0-9]{1,5})(h|m|s)")


def from_text(value: object) -> object:
    """`"1m30s"` as a timedelta; pydantic handles all other types."""
    if not isinstance(value, str):
        return value
    if _WHOLE.fullmatch(value) is None:
        message = f"{value!r} is not a duration; write for example 30s, 5m or 1h"
        raise ValueError(message)
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(value)))


def to_text(value: timedelta) -> str:
    """The shortest usual spelling: 3600 s is 1h, 90 s is 1m30s, zero is 0s."""
    seconds = int(value.total_seconds())
    parts = []
    for unit, size in _UNITS.items():
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(from_text),
    PlainSerializer(to_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]{1,5}(h|m|s)){1,3}$", "maxLength": 18}),
]
