"""Three signatures of the same request are one: the official SDK's, ours, and the simulator's."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lab.simulator.server import Simulator
from lab.simulator.signatures import SignedRequest, expected_signature, parse_authorization
from modelarts_nodepool.modelarts.transport import sign
from modelarts_nodepool.ports import AccessKey
from tests.contract.sdk.official import OfficialSdk

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHARED = {"Host": "h", "Content-Type": "application/json", "X-Project-Id": "P", "X-Sdk-Date": "20260102T030405Z"}
# As names and tokens might be: any letters, no surrogates, and what needs encoding in a URL.
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("/+=&%~ *'()")
TEXTS = st.text(LETTERS, max_size=8)
REQUESTS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "DELETE"]),
        "names": st.tuples(TEXTS, TEXTS),
        "query": st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3),
        "secretKey": st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    }
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=REQUESTS)
@example(asked={"method": "GET", "names": ("a", "b"), "query": {"0": "", "{": ""}, "secretKey": "SK"})
def test_case_05_three_signers_agree_on_any_request(sdk: OfficialSdk, asked: dict[str, Any]) -> None:
    path = "/v2/P/pools/{}/nodepools/{}".format(*(quote(name, safe="") for name in asked["names"]))
    query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in asked["query"].items())
    key = AccessKey("AK", asked["secretKey"])
    headers = {name: value for name, value in SHARED.items() if name != "X-Sdk-Date"}

    ours = sign(asked["method"], path, query, headers, b"", key, MOMENT)["Authorization"]
    theirs = sdk.ask_now(
        {"path": path, "headers": SHARED, "accessKey": "AK", "query": list(asked["query"].items())}
        | {key: asked[key] for key in ("method", "secretKey")}
    )["authorization"]
    read = parse_authorization(ours)
    assert read is not None
    lowered = {name.lower(): value for name, value in SHARED.items()}
    request = SignedRequest(asked["method"], path, query, lowered)

    assert ours == theirs
    assert expected_signature(request, read.signed_headers, asked["secretKey"]) == read.signature


@pytest.mark.parametrize("name", ["a b", "a+b", "a/b", "a~b", "节点池", "é", "a%2Fb", "a&b=c", "(a)*'"])
async def test_case_05_signature_over_any_name_is_accepted(sdk: OfficialSdk, name: str) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(simulator.endpoint, "show_node_pool", pool_name="pool-a", nodepool_name=name)
        assert simulator.requests()[0].signature == "valid"
    assert outcome.error == ("ClientRequestException", 404, "ModelArts.50015001")


@pytest.mark.parametrize("name", ["nodePool-1", "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default", "a..b", "A_b.c-1"])
async def test_case_43_name_with_dots_and_capitals_arrives_as_it_was_signed(sdk: OfficialSdk, name: str) -> None:
    scenario = {"resourcePools": [{"name": "Pool_a.1", "nodePools": [{"name": name}]}]}
    async with Simulator.serving(scenario) as simulator:
        outcome = await sdk.call(simulator.endpoint, "show_node_pool", pool_name="Pool_a.1", nodepool_name=name)
        (entry,) = simulator.requests()
    assert outcome.answer["metadata"]["name"] == name
    assert (entry.resource_pool, entry.node_pool, entry.signature) == ("Pool_a.1", name, "valid")


async def test_case_06_slash_at_the_end_is_signed_and_not_sent(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        await sdk.call(simulator.endpoint, "list_node_pools", pool_name="pool-a")
        (entry,) = simulator.requests()
    assert entry.path.endswith("/pools/pool-a/nodepools")
    assert entry.signature == "valid"
