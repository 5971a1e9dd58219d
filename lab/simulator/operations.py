"""What each operation answers and does to the world. No HTTP here: gateway.py brings names and a query."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.simulator.answers import (
    API_VERSION,
    encode,
    timestamp,
    to_node_pool,
    to_node_pool_list,
    to_resource_pool,
)
from lab.simulator.nodes import to_nodes, to_page
from lab.simulator.refusals import bad_request, being_deleted, unknown_route
from lab.simulator.routes import Route
from lab.simulator.workloads import occupied_in, to_workload_list
from lab.simulator.world import LiveNodePool, LiveResourcePool, World
from lab.simulator.writing import Content, create_node_pool, patch_node_pool

# What ListPools calls a status is coarser than the phase.
STATUS_FILTER = {"Creating": "creating", "Error": "failed"}


@dataclass(frozen=True, slots=True)
class Done:
    """An operation's answer (always status 200) and whether it changed the cloud."""

    body: bytes
    has_effect: bool = False


def carry_out(world: World, route: Route, query: dict[str, str], content: Content) -> Done:
    """Do what the route asks for; raises RefusedError where the cloud refuses."""
    if route.operation in _WRITERS:
        return Done(_WRITERS[route.operation](world, route, content), has_effect=True)
    return _OPERATIONS[route.operation](world, route, query)


def _list_pools(world: World, route: Route, query: dict[str, str]) -> Done:
    workspace, status, now = query.get("workspaceId", "0"), query.get("status"), world.clock.now()
    items = [
        to_resource_pool(live, now, world.timings, world.region)
        for live in world.resource_pools_of(route.project_id)
        if live.spec.workspace == workspace and status in {None, STATUS_FILTER.get(live.spec.phase, "created")}
    ]
    return Done(encode({"kind": "PoolList", "apiVersion": API_VERSION, "items": items}))


def _show_pool(world: World, route: Route, _query: dict[str, str]) -> Done:
    live = world.resource_pool(route.project_id, route.resource_pool)
    return Done(encode(to_resource_pool(live, world.clock.now(), world.timings, world.region)))


def _delete_pool(world: World, route: Route, _query: dict[str, str]) -> Done:
    live, now = world.resource_pool(route.project_id, route.resource_pool), world.clock.now()
    if live.spec.billing_mode == "1":
        raise bad_request("A yearly/monthly resource pool cannot be deleted; unsubscribe from it.")
    is_first = live.deleted_at is None
    if is_first:
        live.deleted_at = now
        for node_pool in live.node_pools.values():
            node_pool.deleted_at = now if node_pool.deleted_at is None else node_pool.deleted_at
    body = to_resource_pool(live, now, world.timings, world.region)
    body["metadata"]["deletionTimestamp"] = timestamp(now if live.deleted_at is None else live.deleted_at)
    return Done(encode(body), has_effect=is_first)


def _list_node_pools(world: World, route: Route, _query: dict[str, str]) -> Done:
    live = world.resource_pool(route.project_id, route.resource_pool)
    return Done(to_node_pool_list([_shown(world, node_pool) for node_pool in live.node_pools.values()]))


def _show_node_pool(world: World, route: Route, _query: dict[str, str]) -> Done:
    resource_pool = world.resource_pool(route.project_id, route.resource_pool)
    return Done(_shown(world, world.node_pool(resource_pool, route.node_pool)))


def _delete_node_pool(world: World, route: Route, _query: dict[str, str]) -> Done:
    resource_pool = world.resource_pool(route.project_id, route.resource_pool)
    live = world.node_pool(resource_pool, route.node_pool)
    snapshot = _shown(world, live)
    if live.deleted_at is not None:
        if world.shape.repeat_delete == "409":
            raise being_deleted(f"node pool {route.node_pool}")
        return Done(snapshot)
    why = _why_not(resource_pool, live)
    if why:
        raise bad_request(why)
    live.deleted_at = world.clock.now()
    return Done(snapshot, has_effect=True)


def _why_not(resource_pool: LiveResourcePool, live: LiveNodePool) -> str | None:
    """Why the cloud does not delete this node pool, in its words."""
    name = live.spec.name
    if live.spec.default:
        return f"The default node pool {name} cannot be deleted."
    if resource_pool.spec.billing_mode == "1":
        return f"Pool {resource_pool.spec.name} is a yearly/monthly resource pool: node pool {name} cannot be deleted."
    if live.spec.prepaid_nodes:
        return f"Node pool {name} contains yearly/monthly nodes and cannot be deleted."
    if live.spec.in_use:
        return f"Node pool {name} is in use."
    if live.spec.locked_nodes:
        return f"Node pool {name} contains locked nodes and cannot be deleted."
    return None


def _list_node_pool_nodes(world: World, route: Route, query: dict[str, str]) -> Done:
    resource_pool = world.resource_pool(route.project_id, route.resource_pool)
    nodes = _nodes(world, resource_pool, world.node_pool(resource_pool, route.node_pool))
    return Done(encode(to_page(nodes, query)))


def _list_pool_nodes(world: World, route: Route, query: dict[str, str]) -> Done:
    resource_pool = world.resource_pool(route.project_id, route.resource_pool)
    nodes = [node for live in resource_pool.node_pools.values() for node in _nodes(world, resource_pool, live)]
    return Done(encode(to_page(nodes, query)))


def _nodes(world: World, resource_pool: LiveResourcePool, live: LiveNodePool) -> list[dict[str, Any]]:
    now = world.clock.now()
    occupied = occupied_in(resource_pool, live.spec.name, world.sizes(resource_pool), now)
    return to_nodes(resource_pool, live, live.counts(now, world.timings), occupied, world.region)


def _list_workloads(world: World, route: Route, query: dict[str, str]) -> Done:
    if world.shape.list_workloads == "absent":
        raise unknown_route()
    resource_pool = world.resource_pool(route.project_id, route.resource_pool)
    return Done(encode(to_workload_list(resource_pool, world.sizes(resource_pool), query, world.clock.now())))


def _shown(world: World, live: LiveNodePool) -> bytes:
    return to_node_pool(live, live.counts(world.clock.now(), world.timings), world.shape, world.region)


_WRITERS: Mapping[str, Callable[[World, Route, Content], bytes]] = {
    "create_node_pool": create_node_pool,
    "patch_node_pool": patch_node_pool,
}
_OPERATIONS: Mapping[str, Callable[[World, Route, dict[str, str]], Done]] = {
    "list_pools": _list_pools,
    "show_pool": _show_pool,
    "delete_pool": _delete_pool,
    "list_node_pools": _list_node_pools,
    "show_node_pool": _show_node_pool,
    "delete_node_pool": _delete_node_pool,
    "list_node_pool_nodes": _list_node_pool_nodes,
    "list_pool_nodes": _list_pool_nodes,
    "list_workloads": _list_workloads,
}
