"""Node pools and resource pools as the API shows them (tables 2 to 14 of its page). Pure.

nodes.py does the same for single nodes.
"""

import json
from datetime import UTC, datetime
from typing import Any

from lab.simulator.scenario import Shape, Timings
from lab.simulator.scenario_pools import AvailabilityZone, NodePool
from lab.simulator.world import LiveNodePool, LiveResourcePool, NodeCounts

API_VERSION = "v2"
NETWORK = {
    "vpc": "5b1e6f0a-3c52-4f86-9a2c-0d6f1c7f3a11",
    "subnet": "8c0f4d7e-61b9-4c1d-8f3e-7a5b2e9d4c22",
    "securityGroups": ["e3a9c1d4-7b26-45f8-b0c9-1f8e6d2a5b33"],
}
OPERATING_SYSTEM = {"name": "EulerOS 2.10", "imageId": "f4d2b8a6-9c13-4e57-a1f0-6b3d5c8e7a44", "imageType": "private"}


def timestamp(now: float) -> str:
    """Seconds since 1970 as the API writes a time."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spread(zones: list[AvailabilityZone], start: int, count: int) -> list[dict[str, Any]]:
    """The zones of `count` nodes from number `start` on. Nodes fill the zones in order, the last takes the rest."""
    found = []
    first = 0
    for position, zone in enumerate(zones):
        is_last = position == len(zones) - 1
        end = max(start + count, first) if is_last else first + zone.count
        inside = min(start + count, end) - max(start, first)
        if inside > 0:
            found.append({"az": zone.az, "count": inside})
        first = end
    return found


def zones_of(spec: NodePool, region: str) -> list[AvailabilityZone]:
    """Where a node pool's nodes are meant to be."""
    return spec.azs or [AvailabilityZone(az=f"{region}a", count=spec.wanted)]


def encode(body: dict[str, Any]) -> bytes:
    """An answer as it goes over the wire."""
    return json.dumps(body, separators=(",", ":")).encode()


def to_node_pool(live: LiveNodePool, counts: NodeCounts, shape: Shape, region: str) -> bytes:
    """A node pool with its counts, encoded. Kept until one of these facts changes: LISTs ask for it all the time."""
    if live.encoded is not None:
        spec, its_shape, its_counts, encoded = live.encoded
        if spec is live.spec and its_shape is shape and its_counts == counts:
            return encoded
    encoded = encode(_node_pool(live.spec, counts, shape, region))
    live.encoded = (live.spec, shape, counts, encoded)
    return encoded


def to_node_pool_list(node_pools: list[bytes]) -> bytes:
    """The answer of list_node_pools: no metadata, no pages."""
    return b'{"kind":"NodePoolList","apiVersion":"v2","items":[' + b",".join(node_pools) + b"]}"


def _node_pool(spec: NodePool, counts: NodeCounts, shape: Shape, region: str) -> dict[str, Any]:
    """States without nodes are left out, as the API does."""
    as_list = shape.resources == "list"
    resources = _said(_resources(spec, region), shape)
    counted = {state: _said(found, shape) for state, found in _counted(spec, counts, region).items()}
    return {
        "kind": "NodePool",
        "apiVersion": API_VERSION,
        "metadata": {"name": spec.name},
        "spec": {"resources": [resources] if as_list else resources},
        "status": {"resources": {state: [found] for state, found in counted.items()} if as_list else counted},
    }


def _said(part: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """The part with those of its numbers that the shape leaves in."""
    if shape.counts == "all":
        return part
    return {key: value for key, value in part.items() if key not in {"count", "maxCount", "azs"} - {shape.counts}}


def _resources(spec: NodePool, region: str) -> dict[str, Any]:
    return {
        "nodePool": spec.name,
        "flavor": spec.flavor,
        "count": spec.wanted,
        "maxCount": spec.wanted if spec.max_count is None else spec.max_count,
        "azs": [zone.model_dump() for zone in zones_of(spec, region)],
        "taints": [taint.model_dump() for taint in spec.taints],
        "labels": spec.labels,
        "tags": [{"key": key, "value": value} for key, value in spec.tags.items()],
        "network": NETWORK,
        "extendParams": {"dockerBaseSize": "0"},
        "creatingStep": {"step": 1, "type": "hyperinstance"},
        "os": OPERATING_SYSTEM,
    }


def _counted(spec: NodePool, counts: NodeCounts, region: str) -> dict[str, Any]:
    zones = zones_of(spec, region)
    counted: dict[str, Any] = {}
    start = 0
    for state, count in counts._asdict().items():
        if count:
            counted[state] = {
                "nodePool": spec.name,
                "flavor": spec.flavor,
                "count": count,
                "maxCount": count,
                "azs": spread(zones, start, count),
            }
        start += count
    return counted


def to_resource_pool(live: LiveResourcePool, now: float, timings: Timings, region: str) -> dict[str, Any]:
    """A resource pool. Its resources are lists, unlike a node pool's."""
    spec = live.spec
    node_pools = list(live.node_pools.values())
    status: dict[str, list[Any]] = {}
    for node_pool in node_pools:
        for state, counted in _counted(node_pool.spec, node_pool.counts(now, timings), region).items():
            status.setdefault(state, []).append(counted)
    metadata: dict[str, Any] = {
        "name": spec.name,
        "creationTimestamp": timestamp(live.created_at),
        "labels": _labels(live, region),
        "annotations": _annotations(live),
    }
    return {
        "kind": "Pool",
        "apiVersion": API_VERSION,
        "metadata": metadata,
        "spec": {
            "type": spec.type,
            "scope": ["Train", "Infer", "Notebook"],
            "resources": [_resources(node_pool.spec, region) for node_pool in node_pools],
            "network": {"name": f"network-{spec.name}"},
            "controlMode": spec.control_mode,
        },
        "status": {
            "phase": spec.phase if live.deleted_at is None else "Deleting",
            "message": "",
            "resources": status,
            "scope": [{"scopeType": scope, "state": "Enabled"} for scope in ("Train", "Infer", "Notebook")],
        },
    }


def _labels(live: LiveResourcePool, region: str) -> dict[str, str]:
    return {
        "os.modelarts/name": live.spec.display_name or live.spec.name,
        "os.modelarts/workspace.id": live.spec.workspace,
        "os.modelarts/resource.id": f"maos-{live.spec.name}",
        "os.modelarts/tenant.project.id": live.project_id,
        "os.modelarts/region": region,
        "os.modelarts.pool/biz": "private",
    }


def _annotations(live: LiveResourcePool) -> dict[str, str]:
    annotations = {"os.modelarts/description": ""}
    if live.spec.billing_mode is not None:
        annotations["os.modelarts/billing.mode"] = live.spec.billing_mode
    return annotations
