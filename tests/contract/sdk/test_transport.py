"""Where the official SDK goes astray on the wire: the reason for each of our own fences."""

import json
import ssl
from pathlib import Path

import pytest

from lab.simulator.server import Simulator
from tests.contract.client.raw_server import a_reply, raw_server
from tests.contract.sdk.official import PROJECT, OfficialSdk

NP = {"pool_name": "pool-a", "nodepool_name": "training-a"}


@pytest.mark.parametrize("status", [202, 204])
async def test_case_25_deletion_without_a_node_pool_in_its_answer_is_a_success(sdk: OfficialSdk, status: int) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"status": status, "effect": "after", "times": 1})
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        assert simulator.requests()[0].effect == "accepted"
    assert outcome.is_empty


@pytest.mark.parametrize("body", ["html", "truncated", "empty", "null"])
async def test_case_26_sdk_takes_any_200_for_a_success(sdk: OfficialSdk, body: str) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"body": body})
        outcome = await sdk.call(simulator.endpoint, "show_node_pool", **NP)
    assert outcome.is_empty


async def test_case_28_sdk_loses_code_and_request_id_of_a_throttled_call(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"status": 429, "retryAfter": 7})
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        assert len(simulator.requests()) == 1
    assert outcome.error == ("ClientRequestException", 429, "429")
    assert not outcome.said["requestId"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "ModelArts.50005000"), (502, "APIG.0202"), (503, "ModelArts.50005000"), (504, "APIG.0203")],
)
async def test_case_29_failure_of_the_server_is_told_once(sdk: OfficialSdk, status: int, code: str) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"status": status})
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        assert len(simulator.requests()) == 1
    assert outcome.error == ("ServerResponseException", status, code)


async def test_case_30_connection_that_is_dropped_after_the_effect_leaves_the_sdk_in_the_dark(sdk: OfficialSdk) -> None:
    async with Simulator.serving({"timings": {"deleteSeconds": 3600}, "resourcePools": WORLD}) as simulator:
        simulator.add_fault({"drop": "after", "times": 1})
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        shown = (await sdk.call(simulator.endpoint, "show_node_pool", **NP)).answer
        assert len(simulator.requests("delete_node_pool")) == 1
    assert outcome.error == ("ConnectionException", None, None)
    assert shown["status"]["resources"]["deleting"]["count"] == 3


@pytest.mark.parametrize(
    ("name", "path"), [("..", "pools/pool-a/"), (".", "pools/pool-a/nodepools/"), ("", "pools/pool-a/nodepools/")]
)
async def test_case_31_sdk_sends_names_that_mean_something_else_and_only_the_signature_saves_the_pool(
    sdk: OfficialSdk, name: str, path: str
) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", pool_name="pool-a", nodepool_name=name)
        (entry,) = simulator.requests()
        assert entry.path == f"/v2/{PROJECT}/{path}"
        assert entry.effect == "none"
        assert len(simulator.state["resourcePools"]) == 2
    assert outcome.error[0] == "ClientRequestException"


async def test_case_32_sdk_sends_a_placeholder_for_a_project_that_it_does_not_know(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(simulator.endpoint, "list_pools", projectId=None)
        assert simulator.requests()[0].path == "/v2/%7Bproject_id%7D/pools"
    assert outcome.error == ("ClientRequestException", 403, "ModelArts.0210")


async def test_case_33_sdk_drops_the_path_of_an_endpoint(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(f"{simulator.endpoint}/gateway/prefix", "list_node_pools", pool_name="pool-a")
        assert simulator.requests()[0].path == f"/v2/{PROJECT}/pools/pool-a/nodepools"
    assert outcome.answer["kind"] == "NodePoolList"


@pytest.mark.parametrize("status", [302, 304, 307])
async def test_case_34_sdk_takes_a_redirect_for_a_success(sdk: OfficialSdk, status: int) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"status": status, "redirect": f"{simulator.endpoint}/elsewhere"})
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        assert [entry.effect for entry in simulator.requests()] == ["none"]
    assert outcome.is_empty


async def test_case_35_sdk_verifies_until_told_otherwise_and_fails_when_told_both(
    sdk: OfficialSdk, certificate: Path, server_side: ssl.SSLContext
) -> None:
    bundle = str(certificate)
    async with raw_server(a_reply(200, b'{"kind": "NodePoolList"}'), tls=server_side) as server:

        async def call(**settings: object) -> str:
            outcome = await sdk.call(server.endpoint, "list_node_pools", pool_name="pool-a", **settings)
            return str(outcome.said.get("exception", "answered"))

        assert await call() == "SslHandShakeException"
        assert server.heads == []
        assert await call(caBundle=bundle) == "answered"
        assert await call(insecure=True) == "answered"
        assert await call(caBundle=bundle, insecure=True) == "SslHandShakeException"


async def test_case_36_netrc_takes_the_place_of_the_sdks_signature(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    with OfficialSdk.running(tmp_path) as sdk:
        async with Simulator.serving() as simulator:
            outcome = await sdk.call(simulator.endpoint, "list_node_pools", pool_name="pool-a")
            assert simulator.requests()[0].signature == "malformed"
    assert outcome.error == ("ClientRequestException", 401, "APIG.0301")


@pytest.mark.parametrize("body", [["kind"], {"status": {"resources": {"available": ["flavor"]}}}], ids=json.dumps)
async def test_case_40_sdk_sends_a_delete_twice_where_the_answer_surprises_it(sdk: OfficialSdk, body: object) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"bodyText": json.dumps(body), "operation": "delete_node_pool"})
        await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        assert len(simulator.requests("delete_node_pool")) == 2


async def test_case_41_sdk_quotes_an_access_key_that_ends_in_a_line_feed(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(simulator.endpoint, "list_pools", accessKey="AKSIMULATOR\n")
        assert simulator.requests() == []
    assert outcome.error[0] == "InvalidHeader"
    assert "AKSIMULATOR" in outcome.said["message"]


WORLD = [{"name": "pool-a", "billingMode": "0", "nodePools": [{"name": "training-a", "count": 3}, {"name": "b"}]}]
