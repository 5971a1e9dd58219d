"""The answer of ListWorkloads, which nodes jobs occupy, and what they leave of a node. Pure.

Written from the page ListWorkloads and the models of the official SDK. Jobs themselves are in world.py.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from lab.simulator.refusals import bad_request
from lab.simulator.scenario_pools import NodePool
from lab.simulator.scenario_workloads import WORKLOAD_STATUSES, WORKLOAD_TYPES
from lab.simulator.world import WAITING, LiveResourcePool, LiveWorkload

API_VERSION = "v1"
MAX_PAGE = 500
MAX_OFFSET = 2_147_483_647
CPUS, CPUS_OF_THE_SYSTEM, CPUS_FOR_EACH_CARD = 96, 2, 10
MEMORY, MEMORY_FOR_EACH_CARD = 768, 80
# The page ListNodePoolNodes and the page ListWorkloads have different names for the same cards.
REQUIRED_KEY = {"huawei.com/ascend-snt9": "huawei.com/ascend-1980", "huawei.com/ascend-snt3": "huawei.com/ascend-310"}
# Node pools have this many addresses each, one after the other from 10.0.0.0 on.
FIRST_ADDRESS, ADDRESSES = int(IPv4Address("10.0.0.0")), 4096


def accelerator_key(spec: NodePool) -> str | None:
    """What the nodes call their accelerators; None where they have none."""
    if spec.accelerator_key is not None:
        return spec.accelerator_key or None
    if "npu" in spec.flavor:
        return "huawei.com/ascend-snt9"
    return "nvidia.com/gpu" if "gpu" in spec.flavor else None


def private_ip(spec: NodePool, subnet: int, number: int) -> str:
    """The address of a node; empty where the node pool's nodes have none."""
    return str(IPv4Address(FIRST_ADDRESS + subnet * ADDRESSES + number + 1)) if spec.private_ips else ""


@dataclass(frozen=True, slots=True)
class Place:
    """One node on which a job runs, and how many of its accelerators the job has."""

    node_pool: str
    number: int
    host_ip: str
    key: str | None
    cards: int


def places_of(resource_pool: LiveResourcePool, workload: LiveWorkload, sizes: dict[str, int]) -> Iterator[Place]:
    """The nodes of a job. `sizes` is how many nodes each node pool has."""
    for runs_on in workload.spec.runs_on:
        live = resource_pool.node_pools.get(runs_on.node_pool)
        if live is None:
            continue
        size = sizes[runs_on.node_pool]
        end = size if runs_on.nodes is None else min(runs_on.first + runs_on.nodes, size)
        key = accelerator_key(live.spec)
        cards = live.spec.accelerators if runs_on.accelerators is None else runs_on.accelerators
        for number in range(runs_on.first, end):
            host_ip = private_ip(live.spec, live.subnet, number)
            yield Place(runs_on.node_pool, number, host_ip, key, cards if key else 0)


@dataclass(frozen=True, slots=True)
class Occupied:
    """What jobs take of the nodes of one node pool, by the nodes' numbers."""

    cards: Counter[int]
    exclusive: dict[int, str]


def occupied_in(resource_pool: LiveResourcePool, name: str, sizes: dict[str, int], now: float) -> Occupied:
    """What the jobs of a resource pool take of one node pool at this moment."""
    occupied = Occupied(Counter(), {})
    for workload in resource_pool.workloads.values():
        if not workload.occupies_nodes(now):
            continue
        for place in places_of(resource_pool, workload, sizes):
            if place.node_pool == name:
                occupied.cards[place.number] += place.cards
                if workload.spec.exclusive:
                    occupied.exclusive[place.number] = workload.uid(resource_pool.spec.name)
    return occupied


def node_resources(spec: NodePool, cards: int) -> dict[str, dict[str, str]]:
    """`resources` and `availableResources` of a node of which jobs have so many accelerators.

    The system takes its share of the CPUs, so an idle node too has less than it was built with.
    """
    key = accelerator_key(spec)
    resources = {"cpu": str(CPUS), "memory": f"{MEMORY}Gi"}
    available = {
        "cpu": str(max(CPUS - CPUS_OF_THE_SYSTEM - cards * CPUS_FOR_EACH_CARD, 0)),
        "memory": f"{max(MEMORY - cards * MEMORY_FOR_EACH_CARD, 0)}Gi",
    }
    if key is not None:
        resources[key] = str(spec.accelerators)
        available[key] = str(max(spec.accelerators - cards, 0))
    return {"resources": resources, "availableResources": available}


def topology(cards: int) -> str:
    """16 digits: the rightmost is the first card, 1 is taken."""
    return ("1" * min(cards, 16)).rjust(16, "0")


