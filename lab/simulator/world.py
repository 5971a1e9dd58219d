"""The false cloud's things and how time changes them. State is computed from the clock whenever it is asked for.

operations.py reads and deletes, changes.py rewrites at run time. Nothing here knows HTTP or JSON.
"""

import itertools
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.simulator.clock import Clock
from lab.simulator.refusals import node_pool_not_found, resource_pool_not_found
from lab.simulator.scenario import Scenario, Shape, Timings
from lab.simulator.scenario_pools import NodePool, ResourcePool
from lab.simulator.scenario_workloads import WORKLOAD_STATUSES, Workload

WAITING = frozenset({"Queue", "Pending"})
OVER = frozenset({"Completed", "Terminated", "Failed"})


class NodeCounts(NamedTuple):
    """A node pool's nodes by state."""

    creating: int = 0
    available: int = 0
    abnormal: int = 0
    deleting: int = 0


@dataclass(slots=True)
class LiveNodePool:
    """A node pool in the world. `creating_since` only where the clock drives its creation.

    `subnet` numbers node pools, so that all nodes of a world have different addresses.

    `encoded` belongs to answers.py, which keeps there what it answered last and for which facts.
    """

    spec: NodePool
    subnet: int
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
class LiveWorkload:
    """A job in the world. Times are seconds since 1970.

    `started_at`, `ended_at` and `failed_at` only where a change or the end of its node pools set them.
    """

    spec: Workload
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    failed_at: float | None = None

    def status(self, now: float) -> str:
        """Its status at this moment."""
        spec = self.spec
        if spec.status is not None:
            return spec.status
        if self.failed_at is not None:
            return "Failed"
        if now < self._start:
            return "Pending"
        return "Running" if spec.run_seconds is None or now < self._start + spec.run_seconds else "Completed"

    def change(self, spec: Workload, now: float) -> None:
        """Let it be as `spec` says from now on; its durations go on, begin or stop."""
        before = self.status(now)
        self.spec = spec
        after = self.status(now)
        if before in WAITING and after not in WAITING:
            self.started_at = now
        self.ended_at = (self.ended_at or now) if after in OVER else None

    def fail(self, now: float) -> None:
        """Its nodes are gone."""
        if self.status(now) not in OVER:
            self.failed_at = self.ended_at = now

    def occupies_nodes(self, now: float) -> bool:
        """Whether it has its nodes at this moment."""
        return self.status(now) in frozenset(WORKLOAD_STATUSES) - WAITING - OVER

    def pending_seconds(self, now: float) -> int:
        """How long it waits, or waited."""
        end = now if self.status(now) in WAITING else min(self._start, now)
        return max(int(end - self.created_at), 0)

    def running_seconds(self, now: float) -> int:
        """How long it runs, or ran."""
        if self.status(now) in WAITING:
            return 0
        end = self.ended_at
        if end is None and self.spec.run_seconds is not None:
            end = self._start + self.spec.run_seconds
        return max(int((now if end is None else min(end, now)) - self._start), 0)

    @property
    def _start(self) -> float:
        return self.created_at + self.spec.pending_seconds if self.started_at is None else self.started_at

    def uid(self, resource_pool: str) -> str:
        """Its ID; empty where it sends none."""
        if self.spec.uid is not None:
            return self.spec.uid
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource_pool}/{self.spec.name}"))


@dataclass(slots=True)
class LiveResourcePool:
    """A resource pool in the world. Its node pools and jobs stand here, not in `spec`."""

    spec: ResourcePool
    project_id: str
    created_at: float
    node_pools: dict[str, LiveNodePool] = field(default_factory=dict)
    workloads: dict[str, LiveWorkload] = field(default_factory=dict)
    deleted_at: float | None = None

    def put_node_pool(self, live: LiveNodePool, spec: NodePool) -> None:
        """Add a node pool, or let it be as `spec` says from now on."""
        live.spec = spec
        self.node_pools[spec.name] = live

    def put_workload(self, live: LiveWorkload, spec: Workload, now: float) -> None:
        """Add a job, or let it be as `spec` says from now on."""
        live.change(spec, now)
        self.workloads[spec.name] = live


class World:
    """All resource pools by name, and the timings and shape that hold now."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.clock = clock
        self.region = scenario.region
        self.project_id = scenario.project_id
        self.timings: Timings = scenario.timings
        self.shape: Shape = scenario.shape
        self._subnets = itertools.count()
        self.resource_pools: dict[str, LiveResourcePool] = {}
        for spec in scenario.resource_pools:
            live = self.new_resource_pool(spec)
            live.node_pools = {node_pool.name: self.new_node_pool(node_pool) for node_pool in spec.node_pools}
            live.workloads = {workload.name: self.new_workload(workload) for workload in spec.workloads}
            self.put_resource_pool(live, spec)

    def new_resource_pool(self, spec: ResourcePool) -> LiveResourcePool:
        """A resource pool without node pools that is not yet part of the world."""
        return LiveResourcePool(spec, self.project_id, self.clock.now())

    def new_node_pool(self, spec: NodePool, *, is_creating: bool = False) -> LiveNodePool:
        """A node pool that is not yet part of the world."""
        return LiveNodePool(spec, next(self._subnets), self.clock.now() if is_creating else None)

    def new_workload(self, spec: Workload) -> LiveWorkload:
        """A job that is not yet part of the world."""
        now = self.clock.now()
        live = LiveWorkload(spec, now - spec.age_seconds)
        live.change(spec, now)
        return live

    def sizes(self, resource_pool: LiveResourcePool) -> dict[str, int]:
        """How many nodes each node pool has at this moment."""
        now = self.clock.now()
        return {name: sum(live.counts(now, self.timings)) for name, live in resource_pool.node_pools.items()}

    def put_resource_pool(self, live: LiveResourcePool, spec: ResourcePool) -> None:
        """Add a resource pool, or let it be as `spec` says from now on; its node pools stay."""
        live.spec = spec.model_copy(update={"node_pools": [], "workloads": []})
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
        for workload in live.workloads.values() if gone else ():
            hosts = {runs_on.node_pool for runs_on in workload.spec.runs_on}
            if hosts & set(gone) and not hosts & set(live.node_pools):
                workload.fail(now)
        was_last = bool(gone) and not live.node_pools and self.shape.last_node_pool_removes_resource_pool
        if was_last or (live.deleted_at is not None and now >= live.deleted_at + self.timings.delete_seconds):
            del self.resource_pools[live.spec.name]
