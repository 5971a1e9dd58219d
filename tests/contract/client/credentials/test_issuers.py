"""Each provider against the simulator's issuer: the API accepts its key, and the key is replaced in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.simulator.server import Simulator
from modelarts_nodepool.credentials.refresher import Refresher
from modelarts_nodepool.errors import CredentialsRejected, CredentialsUnavailable
from tests.contract.client.clients import PROJECT, a_client
from tests.contract.client.credentials.issuers import (
    ID_TOKEN,
    KEY_OPERATIONS,
    SOURCES,
    SimulatorClock,
    a_provider,
    environment,
)
from tests.support.clocks import HandClock

WORLD: dict[str, Any] = {
    "issuers": {"validSeconds": 3600, "idToken": ID_TOKEN},
    "resourcePools": [{"name": "pool-a", "billingMode": "0", "nodePools": [{"name": "training-a", "count": 1}]}],
}


@asynccontextmanager
async def serving(clock: HandClock, **issuers: Any) -> AsyncIterator[Simulator]:  # noqa: ANN401 - JSON
    scenario = WORLD | {"issuers": WORLD["issuers"] | issuers}
    async with Simulator.serving(scenario, clock=SimulatorClock(clock)) as simulator:
        yield simulator


@pytest.mark.parametrize("fraction", [True, False], ids=["with a fraction", "without"])
@pytest.mark.parametrize("name", SOURCES)
async def test_case_14_the_key_signs_calls_until_it_ends(name: str, token_file: Path, *, fraction: bool) -> None:
    clock = HandClock()
    async with serving(clock, fraction=fraction) as simulator:
        key = await a_provider(name, simulator.endpoint, token_file, clock).fetch()
        assert key.expires == clock.now() + timedelta(hours=1)
        async with a_client(simulator.endpoint, key=key, clock=clock) as client:
            assert "training-a" in (await client.list_node_pools("pool-a")).node_pools
            clock.advance(timedelta(hours=1))
            with pytest.raises(CredentialsRejected):
                await client.list_node_pools("pool-a")


@pytest.mark.parametrize("name", SOURCES)
async def test_a_deletion_that_waits_for_two_hours_never_runs_out_of_keys(name: str, token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock, validSeconds=1800) as simulator:
        refresher = Refresher(a_provider(name, simulator.endpoint, token_file, clock), clock, "the issuer", "mend it")
        for _ in range(120):
            key = await refresher.current()
            async with a_client(simulator.endpoint, key=key, project_id=PROJECT, clock=clock) as client:
                await client.list_node_pools("pool-a")
            clock.advance(timedelta(minutes=1))
        await refresher.aclose()
        # By half their life: every fifteen minutes.
        assert len(simulator.requests(KEY_OPERATIONS[name])) in {8, 9}
        assert {entry.signature for entry in simulator.requests("list_node_pools")} == {"valid"}


async def test_two_keys_sign_each_their_own_calls_over_the_same_connections(token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock) as simulator:
        provider = a_provider("OIDC", simulator.endpoint, token_file, clock)
        keys = [await provider.fetch() for _ in range(2)]
        async with a_client(simulator.endpoint, clock=clock) as client:
            seen = [client.with_key(key) for key in keys]
            for _ in range(3):
                for view in seen:
                    await view.list_node_pools("pool-a")
        signed = [entry.access_key for entry in simulator.requests("list_node_pools")]
        assert signed == [key.access for key in keys] * 3


async def test_case_14_the_session_token_is_asked_for_once_and_anew_when_it_is_refused(token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock) as simulator:
        provider = a_provider("Metadata", simulator.endpoint, token_file, clock)
        await provider.fetch()
        await provider.fetch()
        assert [entry.operation for entry in simulator.requests()] == [
            "issue_metadata_token",
            "issue_metadata_key",
            "issue_metadata_key",
        ]
        clock.advance(timedelta(hours=6))
        await provider.fetch()
        found = [(entry.operation, entry.status) for entry in simulator.requests(since=3)]
        assert found == [("issue_metadata_key", 401), ("issue_metadata_token", 200), ("issue_metadata_key", 200)]


async def test_case_14_a_service_without_tokens_is_asked_for_one_once_a_day(token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock, metadata="tokenless") as simulator:
        provider = a_provider("Metadata", simulator.endpoint, token_file, clock)
        for _ in range(48):
            await provider.fetch()
            clock.advance(timedelta(minutes=29))
        assert len(simulator.requests("issue_metadata_token")) == 1
        clock.advance(timedelta(hours=1))
        await provider.fetch()
        assert len(simulator.requests("issue_metadata_token")) == 2


async def test_case_14_tokens_that_become_required_are_asked_for_before_the_day_is_over(token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock, metadata="tokenless") as simulator:
        provider = a_provider("Metadata", simulator.endpoint, token_file, clock)
        await provider.fetch()
        simulator.change({"issuers": {"metadata": "tokens"}})
        await provider.fetch()
        assert len(simulator.requests("issue_metadata_token")) == 2


async def test_a_node_without_an_agency_is_told_so_by_one_request(token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock, metadata="noAgency") as simulator:
        with pytest.raises(CredentialsUnavailable, match="has no agency: set one"):
            await a_provider("Metadata", simulator.endpoint, token_file, clock).fetch()
        assert len(simulator.requests("issue_metadata_token")) == 1
        assert len(simulator.requests("issue_metadata_key")) == 1


@pytest.mark.parametrize("name", ["PodIdentity", "OIDC"])
async def test_a_token_that_the_kubelet_rotates_is_read_at_every_refresh(name: str, token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock) as simulator:
        provider = a_provider(name, simulator.endpoint, token_file, clock)
        await provider.fetch()
        simulator.change({"issuers": {"idToken": "the-next-one"}})
        with pytest.raises(CredentialsUnavailable, match="gave no credentials: 40"):
            await provider.fetch()
        await asyncio.to_thread(token_file.write_text, "the-next-one")
        await provider.fetch()


async def test_a_policy_and_a_duration_are_passed_on(token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock, validSeconds=40_000) as simulator:
        provider = a_provider(
            "OIDC",
            simulator.endpoint,
            token_file,
            clock,
            more={
                "HUAWEICLOUD_OIDC_DURATION_SECONDS": "7200",
                "HUAWEICLOUD_OIDC_POLICY": '{"Version": "5.0"}',
                "HUAWEICLOUD_OIDC_POLICY_IDS": "one, two",
            },
        )
        assert (await provider.fetch()).expires == clock.now() + timedelta(hours=2)


async def test_a_token_in_a_variable_is_used_where_no_file_is_named(token_file: Path) -> None:
    clock = HandClock()
    async with serving(clock) as simulator:
        more = {"HUAWEICLOUD_OIDC_TOKEN_FILE": "", "HUAWEICLOUD_OIDC_ID_TOKEN": ID_TOKEN}
        await a_provider("OIDC", simulator.endpoint, token_file, clock, more=more).fetch()


@pytest.mark.parametrize("name", ["PodIdentity", "OIDC"])
@pytest.mark.parametrize("variable", sorted(environment("", Path())))
async def test_a_variable_that_is_missing_is_named_and_nothing_is_sent(
    name: str, variable: str, token_file: Path
) -> None:
    if variable.startswith("HC_") != (name == "PodIdentity"):
        name = {"PodIdentity": "OIDC", "OIDC": "PodIdentity"}[name]
    clock = HandClock()
    async with serving(clock) as simulator:
        with pytest.raises(CredentialsUnavailable, match=variable):
            await a_provider(name, simulator.endpoint, token_file, clock, more={variable: ""}).fetch()
        assert simulator.requests() == []


@pytest.mark.parametrize("text", ["soon", "-1", "1e3", "³", "9" * 40])
async def test_a_duration_that_is_no_number_is_told_by_its_variable(text: str, token_file: Path) -> None:
    variable = "HUAWEICLOUD_OIDC_DURATION_SECONDS"
    with pytest.raises(CredentialsUnavailable, match=variable):
        await a_provider("OIDC", "http://127.0.0.1:9", token_file, more={variable: text}).fetch()
