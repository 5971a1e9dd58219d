"""A ModelArtsNodePool as kubectl reads it, so that the story can check what it tells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

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
