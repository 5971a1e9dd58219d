"""What goes wrong, against the simulator."""

from datetime import timedelta
from typing import Any

import pytest

from modelarts_nodepool import errors
from modelarts_nodepool.ports import AccessKey
from tests.contract.client.clients import SHORT, SMALL, Reports, ShiftedClock, a_client, a_cloud

NP = ("pool-a", "training-a")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 400}, errors.RefusedByModelArts),
        ({"status": 403}, errors.PermissionDenied),
        ({"status": 404, "errorCode": "APIG.0101"}, errors.WrongEndpoint),
        ({"status": 404, "body": "html"}, errors.WrongEndpoint),
        ({"status": 404, "body": "empty"}, errors.WrongEndpoint),
        ({"status": 404, "body": "truncated"}, errors.WrongEndpoint),
        ({"status": 409}, errors.Conflict),
        ({"status": 429, "retryAfter": 7}, errors.Throttled),
        ({"status": 500}, errors.ServerFailure),
        ({"status": 502, "body": "html"}, errors.ServerFailure),
        ({"status": 503, "body": "empty"}, errors.ServerFailure),
        ({"status": 504, "errorCode": "APIG.0203"}, errors.ServerFailure),
        ({"drop": "before"}, errors.NoAnswer),
        ({"drop": "after"}, errors.NoAnswer),
        ({"delaySeconds": 5}, errors.NoAnswer),
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", ["delete_node_pool", "show_node_pool"])
async def test_case_18_27_28_29_30_each_failure_is_its_error_after_one_request(
    operation: str, fault: dict[str, Any], kind: type[errors.CloudError]
) -> None:
    reports = Reports()
    bounds = SHORT if "delaySeconds" in fault else None
    async with a_cloud() as (simulator, _), a_client(simulator.endpoint, bounds=bounds, reports=reports) as client:
        simulator.add_fault(fault)
        with pytest.raises(kind) as caught:
            await getattr(client, operation)(*NP)
        assert type(caught.value) is kind
        assert caught.value.__context__ is None
        assert len(simulator.requests()) == 1
        expected = str(caught.value.status) if caught.value.status else kind.__name__
        assert reports.outcomes == [expected]
        if caught.value.status and "body" not in fault:
            assert caught.value.request_id == simulator.requests()[0].request_id


async def test_case_28_throttling_keeps_what_the_server_asked_for() -> None:
    async with a_cloud() as (simulator, client):
        simulator.add_fault({"status": 429, "retryAfter": 7})
        with pytest.raises(errors.Throttled) as caught:
            await client.show_node_pool(*NP)
        assert caught.value.retry_after == timedelta(seconds=7)
        assert caught.value.code


@pytest.mark.parametrize("body", ["html", "truncated", "empty", "null", "itemsMissing"])
async def test_case_26_200_with_a_doubtful_body_is_never_gone_and_never_healthy(body: str) -> None:
    reports = Reports()
    async with a_cloud(reports=reports) as (simulator, client):
        simulator.add_fault({"body": body})
        with pytest.raises(errors.MalformedAnswer) as caught:
            await client.list_node_pools("pool-a")
        assert caught.value.request_id == simulator.requests()[0].request_id
        assert reports.outcomes == ["MalformedAnswer"]


async def test_case_23_negative_counts_are_a_problem_of_their_node_pools() -> None:
    async with a_cloud() as (simulator, client):
        simulator.add_fault({"body": "negativeCounts", "times": 1})
        spoiled = (await client.list_node_pools("pool-a")).node_pools["training-a"]
        assert spoiled.counts is None
        assert "available.count is -3" in str(spoiled.problem)
        assert (await client.list_node_pools("pool-a")).node_pools["training-a"].counts is not None


async def test_huge_body_is_not_read_to_its_end() -> None:
    async with a_cloud() as (simulator, _), a_client(simulator.endpoint, bounds=SMALL) as client:
        simulator.add_fault({"body": "huge", "hugeBytes": 1_000_000, "times": 1})
        with pytest.raises(errors.MalformedAnswer, match="more than 262144 bytes"):
            await client.list_node_pools("pool-a")
        assert len((await client.list_node_pools("pool-a")).node_pools) == 3


