"""All that a storm is judged by: the plan, the journal, and the records of the cloud and the API server.

run.py calls `gather` once everything has settled, or time is up. judges.py has pure functions of the evidence.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from lab.controlplane import ControlPlane
from lab.harness.api import EVENTS, Api
from lab.harness.operator import OPERATOR_USER
from lab.harness.simulator import ACCEPTED, DELETE_NODE_POOL, DELETE_POOL, Call, CloudControl, State
from lab.storm.journal import Journal
from lab.storm.replica import Replica
from lab.storm.world import ObjectPlan, Plan
from modelarts_nodepool.api.names import NODE_POOL_PLURAL


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


async def gather(
    plan: Plan,
    journal: Journal,
    last: Snapshot,
    *,
    api: Api,
    cloud: CloudControl,
    plane: ControlPlane,
    operators: list[Replica],
) -> Evidence:
    """All of it."""
    calls = [call for operation in (DELETE_NODE_POOL, DELETE_POOL) for call in await cloud.calls(operation=operation)]
    texts = {operator.log.name: operator.log.read_text(errors="replace") for operator in operators}
    texts["objects.yaml"] = yaml.safe_dump_all([*last.objects.values(), *last.accounts.values()], sort_keys=False)
    texts["events.json"] = json.dumps([_short(event) for event in await api.items(EVENTS)], indent=1)
    return Evidence(
        plan=plan,
        journal=journal,
        calls=sorted(calls, key=lambda call: call.number),
        writes=list(_writes(plane)),
        last=last,
        texts=texts,
    )


def _writes(plane: ControlPlane) -> Iterator[Write]:
    for event in plane.audit().by_user(OPERATOR_USER).writes().on(NODE_POOL_PLURAL):
        title = f"{event.namespace}/{event.name}"
        yield Write(title, event.received.timestamp(), event.time.timestamp(), event.subresource, event.code)


def _short(event: dict[str, object]) -> dict[str, object]:
    return {key: event[key] for key in ("involvedObject", "reason", "message", "type", "lastTimestamp") if key in event}
