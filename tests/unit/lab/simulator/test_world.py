"""What the clock does to node pools and resource pools."""

import pytest

from lab.simulator.clock import HandClock
from lab.simulator.refusals import RefusedError
from lab.simulator.scenario import PROJECT_ID, Scenario
from lab.simulator.scenario_pools import NodePool, States
from lab.simulator.world import NodeCounts, World


def a_world(*node_pools: NodePool, **keys: object) -> tuple[World, HandClock]:
    clock = HandClock(1000)
    parts = [node_pool.written() for node_pool in node_pools]
    scenario = {"resourcePools": [{"name": "pool-a", "nodePools": parts}], **keys}
    return World(Scenario.model_validate(scenario), clock), clock


def counts(world: World, name: str = "a") -> NodeCounts:
    live = world.node_pool(world.resource_pool(PROJECT_ID, "pool-a"), name)
    return live.counts(world.clock.now(), world.timings)


def delete(world: World, name: str = "a") -> None:
    world.node_pool(world.resource_pool(PROJECT_ID, "pool-a"), name).deleted_at = world.clock.now()


def test_node_pools_of_the_scenario_are_there_from_the_start() -> None:
    world, _ = a_world(NodePool(name="a", count=3))

    assert counts(world) == NodeCounts(available=3)


def test_states_that_were_said_stay_whatever_the_clock_does() -> None:
    world, clock = a_world(NodePool(name="a", states=States(creating=2, abnormal=1)))
    clock.advance(10_000)

    assert counts(world) == NodeCounts(creating=2, abnormal=1)


def test_a_new_node_pool_is_creating_until_its_time_has_come() -> None:
    world, clock = a_world(timings={"createSeconds": 5})
    spec = NodePool(name="a", count=2)
    world.resource_pools["pool-a"].put_node_pool(world.new_node_pool(spec, is_creating=True), spec)

    assert counts(world) == NodeCounts(creating=2)
    clock.advance(5)
    assert counts(world) == NodeCounts(available=2)


def test_all_nodes_are_deleting_until_the_node_pool_is_gone() -> None:
    world, clock = a_world(
        NodePool(name="a", states=States(available=2, abnormal=1)), NodePool(name="b"), timings={"deleteSeconds": 5}
    )
    delete(world)

    assert counts(world) == NodeCounts(deleting=3)
    clock.advance(5)
    with pytest.raises(RefusedError, match="Node pool a not found"):
        counts(world)
    assert counts(world, "b") == NodeCounts(available=1)


def test_own_seconds_come_before_those_of_the_scenario() -> None:
    world, clock = a_world(NodePool(name="a", delete_seconds=100), NodePool(name="b"))
    delete(world, "a")
    delete(world, "b")
    clock.advance(99)

    assert list(world.resource_pool(PROJECT_ID, "pool-a").node_pools) == ["a"]


def test_a_resource_pool_that_never_had_node_pools_stays() -> None:
    world, clock = a_world()
    clock.advance(10_000)
    world.settle()

    assert list(world.resource_pools) == ["pool-a"]


def test_a_resource_pool_is_not_found_under_another_project() -> None:
    world, _ = a_world()

    with pytest.raises(RefusedError, match="Pool pool-a not found"):
        world.resource_pool("other", "pool-a")
