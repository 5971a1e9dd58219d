"""Single nodes, made from a node pool's counts, and their pages. Pure.

A node keeps its name while its node pool lives: what changes is the phase of the numbers.
"""

import base64
import binascii
from typing import Any

from lab.simulator.answers import API_VERSION, spread, timestamp, zones_of
from lab.simulator.refusals import bad_request
from lab.simulator.workloads import Occupied, node_resources, private_ip, topology
from lab.simulator.world import LiveNodePool, LiveResourcePool, NodeCounts

# Working nodes come first, so that a node that breaks or is added leaves the others' numbers alone.
PHASES = ("available", "abnormal", "creating", "deleting")
MAX_PAGE = 500


def to_nodes(
    resource_pool: LiveResourcePool, live: LiveNodePool, counts: NodeCounts, occupied: Occupied, region: str
) -> list[dict[str, Any]]:
    """All nodes of a node pool, with what jobs leave of them."""
    phases = [phase.capitalize() for phase in PHASES for _ in range(getattr(counts, phase))]
    nodes = [_node(resource_pool, live, number, phase, region) for number, phase in enumerate(phases)]
    for number, node in enumerate(nodes):
        _occupy(node, live, number, occupied)
    return nodes


def _occupy(node: dict[str, Any], live: LiveNodePool, number: int, occupied: Occupied) -> None:
    """Add the resources of the node, and those that jobs use. A node in phase Creating has none."""
    spec, status = live.spec, node["status"]
    if status["phase"] == "Creating":
        return
    address, cards = private_ip(spec, live.subnet, number), occupied.cards[number]
    status.update(node_resources(spec, cards))
    if address:
        status["privateIp"] = address
    if status["phase"] == "Abnormal" and spec.abnormal_message is not None:
        status["message"] = spec.abnormal_message
    if spec.npu_topology:
        node["metadata"]["annotations"]["os.modelarts/npu-topology-placement"] = topology(cards)
    if number in occupied.exclusive:
        label = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
        node["metadata"]["labels"][label] = occupied.exclusive[number]


def _node(resource_pool: LiveResourcePool, live: LiveNodePool, number: int, phase: str, region: str) -> dict[str, Any]:
    spec = live.spec
    return {
        "kind": "Node",
        "apiVersion": API_VERSION,
        "metadata": {
            "name": f"os-node-{resource_pool.spec.name}-{spec.name}-{number:04d}",
            "creationTimestamp": timestamp(live.creating_since or resource_pool.created_at),
            "labels": {
                "os.modelarts.node/nodepool": resource_pool.spec.name,
                "os.modelarts.node/nodepoolname": spec.name,
                "os.modelarts/resource.id": f"maos-{resource_pool.spec.name}",
                "os.modelarts/billing.status": "0",
            },
            "annotations": _annotations(resource_pool, live, number),
        },
        "spec": {"flavor": spec.flavor},
        "status": {"phase": phase, "az": spread(zones_of(spec, region), number, 1)[0]["az"]},
    }


def _annotations(resource_pool: LiveResourcePool, live: LiveNodePool, number: int) -> dict[str, str]:
    annotations: dict[str, str] = {}
    billing = "1" if number < live.spec.prepaid_nodes else resource_pool.spec.billing_mode
    if billing is not None:
        annotations["os.modelarts/billing.mode"] = billing
    if number < live.spec.locked_nodes:
        annotations["os.modelarts.node/lock.action"] = "delete"
    return annotations


def to_page(nodes: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """The page of nodes that `continue` and `limit` ask for. No token means the last page."""
    start = _start(query.get("continue", ""))
    end = start + _limit(query.get("limit", ""))
    remaining = max(len(nodes) - end, 0)
    metadata: dict[str, Any] = {"remainingItemCount": remaining}
    if remaining:
        metadata["continue"] = base64.urlsafe_b64encode(f"node:{end}".encode()).decode()
    return {"kind": "NodeList", "apiVersion": API_VERSION, "metadata": metadata, "items": nodes[start:end]}


def _start(token: str) -> int:
    if not token:
        return 0
    try:
        kind, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if kind == "node":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise bad_request("The parameter continue is invalid.")


def _limit(text: str) -> int:
    if not text:
        return MAX_PAGE
    if not text.isdecimal() or int(text) > MAX_PAGE:
        raise bad_request(f"The parameter limit must be a number from 0 to {MAX_PAGE}.")
    return int(text) or MAX_PAGE
