"""What the operator does every day, against the simulator."""

from typing import Any

import pytest

from modelarts_nodepool.api.node_pool import Counts, ZoneCount
from modelarts_nodepool.errors import Conflict, NoAnswer, NotFound, RefusedByModelArts, ResourcePoolNotFound
from modelarts_nodepool.ports import AccessKey, Billing
from tests.contract.client.clients import PROJECT, Reports, a_client, a_cloud

WORLD: dict[str, Any] = {
    "timings": {"deleteSeconds": 0},
    "resourcePools": [
        {
            "name": "pool-a",
            "billingMode": "0",
            "nodePools": [
                {
                    "name": "training-a",
                    "count": 4,
                    "states": {"available": 2, "creating": 1, "abnormal": 1},
                    "azs": [{"az": "cn-north-4b", "count": 1}, {"az": "cn-north-4a", "count": 3}],
                },
                {"name": "training-b", "count": 2, "prepaidNodes": 1, "lockedNodes": 2},
            ],
        },
        {"name": "pool-yearly", "billingMode": "1", "workspace": "ws-1", "nodePools": [{"name": "np", "count": 1}]},
        {"name": "pool-silent"},
    ],
}


@pytest.mark.parametrize("shape", ["object", "list"])
async def test_case_21_22_node_pools_are_listed_whether_objects_or_lists(shape: str) -> None:
    reports = Reports()
    async with a_cloud(WORLD | {"shape": {"resources": shape}}, reports=reports) as (simulator, client):
        listing = await client.list_node_pools("pool-a")
        assert set(listing.node_pools) == {"training-a", "training-b"}
        training = listing.node_pools["training-a"]
        assert training.counts == Counts(available=2, creating=1, abnormal=1)
        assert training.shape.azs == (ZoneCount(az="cn-north-4a", count=3), ZoneCount(az="cn-north-4b", count=1))
        assert training.shape.count == 4
        assert reports.seen[-1].request_id == simulator.requests()[-1].request_id
        assert await client.show_node_pool("pool-a", "training-a") == training


async def test_case_03_resource_pool_without_node_pools_has_an_empty_list() -> None:
    async with a_cloud(WORLD) as (_, client):
        assert (await client.list_node_pools("pool-silent")).node_pools == {}


async def test_listing_that_did_not_change_is_the_same_object_and_a_changed_one_is_new() -> None:
    async with a_cloud(WORLD) as (simulator, client):
        first = await client.list_node_pools("pool-a")
        second = await client.list_node_pools("pool-a")
        assert second.node_pools is first.node_pools
        assert len(simulator.requests("list_node_pools")) == 2
        simulator.change({"resourcePools": {"pool-a": {"nodePools": {"training-b": None}}}})
        assert set((await client.list_node_pools("pool-a")).node_pools) == {"training-a"}


async def test_case_19_20_billing_and_locks_are_read() -> None:
    async with a_cloud(WORLD) as (_, client):
        assert (await client.show_pool("pool-a")).billing is Billing.PAY_PER_USE
        assert (await client.show_pool("pool-yearly")).billing is Billing.YEARLY_MONTHLY
        assert (await client.show_pool("pool-silent")).billing is Billing.UNKNOWN
        nodes = await client.list_node_pool_nodes("pool-a", "training-b")
        assert [node.billing for node in nodes] == [Billing.YEARLY_MONTHLY, Billing.PAY_PER_USE]
        assert all(node.is_locked for node in nodes)


async def test_resource_pools_are_listed_by_workspace() -> None:
    async with a_cloud(WORLD) as (_, client):
        assert set(await client.list_pools("0")) == {"pool-a", "pool-silent"}
        assert set(await client.list_pools("ws-1")) == {"pool-yearly"}


async def test_case_04_nodes_are_read_over_all_pages() -> None:
    world = {"resourcePools": [{"name": "pool-a", "nodePools": [{"name": "big", "count": 1203}]}]}
    async with a_cloud(world) as (simulator, client):
        nodes = await client.list_node_pool_nodes("pool-a", "big")
        assert len({node.name for node in nodes}) == 1203
        assert len(simulator.requests("list_node_pool_nodes")) == 3


