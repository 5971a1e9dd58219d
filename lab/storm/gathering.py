"""Gathers the evidence once everything has settled, or time is up. Reads only."""

import json
from collections.abc import Iterator

import yaml

from lab.controlplane import ControlPlane
from lab.harness.api import EVENTS, Api
from lab.harness.operator import OPERATOR_USER
from lab.harness.simulator import DELETE_NODE_POOL, DELETE_POOL, CloudControl
from lab.storm.evidence import Evidence, Snapshot, Write
from lab.storm.ground import Plan
from lab.storm.journal import Journal
from lab.storm.replica import Replica
from modelarts_nodepool.api.names import NODE_POOL_PLURAL


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