@pytest.mark.parametrize(
    "fault", [{"status": 202}, {"status": 204}, {"body": "html"}, {"body": "truncated"}, {"body": "empty"}], ids=str
)
async def test_case_25_accepted_deletion_is_accepted_whatever_its_body(fault: dict[str, Any]) -> None:
    async with a_cloud() as (simulator, client):
        simulator.add_fault(fault)
        accepted = await client.delete_node_pool(*NP)
        assert accepted.request_id == simulator.requests()[0].request_id
        assert len(simulator.requests()) == 1


async def test_case_08_clock_that_is_off_is_named_with_both_times() -> None:
    async with (
        a_cloud() as (simulator, _),
        a_client(simulator.endpoint, clock=ShiftedClock(timedelta(minutes=-20))) as client,
    ):
        with pytest.raises(errors.ClockSkew, match="ours says"):
            await client.show_node_pool(*NP)


async def test_case_08_clock_within_fifteen_minutes_is_accepted() -> None:
    async with (
        a_cloud() as (simulator, _),
        a_client(simulator.endpoint, clock=ShiftedClock(timedelta(minutes=14))) as client,
    ):
        assert (await client.show_node_pool(*NP)).counts is not None


async def test_case_09_wrong_secret_is_rejected_and_the_lock_after_six_is_too() -> None:
    async with a_cloud() as (simulator, good):
        async with a_client(simulator.endpoint, key=AccessKey("AKSIMULATOR", "WRONG-SECRET")) as client:
            for _ in range(6):
                with pytest.raises(errors.CredentialsRejected) as caught:
                    await client.list_node_pools("pool-a")
                assert caught.value.code == "APIG.0301"
        with pytest.raises(errors.CredentialsRejected, match="reach the limit"):
            await good.list_node_pools("pool-a")


async def test_case_12_project_of_somebody_else_is_no_permission() -> None:
    async with a_cloud() as (simulator, _), a_client(simulator.endpoint, project_id="f" * 32) as client:
        with pytest.raises(errors.PermissionDenied) as caught:
            await client.list_node_pools("pool-a")
        assert caught.value.code == "ModelArts.0210"


async def test_refusals_keep_the_words_of_the_cloud() -> None:
    async with a_cloud() as (simulator, client):
        simulator.change({"resourcePools": {"pool-a": {"nodePools": {"training-a": {"inUse": True}}}}})
        with pytest.raises(errors.RefusedByModelArts, match="Node pool training-a is in use") as caught:
            await client.delete_node_pool(*NP)
        assert (caught.value.status, caught.value.code) == (400, "ModelArts.50004000")
        assert caught.value.had_no_effect


@pytest.mark.parametrize("name", ["modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default"])
async def test_case_42_default_node_pool_is_refused_by_the_cloud(name: str) -> None:
    async with a_cloud() as (_, client):
        with pytest.raises(errors.RefusedByModelArts, match="default node pool"):
            await client.delete_node_pool("pool-a", name)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"error_code": "C.1", "error_msg": "words"}', "C.1"),
        ('{"errorCode": "C.1", "errorMsg": "words"}', "C.1"),
        ('{"code": "C.1", "message": "words"}', "C.1"),
        ('{"error": {"error_code": "C.1", "error_msg": "words"}}', "C.1"),
        ('{"error": {"code": 401, "message": "words", "title": "Unauthorized"}}', "401"),
        ('{"error_msg": "words", "error_code": null}', None),
        ("<html>words</html>", None),
        ("words", None),
    ],
    ids=str,
)
async def test_case_37_error_body_is_read_in_all_its_forms(body: str, code: str | None) -> None:
    async with a_cloud() as (simulator, client):
        simulator.add_fault({"status": 500, "bodyText": body})
        with pytest.raises(errors.ServerFailure, match="words") as caught:
            await client.show_node_pool(*NP)
        assert caught.value.code == code
        assert caught.value.request_id == simulator.requests()[0].request_id


async def test_case_37_request_id_of_the_body_stands_in_for_a_missing_header() -> None:
    body = '{"error_code": "APIG.0202", "error_msg": "words", "request_id": "from-the-body"}'
    async with a_cloud() as (simulator, client):
        simulator.add_fault({"status": 502, "bodyText": body, "headers": {"X-Request-Id": ""}})
        with pytest.raises(errors.ServerFailure) as caught:
            await client.show_node_pool(*NP)
    assert caught.value.request_id == "from-the-body"
