"""The stand-in cloud of lab/bench/ is a ModelArts to the operator's own client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from lab.bench.calls import CloudLog
from lab.bench.cloud import Cloud
from lab.bench.scale import SPARE, Scale
from modelarts_nodepool.api.node_pool import Counts
from modelarts_nodepool.errors import CloudError, NotFound, ResourcePoolNotFound
from modelarts_nodepool.modelarts.client import ModelArtsClient
from modelarts_nodepool.ports import Billing
from tests.contract.client.clients import a_client

POOL, NAME = "pool-0000", "np-000000"


@asynccontextmanager
async def a_cloud(delete_seconds: float = 0.0) -> AsyncIterator[tuple[ModelArtsClient, CloudLog]]:
    server = TestServer(Cloud(Scale(10), 0.0, delete_seconds).build())
    async with server:
        endpoint = str(server.make_url("")).rstrip("/")
        async with a_client(endpoint) as client:
            yield client, CloudLog(endpoint)


async def test_everything_that_a_deletion_asks_is_answered() -> None:
    async with a_cloud(delete_seconds=3600.0) as (client, _):
        listing = await client.list_node_pools(POOL)
        assert len(listing.node_pools) == 11
        assert listing.node_pools[NAME].counts == Counts(available=2)
        assert (await client.show_pool(POOL)).billing is Billing.PAY_PER_USE
        nodes = await client.list_node_pool_nodes(POOL, NAME)
        assert [node.is_locked for node in nodes] == [False, False]
        assert (await client.delete_node_pool(POOL, NAME)).request_id
        assert (await client.list_node_pools(POOL)).node_pools[NAME].counts == Counts(deleting=2)


async def test_a_node_pool_is_gone_when_its_time_is_over() -> None:
    async with a_cloud() as (client, log):
        await client.delete_node_pool(POOL, NAME)
        assert NAME not in (await client.list_node_pools(POOL)).node_pools
        with pytest.raises(NotFound):
            await client.show_node_pool(POOL, NAME)
        assert SPARE in (await client.list_node_pools(POOL)).node_pools
        calls = await log.read()
        assert [call.status for call in calls if call.operation == "show_node_pool"] == [404]
        assert calls[0][1:] == ("delete_node_pool", POOL, NAME, 200)


async def test_a_resource_pool_that_is_not_there_is_not_found() -> None:
    async with a_cloud() as (client, _):
        with pytest.raises(ResourcePoolNotFound):
            await client.show_pool("pool-9999")


async def test_an_account_without_objects_can_be_verified() -> None:
    async with a_cloud() as (client, log):
        assert POOL in await client.list_pools("0")
        assert (await log.read())[0][1:] == ("list_pools", "", "", 200)


async def test_it_fails_as_often_as_it_is_told() -> None:
    async with a_cloud() as (client, log):
        await log.fail("list_node_pools", 500, 1)
        with pytest.raises(CloudError):
            await client.list_node_pools(POOL)
        assert NAME in (await client.list_node_pools(POOL)).node_pools


async def test_a_node_pool_can_be_put_back() -> None:
    async with a_cloud() as (client, log):
        await client.delete_node_pool(POOL, NAME)
        assert NAME not in (await client.list_node_pools(POOL)).node_pools
        await log.put_node_pool(POOL, NAME)
        assert (await client.list_node_pools(POOL)).node_pools[NAME].counts == Counts(available=2)


async def test_asking_for_the_log_again_brings_what_is_new() -> None:
    async with a_cloud() as (client, log):
        await client.list_node_pools(POOL)
        assert len(await log.read()) == 1
        await client.show_pool(POOL)
        assert [call.operation for call in await log.read()] == ["list_node_pools", "show_pool"]
