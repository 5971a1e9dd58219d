"""Conditions by the Kubernetes API conventions, in the order that kstatus needs.

Built by decide/status/table.py. `set_conditions` is the only way to make a list of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from modelarts_nodepool.api.cel import INT64
from modelarts_nodepool.api.model import Timestamp, WireModel


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

    type: Annotated[ConditionType, Field(description="Which aspect of the state this is.")]
    status: Annotated[ConditionStatus, Field(description="True, False or Unknown.")]
    reason: Annotated[
        str,
        Field(
            description="One word for machines; a heading in the troubleshooting page.",
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            max_length=1024,
        ),
    ]
    message: Annotated[str, Field(description="The state and the next step.", max_length=32768)]
    observed_generation: Annotated[
        int,
        Field(
            description="The metadata.generation that this was computed from.",
            json_schema_extra=INT64,
        ),
    ]
    last_transition_time: Annotated[Timestamp, Field(description="When the status last changed.")]


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
