"""What is left in memory when objects, accounts, namespaces and keys have come and gone for years.

Whole lives in virtual time through the real engine: sixty of them leave nothing behind. What one life costs a single
part is then repeated more often.
"""

import asyncio
from datetime import timedelta

import pytest
from typing_extensions import override

from modelarts_nodepool.access.gateway import Gateway, KeyBreakers
from modelarts_nodepool.access.rate_limiter import RateLimiters
from modelarts_nodepool.access.sessions import Session
from modelarts_nodepool.api.node_pool import DeletionRecord
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import GONE_REMEMBERED, Cache
from modelarts_nodepool.credentials.providers import Providers
from modelarts_nodepool.errors import CredentialsRejected
from modelarts_nodepool.ports import (
    AccessKey,
    Connections,
    NodePoolListing,
)
from tests.support.builders import NOON, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import Connected, SecretKeeper, UnaskedCloud
from tests.support.memory import sizes_in
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.memory_growth_stage import Cloud, World

LIVES, MANY = 60, 5_000
FEW = 20
# Bounded by numbers of their own: what a watch that lags may still tell, and namespaces that refused an Event.
REMEMBERED, REFUSING = "cache.content.gone", "recorder._refusing"


def test_sixty_whole_lives_leave_nothing_behind() -> None:
    async def scene() -> None:
        world = World()
        async with world.at_work():
            for number in range(LIVES):
                await world.one_life(number)
            await asyncio.sleep(timedelta(minutes=30).total_seconds())
            sizes = world.sizes()
        assert world.cloud.deletes == LIVES
        assert (sizes.pop(REMEMBERED), sizes.pop(REFUSING)) == (3 * LIVES, LIVES)
        assert {path: size for path, size in sizes.items() if size > FEW} == {}

    run_at_once(scene)


def test_thousands_of_objects_leave_no_index_of_the_registry_behind() -> None:
    cache, in_flight = Cache(HandClock()), InFlight()
    body = a_node_pool().finalized().retained().asked_to_reconcile("now").being_deleted().body()
    for number in range(MANY):
        uid = f"uid-{number}"
        body["metadata"]["uid"], body["spec"]["poolName"] = uid, f"pool-{number}"
        body["spec"]["accountRef"] = {"name": f"account-{number}"}
        cache.observe_node_pool(body)
        node_pool = cache.node_pools[uid]
        identity = an_account().seen_by(node_pool).identity
        in_flight.record(node_pool, identity, DeletionRecord(sent_time=NOON))
        in_flight.forget(uid)
        cache.drop_node_pool(uid)
    sizes = sizes_in(cache=cache, in_flight=in_flight)
    assert sizes.pop(REMEMBERED) <= GONE_REMEMBERED
    assert {path: size for path, size in sizes.items() if size} == {}


def test_what_does_not_have_our_schema_is_forgotten_when_it_goes() -> None:
    cache = Cache(HandClock())
    for number in range(FEW):
        metadata = {"name": "broken", "uid": f"uid-{number}", "resourceVersion": "1"}
        metadata |= {"creationTimestamp": "2026-01-02T12:00:00Z"} if number % 2 else {}
        cache.upsert_account({"metadata": metadata, "spec": {}})
        cache.drop_account("broken", metadata["uid"])
        deleted = {**metadata, "namespace": "ml", "uid": f"np-{number}", "deletionTimestamp": "2026-01-02T12:00:00Z"}
        cache.observe_node_pool({"metadata": deleted, "spec": {}})
        cache.drop_node_pool(deleted["uid"])
    sizes = sizes_in(cache=cache)
    del sizes[REMEMBERED]
    assert {path: size for path, size in sizes.items() if size} == {}


class Refusing(UnaskedCloud):
    """Does not know any key."""

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        raise CredentialsRejected("no such key", status=401)


@pytest.mark.parametrize("cloud", [Cloud(), Refusing()], ids=["accepted", "rejected"])
async def test_of_thousands_of_rotated_keys_those_of_the_last_day_are_remembered(cloud: UnaskedCloud) -> None:
    clock = HandClock()
    breakers, limiters = KeyBreakers(clock), RateLimiters(clock, rate=1, burst=1)
    account = an_account().build()

    async def none() -> None:
        return None

    for number in range(MANY):
        clock.advance(timedelta(hours=1))
        key = AccessKey(f"AK{number}", "secret")
        limiters.of(key)
        session = Session(key, cloud, account, "rotate it", none)
        try:
            await breakers.call(session, lambda client: client.list_node_pools("pool-a"))
        except CredentialsRejected:
            assert isinstance(cloud, Refusing)
    sizes = sizes_in(breakers=breakers, limiters=limiters)
    assert sizes["breakers._states._entries"] == 25
    assert {path: size for path, size in sizes.items() if size > 25} == {}


async def test_connections_and_circuits_of_accounts_that_are_gone_are_closed_and_forgotten() -> None:
    clock, opened, closed = HandClock(), [], []

    class Counted(Connected):
        @override
        async def aclose(self) -> None:
            closed.append(self)

    def connect(_: Account) -> Connections:
        opened.append(Counted(Cloud()))
        return opened[-1]

    clouds = Gateway(SecretKeeper(), clock, "operator", connect, Providers(clock))
    for number in range(FEW * 10):
        account = an_account(f"account-{number}").build()
        await clouds.call(account, lambda client: client.list_node_pools("pool-a"))
        await clouds.keep_only({account.metadata.name})
    assert len(opened) == FEW * 10
    assert closed == opened[:-1]
    await clouds.aclose()
    assert closed == opened
    assert sizes_in(clouds=clouds).keys() >= {"clouds._sessions._entries", "clouds._circuit_breakers._by_account"}
    assert max(sizes_in(clouds=clouds).values()) < FEW
