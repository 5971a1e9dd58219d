"""What the simulator refuses reaches the official SDK with its code, its words and its request id."""

from typing import Any

import pytest

from lab.simulator.server import Simulator
from tests.contract.sdk.official import OfficialSdk, Outcome

NP = {"pool_name": "pool-a", "nodepool_name": "training-a"}
REFUSED = ("ClientRequestException", 400, "ModelArts.50004000")
REJECTED = ("ClientRequestException", 401, "APIG.0301")


async def test_case_08_clock_that_is_off_by_more_than_fifteen_minutes_is_refused(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        for skew, is_good in ((890, True), (-890, True), (910, False), (-910, False)):
            simulator.change({"timings": {"clockSkewSeconds": skew}})
            outcome = await sdk.call(simulator.endpoint, "show_node_pool", **NP)
            assert ("answer" in outcome.said) == is_good
            assert is_good or outcome.error == REJECTED


async def test_case_09_key_is_locked_after_more_than_five_bad_signatures_in_a_row(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:

        async def after(bad: int) -> Outcome:
            for _ in range(bad):
                wrong = await sdk.call(simulator.endpoint, "list_node_pools", pool_name="pool-a", secretKey="WRONG")
                assert wrong.error == REJECTED
                assert wrong.said["message"].endswith("verify aksk signature fail")
            return await sdk.call(simulator.endpoint, "list_node_pools", pool_name="pool-a")

        assert (await after(5)).answer["kind"] == "NodePoolList"
        locked = await after(6)
        assert locked.error == REJECTED
        assert "reach the limit" in locked.said["message"]
        assert locked.said["requestId"] == simulator.requests()[-1].request_id


async def test_case_10_security_token_is_signed_and_looked_at(sdk: OfficialSdk) -> None:
    key = {"accessKey": "AKT", "secretKey": "SKT"}
    async with Simulator.serving({"credentials": [key | {"securityToken": "TOKEN"}]}) as simulator:
        good = await sdk.call(simulator.endpoint, "list_pools", **key, securityToken="TOKEN")
        wrong = await sdk.call(simulator.endpoint, "list_pools", **key, securityToken="ANOTHER")
        missing = await sdk.call(simulator.endpoint, "list_pools", **key)
        assert good.answer["items"] == []
        assert wrong.error == missing.error == REJECTED
        assert [entry.signature for entry in simulator.requests()] == ["valid", "badToken", "badToken"]


async def test_case_12_project_of_somebody_else_is_forbidden(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(simulator.endpoint, "list_pools", projectId="f" * 32)
    assert outcome.error == ("ClientRequestException", 403, "ModelArts.0210")


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ({"notFound": "404"}, ("ClientRequestException", 404, "ModelArts.50015001")),
        (
            {"notFound": "404", "notFoundCode": "ModelArts.50015404"},
            ("ClientRequestException", 404, "ModelArts.50015404"),
        ),
        ({"notFound": "400"}, REFUSED),
        ({"notFound": "400-invalid-name"}, REFUSED),
    ],
    ids=str,
)
async def test_case_16_unknown_node_pool_is_not_found_as_the_scenario_says(
    sdk: OfficialSdk, shape: dict[str, str], error: tuple[str, int, str]
) -> None:
    async with Simulator.serving({"shape": shape, "resourcePools": [{"name": "pool-a"}]}) as simulator:
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
    assert outcome.error == error
    assert ("invalid nodepool name" if "invalid" in shape["notFound"] else "not found") in outcome.said["message"]


async def test_case_17_unknown_resource_pool_has_its_own_code(sdk: OfficialSdk) -> None:
    async with Simulator.serving({}) as simulator:
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
    assert outcome.error == ("ClientRequestException", 404, "ModelArts.50015001")
    assert outcome.said["message"] == "Pool pool-a not found."


async def test_case_18_route_that_is_not_published_is_the_gateways_404(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(simulator.endpoint, "show_pool_statistics")
    assert outcome.error == ("ClientRequestException", 404, "APIG.0101")


@pytest.mark.parametrize(
    ("resource_pool", "node_pool", "words"),
    [
        ({"billingMode": "1"}, {}, "yearly/monthly"),
        ({}, {"prepaidNodes": 1}, "yearly/monthly"),
        ({}, {"inUse": True}, "in use"),
    ],
    ids=["resource pool", "node", "in use"],
)
async def test_case_19_20_cloud_refuses_what_is_prepaid_or_in_use(
    sdk: OfficialSdk, resource_pool: dict[str, Any], node_pool: dict[str, Any], words: str
) -> None:
    node_pools = [{"name": "training-a", "count": 3} | node_pool]
    world = {"resourcePools": [{"name": "pool-a", "billingMode": "0", "nodePools": node_pools} | resource_pool]}
    async with Simulator.serving(world) as simulator:
        outcome = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        assert [entry.effect for entry in simulator.requests()] == ["none"]
    assert outcome.error == REFUSED
    assert words in outcome.said["message"]


async def test_case_27_conflict_is_over_the_next_time(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"status": 409, "times": 1})
        first = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        second = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
    assert first.error == ("ClientRequestException", 409, "ModelArts.5044")
    assert second.answer["kind"] == "NodePool"


async def test_case_42_default_node_pool_is_refused(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        outcome = await sdk.call(
            simulator.endpoint,
            "delete_node_pool",
            pool_name="pool-a",
            nodepool_name="modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default",
        )
    assert outcome.error == REFUSED
    assert "default node pool" in outcome.said["message"]


async def test_denied_operation_can_carry_its_encoded_message(sdk: OfficialSdk) -> None:
    key = {"accessKey": "AKSIMULATOR", "secretKey": "SKSIMULATOR", "allow": ["list_pools"]}
    async with Simulator.serving({"credentials": [key]}) as simulator:
        plain = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        simulator.change({"shape": {"encodedAuthorizationMessage": True}})
        encoded = await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
    assert plain.error == encoded.error == ("ClientRequestException", 403, "ModelArts.0112")
    assert plain.said["encoded"] is None
    assert encoded.said["encoded"]


# The forms of section 8 of the API notes: what the SDK makes of each. Our own reading of the same bodies is in
# tests/unit/modelarts/test_faults.py.
FORMS = [
    ('{"error_code": "C.1", "error_msg": "words"}', "C.1", "words"),
    ('{"errorCode": "C.1", "errorMsg": "words"}', "C.1", "words"),
    ('{"code": "C.1", "message": "words"}', "C.1", "words"),
    ('{"error": {"error_code": "C.1", "error_msg": "words"}}', "C.1", "words"),
    ('{"error": {"code": 401, "message": "words", "title": "Unauthorized"}}', 401, "words"),
    ('{"error_code": "C.1"}', "400", '{"error_code": "C.1"}'),
    ("<html>Back soon</html>", "400", "<html>Back soon</html>"),
    ("", "400", ""),
]


@pytest.mark.parametrize(("body", "code", "words"), FORMS, ids=[body for body, _, _ in FORMS])
async def test_case_37_error_body_is_read_in_all_its_forms(
    sdk: OfficialSdk, body: str, code: str | int, words: str
) -> None:
    async with Simulator.serving() as simulator:
        simulator.add_fault({"status": 400, "bodyText": body})
        outcome = await sdk.call(simulator.endpoint, "show_node_pool", **NP)
        assert outcome.said["requestId"] == simulator.requests()[-1].request_id
    assert outcome.error == ("ClientRequestException", 400, code)
    assert outcome.said["message"] == words