async def test_case_24_deletion_is_accepted_then_gone() -> None:
    reports = Reports()
    async with a_cloud(WORLD | {"timings": {"deleteSeconds": 3600}}, reports=reports) as (simulator, client):
        accepted = await client.delete_node_pool("pool-a", "training-a")
        (request,) = simulator.requests("delete_node_pool")
        assert request.effect == "accepted"
        assert accepted.request_id == request.request_id
        assert (await client.show_node_pool("pool-a", "training-a")).counts == Counts(deleting=4)
        simulator.change({"timings": {"deleteSeconds": 0}})
        with pytest.raises(NotFound):
            await client.show_node_pool("pool-a", "training-a")
        assert "training-a" not in (await client.list_node_pools("pool-a")).node_pools
    assert reports.outcomes == ["200", "200", "404", "200"]


@pytest.mark.parametrize("shape", [{"notFound": "404"}, {"notFound": "400"}, {"notFoundCode": "ModelArts.50015404"}])
async def test_case_16_unknown_node_pool_is_not_found_however_it_is_said(shape: dict[str, str]) -> None:
    async with a_cloud(WORLD | {"shape": shape}) as (_, client):
        for call in (client.show_node_pool, client.delete_node_pool, client.list_node_pool_nodes):
            with pytest.raises(NotFound) as caught:
                await call("pool-a", "unknown")
            assert caught.value.request_id


async def test_case_44_invalid_nodepool_name_is_not_found_to_show_node_pool_and_a_refusal_to_all_others() -> None:
    async with a_cloud(WORLD | {"shape": {"notFound": "400-invalid-name"}}) as (_, client):
        with pytest.raises(NotFound) as caught:
            await client.show_node_pool("pool-a", "unknown")
        assert (caught.value.code, caught.value.status) == ("ModelArts.50004000", 400)
        for call in (client.delete_node_pool, client.list_node_pool_nodes):
            with pytest.raises(RefusedByModelArts):
                await call("pool-a", "unknown")


@pytest.mark.parametrize("said", ["all", "maxCount", "azs"])
@pytest.mark.parametrize("resources", ["object", "list"])
async def test_case_45_nodes_are_counted_by_whatever_number_is_there(said: str, resources: str) -> None:
    async with a_cloud(WORLD | {"shape": {"counts": said, "resources": resources}}) as (_, client):
        for shown in (
            (await client.list_node_pools("pool-a")).node_pools["training-a"],
            await client.show_node_pool("pool-a", "training-a"),
        ):
            assert shown.counts == Counts(available=2, creating=1, abnormal=1)
            assert (shown.shape.count, shown.shape.max_count) == (4, 4)


async def test_case_17_unknown_resource_pool_is_told_apart() -> None:
    async with a_cloud(WORLD | {"shape": {"notFoundCode": "ModelArts.50015404"}}) as (_, client):
        with pytest.raises(ResourcePoolNotFound) as caught:
            await client.delete_node_pool("unknown", "training-a")
        assert caught.value.code == "ModelArts.50015001"
        with pytest.raises(ResourcePoolNotFound):
            await client.list_node_pools("unknown")
        with pytest.raises(ResourcePoolNotFound):
            await client.show_pool("unknown")
        with pytest.raises(NotFound) as other:
            await client.delete_node_pool("pool-a", "unknown")
        assert not isinstance(other.value, ResourcePoolNotFound)


async def test_case_10_temporary_key_is_accepted_with_its_token_only() -> None:
    world = WORLD | {"credentials": [{"accessKey": "AK", "secretKey": "SK", "securityToken": "TOKEN"}]}
    async with a_cloud(world) as (simulator, _):
        async with a_client(simulator.endpoint, key=AccessKey("AK", "SK", "TOKEN")) as client:
            assert await client.list_pools("0")
        assert simulator.requests()[-1].signature == "valid"


async def test_each_key_signs_its_own_calls() -> None:
    world = WORLD | {
        "credentials": [{"accessKey": "AK1", "secretKey": "SK1"}, {"accessKey": "AK2", "secretKey": "SK2"}]
    }
    async with a_cloud(world) as (simulator, client):
        await client.with_key(AccessKey("AK1", "SK1")).list_pools("0")
        await client.with_key(AccessKey("AK2", "SK2")).list_pools("0")
        assert [request.access_key for request in simulator.requests()] == ["AK1", "AK2"]


