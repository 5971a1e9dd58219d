"""The false cloud's things and how time changes them. State is computed from the clock whenever it is asked for.

operations.py reads and deletes, changes.py rewrites at run time. Nothing here knows HTTP or JSON.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from lab.simulator.clock import Clock
from lab.simulator.refusals import node_pool_not_found, resource_pool_not_found
from lab.simulator.scenario import Scenario, Shape, Timings
from lab.simulator.scenario_pools import NodePool, ResourcePool


class NodeCounts(NamedTuple):
    """A node pool's nodes by state."""

    creating: int = 0
    available: int = 0
    abnormal: int = 0
    deleting: int = 0


@dataclass(slots=True)
class LiveNodePool:
    """A node pool in the world. `creating_since` only where the clock drives its creation.

    `encoded` belongs to answers.py, which keeps there what it answered last and for which facts.
    """

    spec: NodePool
    creating_since: float | None = None
    deleted_at: float | None = None
    encoded: tuple[NodePool, Shape, NodeCounts, bytes] | None = None

    def is_deleting(self, now: float, timings: Timings) -> bool:
        """Whether an accepted DELETE can be seen."""
        return self.deleted_at is not None and now >= self.deleted_at + timings.accept_delay_seconds

    def is_gone(self, now: float, timings: Timings) -> bool:
        """Whether an accepted DELETE is through."""
        if self.deleted_at is None:
            return False
        own = self.spec.delete_seconds
        takes = timings.delete_seconds if own is None else own
        return now >= self.deleted_at + timings.accept_delay_seconds + takes

    def counts(self, now: float, timings: Timings) -> NodeCounts:
        """Its nodes by state at this moment."""
        lasting = self._lasting_counts(now, timings)
        return NodeCounts(deleting=sum(lasting)) if self.is_deleting(now, timings) else lasting

    def _lasting_counts(self, now: float, timings: Timings) -> NodeCounts:
        states = self.spec.states
        if states is not None:
            return NodeCounts(states.creating, states.available, states.abnormal, states.deleting)
        own = self.spec.create_seconds
        takes = timings.create_seconds if own is None else own
        if self.creating_since is not None and now < self.creating_since + takes:
            return NodeCounts(creating=self.spec.wanted)
        return NodeCounts(available=self.spec.wanted)


@dataclass(slots=True)
class LiveResourcePool:
    """A resource pool in the world. Its node pools stand here, not in `spec`."""

    spec: ResourcePool
    project_id: str
    created_at: float
    node_pools: dict[str, LiveNodePool] = field(default_factory=dict)
    deleted_at: float | None = None

    def put_node_pool(self, live: LiveNodePool, spec: NodePool) -> None:
        """Add a node pool, or let it be as `spec` says from now on."""
        live.spec = spec
        self.node_pools[spec.name] = live


class World:
    """All resource pools by name, and the timings and shape that hold now."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.clock = clock
        self.region = scenario.region
        self.project_id = scenario.project_id
        self.timings: Timings = scenario.timings
        self.shape: Shape = scenario.shape
        self.resource_pools: dict[str, LiveResourcePool] = {}
        for spec in scenario.resource_pools:
            live = self.new_resource_pool(spec)
            live.node_pools = {node_pool.name: LiveNodePool(node_pool) for node_pool in spec.node_pools}
            self.put_resource_pool(live, spec)

    def new_resource_pool(self, spec: ResourcePool) -> LiveResourcePool:
        """A resource pool without node pools that is not yet part of the world."""
        return LiveResourcePool(spec, self.project_id, self.clock.now())

    def put_resource_pool(self, live: LiveResourcePool, spec: ResourcePool) -> None:
        """Add a resource pool, or let it be as `spec` says from now on; its node pools stay."""
        live.spec = spec.model_copy(update={"node_pools": []})
        live.project_id = spec.project_id or self.project_id
        self.resource_pools[spec.name] = live

    def settle(self) -> None:
        """Take out everywhere what is gone by now."""
        for live in list(self.resource_pools.values()):
            self._settle_one(live, self.clock.now())

    def resource_pools_of(self, project_id: str) -> list[LiveResourcePool]:
        """The resource pools of a project at this moment."""
        self.settle()
        return [live for live in self.resource_pools.values() if live.project_id == project_id]

    def resource_pool(self, project_id: str, name: str) -> LiveResourcePool:
        """One resource pool at this moment; RefusedError where it is not there."""
        live = self.resource_pools.get(name)
        if live is not None and live.project_id == project_id:
            self._settle_one(live, self.clock.now())
            if name in self.resource_pools:
                return live
        raise resource_pool_not_found(name)

    def node_pool(self, resource_pool: LiveResourcePool, name: str) -> LiveNodePool:
        """One node pool of a settled resource pool; RefusedError where it is not there."""
        live = resource_pool.node_pools.get(name)
        if live is None:
            raise node_pool_not_found(name, self.shape.not_found, self.shape.not_found_code)
        return live

    def _settle_one(self, live: LiveResourcePool, now: float) -> None:
        gone = [name for name, pool in live.node_pools.items() if pool.is_gone(now, self.timings)]
        for name in gone:
            del live.node_pools[name]
        was_last = bool(gone) and not live.node_pools and self.shape.last_node_pool_removes_resource_pool
        if was_last or (live.deleted_at is not None and now >= live.deleted_at + self.timings.delete_seconds):
            del self.resource_pools[live.spec.name]
