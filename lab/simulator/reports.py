"""The state as `GET /_simulator/state` shows it. Pure but for settling the world. Secrets are left out."""

from collections.abc import Collection
from typing import Any

from lab.simulator.answers import timestamp
from lab.simulator.cloud import Cloud
from lab.simulator.keyring import Key
from lab.simulator.scenario import Timings
from lab.simulator.world import LiveNodePool, LiveResourcePool


def to_state(cloud: Cloud, names: Collection[str] | None = None) -> dict[str, Any]:
    """Everything there is at this moment, in the scenario's keys where it has them.

    Where `names` are given, of the resource pools only those: a large world is costly to show.
    """
    world, now = cloud.world, cloud.clock.now()
    world.settle()
    return {
        "time": timestamp(now),
        "region": world.region,
        "projectId": world.project_id,
        "timings": world.timings.model_dump(mode="json", by_alias=True),
        "shape": world.shape.model_dump(mode="json", by_alias=True),
        "issuers": cloud.issued.settings.model_dump(mode="json", by_alias=True, exclude={"id_token"}),
        "credentials": [_key(key, now, world.timings) for key in cloud.keyring.keys.values()],
        "resourcePools": [
            _resource_pool(live, now, world.timings)
            for name, live in world.resource_pools.items()
            if names is None or name in names
        ],
        "faults": [armed.to_report() for armed in cloud.faults.armed],
    }


def _key(key: Key, now: float, timings: Timings) -> dict[str, Any]:
    return {
        **key.credential.model_dump(mode="json", by_alias=True, exclude={"secret_key", "security_token"}),
        "locked": key.is_locked(now, timings.lock_seconds),
        "badSignatures": key.bad_signatures,
    }


def _resource_pool(live: LiveResourcePool, now: float, timings: Timings) -> dict[str, Any]:
    return {
        **live.spec.model_dump(mode="json", by_alias=True, exclude={"node_pools", "workloads"}),
        "deleteAccepted": live.deleted_at is not None,
        "nodePools": [_node_pool(node_pool, now, timings) for node_pool in live.node_pools.values()],
        "workloads": [
            {
                **workload.spec.model_dump(mode="json", by_alias=True),
                "uid": workload.uid(live.spec.name),
                "status": workload.status(now),
                "runningSeconds": workload.running_seconds(now),
            }
            for workload in live.workloads.values()
        ],
    }


def _node_pool(live: LiveNodePool, now: float, timings: Timings) -> dict[str, Any]:
    return {
        **live.spec.model_dump(mode="json", by_alias=True),
        "count": live.spec.wanted,
        "states": live.counts(now, timings)._asdict(),
        "deleteAccepted": live.deleted_at is not None,
    }