async def test_reports_name_the_call_its_outcome_and_its_request_id() -> None:
    reports = Reports()
    async with a_cloud(WORLD, reports=reports) as (simulator, client):
        await client.show_node_pool("pool-a", "training-a")
        (report,) = reports.seen
        assert (report.operation, report.resource_pool, report.node_pool) == ("show_node_pool", "pool-a", "training-a")
        assert report.outcome == "200"
        assert report.request_id == simulator.requests()[0].request_id
        assert report.duration.total_seconds() >= 0
        assert simulator.requests()[0].path == f"/v2/{PROJECT}/pools/pool-a/nodepools/training-a"


async def test_case_01_deletion_is_accepted_with_the_node_pool_as_it_was_in_its_answer() -> None:
    async with a_cloud(WORLD | {"timings": {"deleteSeconds": 3600}}) as (simulator, client):
        assert (await client.delete_node_pool("pool-a", "training-a")).request_id
        (request,) = simulator.requests()
        assert (request.operation, request.effect, request.signature) == ("delete_node_pool", "accepted", "valid")


async def test_case_27_conflict_is_told_and_the_next_delete_is_accepted() -> None:
    async with a_cloud(WORLD) as (simulator, client):
        simulator.add_fault({"status": 409, "times": 1})
        with pytest.raises(Conflict) as caught:
            await client.delete_node_pool("pool-a", "training-a")
        assert not caught.value.had_no_effect
        assert (await client.delete_node_pool("pool-a", "training-a")).request_id


async def test_case_30_look_after_a_dropped_connection_shows_what_came_of_the_delete() -> None:
    async with a_cloud(WORLD | {"timings": {"deleteSeconds": 3600}}) as (simulator, client):
        for drop, counts in (("before", Counts(available=2, creating=1, abnormal=1)), ("after", Counts(deleting=4))):
            simulator.add_fault({"operation": "delete_node_pool", "drop": drop, "times": 1})
            with pytest.raises(NoAnswer) as caught:
                await client.delete_node_pool("pool-a", "training-a")
            assert not caught.value.had_no_effect
            assert (await client.show_node_pool("pool-a", "training-a")).counts == counts
        assert len(simulator.requests("delete_node_pool")) == 2


FLAVOR = '{"count": 2, "flavor": "a"}'


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (FLAVOR, 2),
        (f"[{FLAVOR}]", 2),
        (f"[{FLAVOR}, {FLAVOR}]", 4),
        ("[]", 0),
        ("{}", 0),
        ("null", 0),
        ('{"count": "2"}', 2),
        ('{"count": 2.0, "unknown": {"x": [1]}}', 2),
        ('{"count": "two"}', None),
    ],
)
async def test_case_21_23_counts_are_read_from_objects_lists_and_texts(available: str, expected: int | None) -> None:
    status = f'{{"resources": {{"available": {available}}}}}'
    body = f'{{"kind": "NodePool", "metadata": {{"name": "training-a"}}, "status": {status}, "extra": 1}}'
    async with a_cloud(WORLD) as (simulator, client):
        simulator.add_fault({"bodyText": body})
        found = await client.show_node_pool("pool-a", "training-a")
    assert found.counts == (None if expected is None else Counts(available=expected))
    assert (found.problem is None) == (expected is not None)


@pytest.mark.parametrize("body", ['["kind"]', '{"status": {"resources": {"available": ["flavor"]}}}'])
async def test_case_40_answer_that_surprises_the_official_sdk_makes_one_delete(body: str) -> None:
    async with a_cloud(WORLD) as (simulator, client):
        simulator.add_fault({"bodyText": body, "operation": "delete_node_pool"})
        assert (await client.delete_node_pool("pool-a", "training-a")).request_id
        assert len(simulator.requests("delete_node_pool")) == 1


async def test_case_06_slash_at_the_end_is_signed_and_not_sent() -> None:
    async with a_cloud(WORLD) as (simulator, client):
        await client.list_node_pools("pool-a")
        (request,) = simulator.requests()
    assert request.path == f"/v2/{PROJECT}/pools/pool-a/nodepools"
    assert request.signature == "valid"
