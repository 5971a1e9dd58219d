"""How node pools and resource pools go, and when the cloud refuses."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.contract.simulator.caller import NODE_POOLS, POOLS, TRAINING, Caller

Serve = Callable[..., Awaitable[Caller]]


def change_training(caller: Caller, **keys: object) -> None:
    caller.simulator.change({"resourcePools": {"pool-a": {"nodePools": {"training-a": keys}}}})


async def names(caller: Caller) -> list[str]:
    return [item["metadata"]["name"] for item in (await caller.get(NODE_POOLS)).json()["items"]]


async def test_case_01_24_delete_answers_with_what_was_and_the_node_pool_goes_later(caller: Caller) -> None:
    before = (await caller.get(TRAINING)).json()

    accepted = await caller.delete(TRAINING)

    assert (accepted.status_code, accepted.json()) == (200, before)
    assert await caller.counts() == {"deleting": 3}
    nodes = (await caller.get(f"{TRAINING}/nodes")).json()["items"]
    assert {node["status"]["phase"] for node in nodes} == {"Deleting"}
    caller.clock.advance(9.9)
    assert await names(caller) == ["training-a", "training-b"]
    caller.clock.advance(0.1)
    assert await names(caller) == ["training-b"]
    assert (await caller.get(TRAINING)).status_code == 404
    [entry] = caller.simulator.requests("delete_node_pool")
    assert (entry.resource_pool, entry.node_pool) == ("pool-a", "training-a")
    assert (entry.status, entry.effect) == (200, "accepted")


async def test_an_accepted_delete_may_stay_unseen_for_a_while(serve: Serve) -> None:
    caller = await serve(timings={"acceptDelaySeconds": 60, "deleteSeconds": 10})
    await caller.delete(TRAINING)

    caller.clock.advance(59)
    assert await caller.counts() == {"available": 3}
    caller.clock.advance(1)
    assert await caller.counts() == {"deleting": 3}
    caller.clock.advance(10)
    assert await names(caller) == ["training-b"]


async def test_a_repeated_delete_changes_nothing(caller: Caller) -> None:
    await caller.delete(TRAINING)
    caller.clock.advance(5)

    again = await caller.delete(TRAINING)

    assert again.status_code == 200
    assert again.json()["status"]["resources"]["deleting"]["count"] == 3
    caller.clock.advance(5)
    assert await names(caller) == ["training-b"]
    assert [entry.effect for entry in caller.simulator.requests("delete_node_pool")] == ["accepted", "none"]


async def test_a_repeated_delete_can_be_a_conflict(serve: Serve) -> None:
    caller = await serve(shape={"repeatDelete": "409"})
    await caller.delete(TRAINING)

    again = await caller.delete(TRAINING)

    assert (again.status_code, again.json()["error_code"]) == (409, "ModelArts.5044")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"inUse": True}, "in use"),
        ({"prepaidNodes": 1}, "yearly/monthly"),
        ({"lockedNodes": 1}, "locked"),
        ({"isDefault": True}, "default node pool"),
    ],
)
async def test_case_20_42_the_cloud_refuses_and_says_why(caller: Caller, keys: dict[str, Any], words: str) -> None:
    change_training(caller, **keys)

    refused = await caller.delete(TRAINING)

    assert (refused.status_code, refused.json()["error_code"]) == (400, "ModelArts.50004000")
    assert words in refused.json()["error_msg"]
    assert await caller.counts() == {"available": 3}
    [entry] = caller.simulator.requests("delete_node_pool")
    assert (entry.status, entry.error, entry.effect) == (400, "ModelArts.50004000", "none")


async def test_case_19_yearly_monthly_resource_pools_keep_their_node_pools(caller: Caller) -> None:
    caller.simulator.change({"resourcePools": {"pool-a": {"billingMode": "1"}}})

    for target in (TRAINING, f"{POOLS}/pool-a"):
        refused = await caller.delete(target)
        assert refused.status_code == 400
        assert "yearly/monthly" in refused.json()["error_msg"]


async def test_case_42_a_node_pool_named_default_is_the_default_one(serve: Serve) -> None:
    caller = await serve(resourcePools=[{"name": "pool-a", "nodePools": [{"name": "nodepool-default"}]}])

    assert (await caller.delete(f"{NODE_POOLS}/nodepool-default")).status_code == 400


async def test_case_16_17_deleting_what_is_not_there_is_not_found(caller: Caller) -> None:
    in_pool, without_pool = await caller.delete(f"{NODE_POOLS}/nix"), await caller.delete(f"{POOLS}/nix/nodepools/x")

    assert (in_pool.status_code, without_pool.status_code) == (404, 404)
    assert "Node pool nix" in in_pool.json()["error_msg"]
    assert "Pool nix" in without_pool.json()["error_msg"]


async def test_the_last_node_pool_takes_its_resource_pool_along(caller: Caller) -> None:
    await caller.delete(TRAINING)
    await caller.delete(f"{NODE_POOLS}/training-b")
    caller.clock.advance(10)

    assert (await caller.get(NODE_POOLS)).json()["error_msg"] == "Pool pool-a not found."
    assert (await caller.get(POOLS)).json()["items"] == []


async def test_a_resource_pool_can_outlive_its_node_pools(serve: Serve) -> None:
    caller = await serve(shape={"lastNodePoolRemovesResourcePool": False})
    await caller.delete(TRAINING)
    await caller.delete(f"{NODE_POOLS}/training-b")
    caller.clock.advance(10)

    assert await names(caller) == []


async def test_deleting_a_resource_pool_deletes_everything_in_it(caller: Caller) -> None:
    accepted = await caller.delete(f"{POOLS}/pool-a/")

    assert accepted.status_code == 200
    assert accepted.json()["metadata"]["deletionTimestamp"] == "2026-01-02T12:00:00Z"
    assert (await caller.get(f"{POOLS}/pool-a")).json()["status"]["phase"] == "Deleting"
    assert await caller.counts() == {"deleting": 3}
    caller.clock.advance(10)
    assert (await caller.get(f"{POOLS}/pool-a")).status_code == 404
    [entry] = caller.simulator.requests("delete_pool")
    assert (entry.resource_pool, entry.effect) == ("pool-a", "accepted")


async def test_new_timings_hold_for_what_is_under_way(caller: Caller) -> None:
    await caller.delete(TRAINING)
    caller.simulator.change({"timings": {"deleteSeconds": 1000}})
    caller.clock.advance(999)
    assert await caller.counts() == {"deleting": 3}

    caller.simulator.change({"timings": {"deleteSeconds": 0}})

    assert await names(caller) == ["training-b"]


async def test_longer_timings_bring_nothing_back(caller: Caller) -> None:
    await caller.delete(TRAINING)
    caller.clock.advance(10)

    caller.simulator.change({"timings": {"deleteSeconds": 1000}})

    assert await names(caller) == ["training-b"]


async def test_a_deletion_can_be_undone_by_the_cloud(caller: Caller) -> None:
    await caller.delete(TRAINING)
    change_training(caller, restore=True)

    assert await caller.counts() == {"available": 3}
    caller.clock.advance(1000)
    assert await names(caller) == ["training-a", "training-b"]


async def test_a_node_pool_added_at_run_time_is_created_on_the_clock(caller: Caller) -> None:
    caller.simulator.change({"resourcePools": {"pool-a": {"nodePools": {"new": {"count": 4}}}}})
    target = f"{NODE_POOLS}/new"

    assert await caller.counts(target) == {"creating": 4}
    caller.clock.advance(5)
    assert await caller.counts(target) == {"available": 4}
