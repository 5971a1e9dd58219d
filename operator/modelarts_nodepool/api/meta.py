"""What both kinds share, as meta/v1 in Kubernetes: the base model, durations, parts of the schema, conditions.

`set_conditions` is the only way to make a list of conditions; it keeps the order that kstatus needs. The parts of the
schema are checks by the API server that types cannot express: `json_schema_extra` of the models uses them, and
api/crd.py copies them into the CRDs. A rule on the root of an object must exist since the first version or be a
transition rule: a later plain root rule makes every write to old invalid objects fail, including the removal of our
finalizer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic.types import JsonValue
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


_Cause = Literal["FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid"]


def rule(
    expression: str, message: str, *, cause: _Cause = "FieldValueInvalid", field_path: str | None = None
) -> JsonDict:
    """One CEL rule. The message says what is wrong and how to fix it; the path names the field."""
    built: JsonDict = {"rule": expression, "message": message, "reason": cause}
    if field_path is not None:
        built["fieldPath"] = field_path
    return built


def checked(*rules: JsonDict, **more: JsonValue) -> JsonDict:
    """The schema keys with these rules, and other keys."""
    return {"x-kubernetes-validations": list(rules), **more}


def immutable(message: str) -> JsonDict:
    """A field that keeps its first value."""
    return checked(rule("self == oldSelf", message))


def between(shortest: str, longest: str) -> JsonDict:
    """A duration within bounds, both included."""
    return checked(
        rule(
            f"duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}')",
            f"must be between {shortest} and {longest}; write for example 30s, 5m or 1h",
        )
    )


def keyed_by(key: str) -> JsonDict:
    """A list whose items have a unique key field."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


ATOMIC: JsonDict = {"x-kubernetes-list-type": "atomic"}
INT32: JsonDict = {"format": "int32"}
INT64: JsonDict = {"format": "int64"}


class ConditionType(StrEnum):
    """In the order in which they are written: kstatus uses the first of Stalled and Reconciling."""

    STALLED = "Stalled"
    RECONCILING = "Reconciling"
    READY = "Ready"
    NODES_HEALTHY = "NodesHealthy"
    DELETION_BLOCKED = "DeletionBlocked"
    PAUSED = "Paused"


class ConditionStatus(StrEnum):
    """The three values of Kubernetes. kstatus ignores all others."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(WireModel):
    """One aspect of an object's state, with a reason for machines and a message for people."""

    type: ConditionType = Field(description="Which aspect of the state this is.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: str = Field(
        description="One word for machines; a heading in the troubleshooting page.",
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        max_length=1024,
    )
    message: str = Field(description="The state and the next step.", max_length=32768)
    observed_generation: int = Field(
        description="The metadata.generation that this was computed from.", json_schema_extra=INT64
    )
    last_transition_time: Timestamp = Field(description="When the status last changed.")


def _drop_unknown(given: object) -> object:
    # A newer version may have written a type that this version does not know. After a rollback, its objects must
    # still be readable.
    if not isinstance(given, Sequence):
        return given
    return [item for item in given if not isinstance(item, Mapping) or item.get("type") in _KNOWN]


_KNOWN = frozenset(kind.value for kind in ConditionType)
Conditions = Annotated[tuple[Condition, ...], BeforeValidator(_drop_unknown)]


class Said(WireModel):
    """A condition before it has a time and a generation."""

    status: ConditionStatus
    reason: str
    message: str


def set_conditions(
    said: Mapping[ConditionType, Said], before: Iterable[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The full list in order; lastTransitionTime changes only if the status differs from `before`."""
    last = {condition.type: condition for condition in before}
    return tuple(
        Condition(
            type=kind,
            status=said[kind].status,
            reason=said[kind].reason,
            message=said[kind].message,
            observed_generation=generation,
            last_transition_time=_transition(last.get(kind), said[kind].status, now),
        )
        for kind in ConditionType
        if kind in said
    )


def _transition(last: Condition | None, status: ConditionStatus, now: datetime) -> datetime:
    if last is not None and last.status == status:
        return last.last_transition_time
    # Whole seconds, as the API server returns them: otherwise every comparison finds a difference.
    return now.replace(microsecond=0)


def find_condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of this type, or None."""
    return next((condition for condition in conditions if condition.type == kind), None)
