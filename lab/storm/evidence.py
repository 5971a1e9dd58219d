"""All that a storm is judged by, gathered from outside: plan, journal, the cloud's and the API server's records.

performance.py gathers it, the judges (sending.py, releasing.py, ending.py, tidiness.py) are pure functions of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.harness.simulator import ACCEPTED, DELETE_NODE_POOL, Call, State
from lab.storm.ground import ObjectPlan, Plan
from lab.storm.journal import Journal


@dataclass(frozen=True)
class Write:
    """One answered write of the operator to an object. `received` and `done` in seconds since 1970."""

    title: str
    received: float
    done: float
    subresource: str
    code: int

    @property
    def words(self) -> str:
        """The write in one line."""
        what = f"status patch → {self.code}" if self.subresource else f"patch → {self.code}"
        return f"operator: {what}"


@dataclass(frozen=True)
class Violation:
    """Something that must not be. `title` is the object it is about, or a part's name."""

    rule: str
    title: str
    words: str


@dataclass(frozen=True)
class Snapshot:
    """Objects (by title) and accounts as the API server has them, node pools as the cloud has them."""

    objects: Mapping[str, Mapping[str, Any]]
    accounts: Mapping[str, Mapping[str, Any]]
    cloud: State


@dataclass(frozen=True)
class Evidence:
    """Everything about one storm."""

    plan: Plan
    journal: Journal
    calls: Sequence[Call]  # every DELETE that reached the cloud, of node pools or else, oldest first
    writes: Sequence[Write]
    last: Snapshot
    texts: Mapping[str, str] = field(default_factory=dict)  # logs and dumps by name

    def deletes(self, planned: ObjectPlan) -> list[Call]:
        """The DELETEs of its node pool."""
        return [call for call in self.calls if call.operation == DELETE_NODE_POOL and call.place == planned.place]

    def accepted(self, planned: ObjectPlan) -> list[Call]:
        """Those that took effect."""
        return [call for call in self.deletes(planned) if call.effect == ACCEPTED]

    def released_at(self, planned: ObjectPlan) -> float | None:
        """When the operator's last patch of the object itself came in."""
        patches = [
            write
            for write in self.writes
            if write.title == planned.title and not write.subresource and write.code == 200  # noqa: PLR2004 - success
        ]
        return patches[-1].received if patches else None
