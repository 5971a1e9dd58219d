"""A ModelArtsNodePool as kubectl reads it, and a call as it is shown. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from lab.harness.simulator import Call

HEADER = ("TIME", "OPERATION", "POOL", "NODEPOOL", "STATUS", "SIGNATURE", "REQUEST ID")
STATES = ("creating", "available", "abnormal", "deleting")


@dataclass(frozen=True)
class Seen:
    """What the API server holds of one object."""

    name: str
    counts: Mapping[str, int] | None
    conditions: Mapping[str, Mapping[str, str]]
    finalizers: tuple[str, ...]
    deletion_timestamp: str | None

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """One object of `kubectl get -o json`."""
        metadata, status = body["metadata"], body.get("status", {})
        return cls(
            name=metadata["name"],
            counts=status.get("counts"),
            conditions={condition["type"]: condition for condition in status.get("conditions", [])},
            finalizers=tuple(metadata.get("finalizers", ())),
            deletion_timestamp=metadata.get("deletionTimestamp"),
        )

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition; ("", "") where there is none."""
        found = self.conditions.get(kind, {})
        return found.get("status", ""), found.get("reason", "")

    @property
    def words(self) -> str:
        """The object in a few words, for a message about what was seen last."""
        status, reason = self.condition("Ready")
        ready = f"Ready={status} {reason}" if status else "no Ready condition yet"
        ending = ", being deleted" if self.deletion_timestamp else ""
        return f"{self.name}: {count_words(self.counts)}, {ready}{ending}"


def count_words(counts: Mapping[str, int] | None) -> str:
    """The states that have nodes: `2 available, 1 abnormal`."""
    if counts is None:
        return "no counts yet"
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state)) or "no nodes"


def row_of(call: Call) -> tuple[str, ...]:
    """A request to the cloud below `HEADER`; of the time, the time of day."""
    clock = datetime.fromtimestamp(call.time, UTC).strftime("%H:%M:%S.%f")[:12]
    name, status = call.node_pool or "-", str(call.status)
    return (clock, call.operation, call.resource_pool, name, status, call.signature, call.request_id)