def to_workload_list(
    resource_pool: LiveResourcePool, sizes: dict[str, int], query: dict[str, str], now: float
) -> dict[str, Any]:
    """The answer of ListWorkloads; RefusedError for a query that its page does not allow."""
    asked = _read_query(query)
    shown = []
    queue = 0
    for workload in resource_pool.workloads.values():
        queue += workload.status(now) in WAITING
        shown.append(_workload(resource_pool, workload, sizes, queue, now))
    shown = [item for item in shown if all(item[key] == asked[key] for key in ("type", "status") if asked[key])]
    if asked["sort"]:
        shown.sort(key=lambda item: int(item["createTime"]), reverse=asked["ascend"] != "true")
    hosts = {part for part in asked["hostip"].split(",") if part}
    if hosts:
        # With this parameter there are no pages.
        items = [item for item in shown if hosts & _hosts(item)]
    else:
        start = int(asked["offset"] or 0)
        items = shown[start : start + (int(asked["limit"] or 0) or MAX_PAGE)]
    return {"kind": "WorkloadList", "apiVersion": API_VERSION, "items": items}


def _hosts(item: dict[str, Any]) -> set[str]:
    return {*item.get("hostIps", "").split(","), *(node["hostIp"] for node in item.get("nodes", []))}


def _workload(
    resource_pool: LiveResourcePool, workload: LiveWorkload, sizes: dict[str, int], position: int, now: float
) -> dict[str, Any]:
    spec, status = workload.spec, workload.status(now)
    places = [] if status in WAITING else list(places_of(resource_pool, workload, sizes))
    live = resource_pool.node_pools.get(places[0].node_pool) if places else None
    item: dict[str, Any] = {
        "kind": "Workload",
        "apiVersion": API_VERSION,
        "type": spec.type,
        "namespace": resource_pool.spec.name,
        "name": spec.name,
        "jobName": spec.job_name or spec.name,
        "jobUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"job/{resource_pool.spec.name}/{spec.name}")),
        "flavor": "" if live is None else live.spec.flavor,
        "status": status,
        "userName": "simulator",
        "resourceRequirement": _requirement(places),
        "priority": "1",
        "runningDuration": workload.running_seconds(now),
        "pendingDuration": workload.pending_seconds(now),
        "pendingPosition": position if status in WAITING else 0,
        "createTime": int(workload.created_at * 1000),
        "gvk": "batch.volcano.sh/v1alpha1, Kind=Job",
    }
    uid = workload.uid(resource_pool.spec.name)
    if uid:
        item["uid"] = uid
    if spec.host_ips is not None:
        return item | {"hostIps": spec.host_ips}
    if spec.shape != "nodes":
        item["hostIps"] = ",".join(place.host_ip for place in places)
    if spec.shape != "hostIps":
        item["nodes"] = [_node(place) for place in places]
    return item


def _node(place: Place) -> dict[str, Any]:
    return {
        "hostIp": place.host_ip,
        "npuTopologyPlacement": topology(place.cards) if place.key and place.key.startswith("huawei") else "",
        "resourceRequirement": _requirement([place]),
    }


def _requirement(places: list[Place]) -> dict[str, str]:
    cards: Counter[str] = Counter()
    for place in places:
        if place.key:
            cards[REQUIRED_KEY.get(place.key, place.key)] += place.cards
    total = sum(cards.values())
    required = {"cpu": str(max(total * CPUS_FOR_EACH_CARD, 1)), "memory": f"{max(total * MEMORY_FOR_EACH_CARD, 1)}Gi"}
    return required | {key: str(number) for key, number in cards.items()}


def _read_query(query: dict[str, str]) -> dict[str, str]:
    """All parameters, empty where they are not there."""
    for key, (is_good, wanted) in _PARAMETERS.items():
        value = query.get(key)
        if value and not is_good(value):
            raise bad_request(f"The parameter {key} must be {wanted}.")
    if query.get("ascend") and not query.get("sort"):
        raise bad_request("The parameter ascend needs the parameter sort.")
    return {key: query.get(key, "") for key in (*_PARAMETERS, "hostip")}


def _one_of(*values: str) -> tuple[Callable[[str], bool], str]:
    return values.__contains__, "one of " + ", ".join(values)


def _number_to(largest: int) -> tuple[Callable[[str], bool], str]:
    return lambda text: text.isascii() and text.isdecimal() and int(text) <= largest, f"a number from 0 to {largest}"


_PARAMETERS: dict[str, tuple[Callable[[str], bool], str]] = {
    "type": _one_of(*WORKLOAD_TYPES),
    "status": _one_of(*WORKLOAD_STATUSES),
    "sort": _one_of("create_time"),
    "ascend": _one_of("true", "false"),
    "offset": _number_to(MAX_OFFSET),
    "limit": _number_to(MAX_PAGE),
}
