"""The stand-in cloud's bodies, in the shapes of ModelArts' own pages (ListNodePools, ShowPool and others). Pure."""

import json
from collections.abc import Iterable
from typing import Any

NODES = 2
FLAVOR = "modelarts.vm.gpu.t4u8"
ZONE = "cn-north-4a"
NOT_FOUND_CODE = "ModelArts.50004000"
POOL_NOT_FOUND_CODE = "ModelArts.50015001"
_RESOURCES = {
    "flavor": FLAVOR,
    "count": NODES,
    "maxCount": NODES,
    "azs": [{"az": ZONE, "count": NODES}],
    "taints": [],
    "labels": {"team": "training"},
    "tags": [{"key": "cost-centre", "value": "4711"}],
    "network": {
        "vpc": "0b6d1c9e-52f7-4a3d-8e15-6f2c7a904d31",
        "subnet": "7e3a5f18-9c40-4b62-a1d7-2d8b6c0e5f49",
        "securityGroups": ["c2f8e6a4-1b93-4d70-85ce-9a4f0d7b3e62"],
    },
    "extendParams": {"dockerBaseSize": "0"},
    "os": {"name": "EulerOS 2.10", "imageId": "a9d4c7f2-6e05-4813-b9fa-3c1e8d5b7026", "imageType": "private"},
}


def encode(body: object) -> bytes:
    """As it goes over the wire."""
    return json.dumps(body, separators=(",", ":")).encode()


def node_pool(name: str, state: str) -> bytes:
    """A node pool whose nodes are all in one state; the other states are left out."""
    counted = {"nodePool": name, "flavor": FLAVOR, "count": NODES, "maxCount": NODES}
    return encode(
        {
            "kind": "NodePool",
            "apiVersion": "v2",
            "metadata": {"name": name},
            "spec": {"resources": {"nodePool": name, **_RESOURCES}},
            "status": {"resources": {state: {**counted, "azs": [{"az": ZONE, "count": NODES}]}}},
        }
    )


def node_pool_list(node_pools: Iterable[bytes]) -> bytes:
    """ListNodePools has neither metadata nor pages."""
    return b'{"kind":"NodePoolList","apiVersion":"v2","items":[' + b",".join(node_pools) + b"]}"


def resource_pool(name: str) -> dict[str, Any]:
    """A resource pool billed by use."""
    return {
        "kind": "Pool",
        "apiVersion": "v2",
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"os.modelarts/name": name, "os.modelarts/workspace.id": "0"},
            "annotations": {"os.modelarts/billing.mode": "0"},
        },
        "spec": {"type": "Dedicate", "scope": ["Train"], "resources": [_RESOURCES]},
        "status": {"phase": "Running", "message": ""},
    }


def resource_pool_list(names: Iterable[str]) -> bytes:
    """ListPools: all of a workspace, on one page."""
    return encode({"kind": "PoolList", "apiVersion": "v2", "items": [resource_pool(name) for name in names]})


def workload_list() -> bytes:
    """ListWorkloads: no job runs."""
    return encode({"kind": "WorkloadList", "apiVersion": "v1", "items": []})


def nodes(pool: str, state: str) -> bytes:
    """The nodes of a node pool, on one page."""
    return encode(
        {
            "kind": "NodeList",
            "apiVersion": "v2",
            "metadata": {"continue": "", "remainingItemCount": 0},
            "items": [_node(f"{pool}-{number}", state) for number in range(NODES)],
        }
    )


def _node(name: str, state: str) -> dict[str, Any]:
    return {
        "kind": "Node",
        "apiVersion": "v2",
        "metadata": {"name": name, "labels": {}, "annotations": {"os.modelarts/billing.mode": "0"}},
        "spec": {"flavor": FLAVOR},
        "status": {"phase": state.capitalize(), "az": ZONE},
    }


def error(code: str, message: str) -> bytes:
    """An error body."""
    return encode({"error_code": code, "error_msg": message})
