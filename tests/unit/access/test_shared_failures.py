"""A failure that one call met and others are told of names what they share, never what that one call asked for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from json import dumps

import pytest

from modelarts_nodepool.access.gateway import FAILURES_IN_A_ROW
from modelarts_nodepool.access.rate_limiter import Lane, Priority
from modelarts_nodepool.errors import CircuitOpen, ClockSkew, CloudError, CredentialsRejected, ServerFailure, Throttled
from modelarts_nodepool.modelarts.faults import to_error
from modelarts_nodepool.modelarts.transport import Call, Operation, Response
from tests.unit.access.session_stage import ACCOUNT, Stage

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CALL = Call(Operation.SHOW_NODE_POOL, "P", "pool-b", "somebody-elses")
LATE = format_datetime(NOW + timedelta(hours=2), usegmt=True)


def answered(status: int, code: str, **headers: str) -> CloudError:
    body = dumps({"error_code": code, "error_msg": "in the cloud's words"}).encode()
    return to_error(CALL, Response(status, headers, body), NOW)


async def told(stage: Stage, kind: type[CloudError]) -> str:
    """What a poll of another resource pool is told."""
    with pytest.raises(kind) as caught:
        await stage.clouds.call(ACCOUNT, lambda cloud: cloud.list_node_pools("pool-a"), Priority(Lane.POLL))
    return caught.value.message


@pytest.mark.parametrize(
    ("failure", "times", "kind", "said"),
    [
        (
            answered(401, "APIG.0301"),
            1,
            CredentialsRejected,
            "a call with the access key of ModelArtsAccount default was answered 401 APIG.0301: in the cloud's words",
        ),
        (
            answered(401, "APIG.0301", date=LATE),
            1,
            ClockSkew,
            "a call with the access key of ModelArtsAccount default was answered 401 APIG.0301: in the cloud's words",
        ),
        (
            answered(503, "ModelArts.50005000"),
            FAILURES_IN_A_ROW,
            CircuitOpen,
            "a call of ModelArtsAccount default was answered 503 ModelArts.50005000: in the cloud's words",
        ),
        (
            answered(429, "APIG.0308"),
            1,
            Throttled,
            "a call with this access key was answered 429 APIG.0308: in the cloud's words",
        ),
    ],
    ids=["rejected", "clock", "outage", "throttled"],
)
async def test_a_failure_that_is_shared_names_what_is_common(
    failure: CloudError, times: int, kind: type[CloudError], said: str
) -> None:
    stage = Stage()
    await stage.look()
    assert "resource pool pool-b" in failure.message
    stage.cloud.failure = failure
    for _ in range(times):
        with pytest.raises(type(failure)):
            await stage.look()
    stage.cloud.failure = None
    message = await told(stage, kind)
    assert said in message
    assert "pool-b" not in message
    assert "somebody-elses" not in message
    await stage.clouds.aclose()


@pytest.mark.parametrize("headers", [{}, {"date": LATE}], ids=["rejected", "clock"])
async def test_the_first_answer_about_a_key_has_the_same_words_as_all_that_follow(headers: dict[str, str]) -> None:
    """Else the account's status, which keeps the first words, would name one resource pool of many."""
    stage = Stage()
    await stage.look()
    stage.cloud.failure = answered(401, "APIG.0301", **headers)
    first = await told(stage, CredentialsRejected if not headers else ClockSkew)
    assert await told(stage, CredentialsRejected if not headers else ClockSkew) == first
    assert "pool-b" not in first
    await stage.clouds.aclose()


def test_an_error_without_an_outcome_is_recorded_by_its_message() -> None:
    assert ServerFailure("503 of something").outcome == "failed: 503 of something"
    assert ServerFailure("503 of something", outcome="was lost").outcome == "was lost"
