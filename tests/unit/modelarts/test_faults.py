import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool import errors
from modelarts_nodepool.modelarts.faults import parse_retry_after, to_error
from modelarts_nodepool.modelarts.transport import Call, Operation, Response

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
DELETE = Call(Operation.DELETE_NODE_POOL, "P", "pool-a", "training-a")
NODES = Call(Operation.LIST_NODE_POOL_NODES, "P", "pool-a", "training-a")
SHOW = Call(Operation.SHOW_NODE_POOL, "P", "pool-a", "training-a")
LIST = Call(Operation.LIST_NODE_POOLS, "P", "pool-a")
SHOW_POOL = Call(Operation.SHOW_POOL, "P", "pool-a")


def an_answer(status: int, code: str | None = None, words: str = "", **headers: str) -> Response:
    body = json.dumps({"error_code": code, "error_msg": words}).encode() if code else words.encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def fault(call: Call, status: int, code: str | None = None, words: str = "", **headers: str) -> errors.CloudError:
    return to_error(call, an_answer(status, code, words, **headers), NOW)


@pytest.mark.parametrize(
    ("status", "code", "words", "kind"),
    [
        (301, None, "", errors.WrongEndpoint),
        (304, None, "", errors.WrongEndpoint),
        (307, "ModelArts.50015001", "Pool pool-a not found.", errors.WrongEndpoint),
        (400, "ModelArts.50004000", "Bad request.", errors.RefusedByModelArts),
        (400, "APIG.0201", "Bad request", errors.RefusedByModelArts),
        (400, None, "<html>Bad Request</html>", errors.WrongEndpoint),
        (401, None, "", errors.CredentialsRejected),
        (401, "APIG.0301", "verify aksk signature fail", errors.CredentialsRejected),
        (401, "ModelArts.50001000", "token is invalid", errors.CredentialsRejected),
        (403, "APIGW.0301", "AK access failed to reach the limit", errors.CredentialsRejected),
        (403, "ModelArts.0206", "invalid AK/SK", errors.CredentialsRejected),
        (403, "ModelArts.0210", "wrong project", errors.PermissionDenied),
        (403, None, "<html>Forbidden</html>", errors.PermissionDenied),
        (404, "ModelArts.50015001", "Node pool training-a not found.", errors.NotFound),
        (404, "ModelArts.4204", "The API does not exist", errors.WrongEndpoint),
        (404, "APIG.0101", "The API does not exist", errors.WrongEndpoint),
        (404, "APIGW.0101", "The API does not exist", errors.WrongEndpoint),
        (404, "APIG.0201", "Bad request", errors.WrongEndpoint),
        (404, None, "<html>Not Found</html>", errors.WrongEndpoint),
        (404, None, "", errors.WrongEndpoint),
        (404, "ModelArts.50025001", "Network not found", errors.RefusedByModelArts),
        (405, None, "", errors.WrongEndpoint),
        (408, None, "", errors.ServerFailure),
        (409, "ModelArts.50015000", "being deleted", errors.Conflict),
        (400, "ModelArts.5044", "Operations conflict", errors.Conflict),
        (413, "APIG.0201", "too large", errors.RefusedByModelArts),
        (418, None, "", errors.WrongEndpoint),
        (429, None, "", errors.Throttled),
        (400, "APIG.0308", "throttling threshold", errors.Throttled),
        (503, "ModelArts.6101", "busy", errors.Throttled),
        (500, "ModelArts.50005000", "internal", errors.ServerFailure),
        (502, "APIG.0202", "backend", errors.ServerFailure),
        (504, "APIG.0203", "backend timeout", errors.ServerFailure),
        (201, None, "", errors.WrongEndpoint),
        (599, None, "", errors.ServerFailure),
    ],
)
def test_every_answer_has_one_meaning(status: int, code: str | None, words: str, kind: type[errors.CloudError]) -> None:
    found = fault(DELETE, status, code, words)
    if kind is errors.NotFound:
        assert isinstance(found, errors.NotFound)
    else:
        assert type(found) is kind
    assert found.status == status
    assert found.code == code


@pytest.mark.parametrize(
    "words",
    [
        "Record not found",
        "Bad request. Record not found: node pool training-a.",
        "Node pool training-a not found.",
        "Bad request. The nodepool 'training-a' does not exist.",
        "node pool [training-a] doesn't exist in resource pool pool-a",
        "Node pool training-a in pool pool-a is not found",
        "Pool pool-a not found.",
        "pool not found",
        "Resource pool pool-a no longer exists!",
        "Node-pool “training-a” cannot be found.",
    ],
)
def test_400_whose_words_mean_not_found_is_a_witness(words: str) -> None:
    assert isinstance(fault(SHOW, 400, "ModelArts.50004000", words), errors.NotFound)
    assert not isinstance(fault(SHOW, 400, "APIG.0201", words), errors.NotFound)
    assert not isinstance(fault(SHOW, 400, None, words), errors.NotFound)


LIVE = "Bad request. invalid nodepool name"


@pytest.mark.parametrize(
    "words",
    [
        LIVE,
        "invalid nodepool name",
        "Invalid nodePool name.",
        "Bad request. Invalid node pool name: training-a",
        "invalid nodepool name 'training-a'",
        "nodepool name training-a is invalid",
    ],
)
def test_400_about_the_name_of_a_well_formed_node_pool_is_a_witness_of_show_node_pool_alone(words: str) -> None:
    assert type(fault(SHOW, 400, "ModelArts.50004000", words)) is errors.NotFound
    for call in (DELETE, NODES, LIST, SHOW_POOL):
        assert type(fault(call, 400, "ModelArts.50004000", words)) is errors.RefusedByModelArts
    assert type(fault(SHOW, 400, "APIG.0201", words)) is errors.RefusedByModelArts
    assert type(fault(SHOW, 400, None, words)) is errors.WrongEndpoint
    assert type(fault(SHOW, 403, "ModelArts.50004000", words)) is errors.PermissionDenied
    assert type(fault(SHOW, 500, "ModelArts.50004000", words)) is errors.ServerFailure


@pytest.mark.parametrize("name", ["nodePool-1", "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default", "Train_A"])
@pytest.mark.parametrize(
    "words", ["Node pool {} not found.", "Bad request. Record not found: node pool {}.", '"{}" not found', LIVE]
)
def test_not_found_is_understood_of_names_with_capitals_and_dots(name: str, words: str) -> None:
    call = Call(Operation.SHOW_NODE_POOL, "P", "pool-a", name)
    answer = an_answer(400, "ModelArts.50004000", words.format(name))
    assert type(to_error(call, answer, NOW)) is errors.NotFound


def test_a_quoted_resource_pool_that_is_not_found_is_told_apart_by_the_call() -> None:
    words = '"pool-a" not found'
    assert type(fault(LIST, 400, "ModelArts.50004000", words)) is errors.ResourcePoolNotFound
    assert type(fault(LIST, 400, "ModelArts.50004000", '"pool-b" not found')) is errors.RefusedByModelArts


@pytest.mark.parametrize("name", ["a", "pool", "record", "node-pool", "in", "not"])
def test_node_pool_named_like_a_word_of_the_sentence_is_understood(name: str) -> None:
    call = Call(Operation.SHOW_NODE_POOL, "P", "pool-a", name)
    answer = an_answer(400, "ModelArts.50004000", f"Node pool {name} in pool pool-a cannot be found.")
    assert isinstance(to_error(call, answer, NOW), errors.NotFound)


@pytest.mark.parametrize(
    "words",
    [
        "Bad request.",
        "The network of node pool training-a was not found",
        "Node pool training-b not found.",
        "Pool pool-a-2 not found.",
        "pool network not found",
        "Node pool training-a cannot be deleted: order not found",
        "The flavor does not exist in pool pool-a",
        "not found",
        "training-a not found",
        "invalid nodepool name training-b",
        "invalid pool name",
        "invalid nodepool name or flavor",
        "invalid name",
        "It is not true that the node pool training-a does not exist",
    ],
)
def test_400_about_anything_else_is_a_refusal(words: str) -> None:
    assert type(fault(SHOW, 400, "ModelArts.50004000", words)) is errors.RefusedByModelArts


def test_not_found_of_a_resource_pool_call_is_about_the_resource_pool() -> None:
    for call in (LIST, SHOW_POOL):
        assert type(fault(call, 404, "ModelArts.50015001", "Pool pool-a not found.")) is errors.ResourcePoolNotFound
    assert type(fault(SHOW, 404, "ModelArts.50015404", "Node pool training-a not found.")) is errors.NotFound


@given(st.integers(300, 599), st.text(max_size=40), st.sampled_from([None, "APIG.0201", "APIGW.9999", "IAM.1", "404"]))
def test_nothing_but_modelarts_itself_says_not_found(status: int, words: str, code: str | None) -> None:
    for text in (words, "Node pool training-a not found.", "<html>404 Not Found</html>"):
        assert not isinstance(fault(SHOW, status, code, text), errors.NotFound)


@given(st.integers(200, 599), st.binary(max_size=80), st.sampled_from([DELETE, SHOW, LIST, SHOW_POOL]))
def test_any_answer_at_all_is_some_error_with_a_short_plain_message(status: int, body: bytes, call: Call) -> None:
    found = to_error(call, Response(status, {}, body), NOW)
    assert len(found.message) <= 1000
    assert found.message.isprintable()
    assert not isinstance(found, errors.NotFound)


@pytest.mark.parametrize("minutes", [-16, 16, 60])
def test_rejection_by_a_server_of_another_time_is_clock_skew(minutes: int) -> None:
    date = format_datetime(NOW + timedelta(minutes=minutes), usegmt=True)
    found = fault(DELETE, 401, "APIG.0301", "verify aksk signature fail", date=date)
    assert type(found) is errors.ClockSkew
    assert "ours says 2026-11-23T12:00:00Z" in found.message
    assert "chronyc tracking" in found.message


def test_stale_date_of_a_cache_is_not_taken_for_clock_skew() -> None:
    date = format_datetime(NOW - timedelta(hours=2), usegmt=True)
    assert type(fault(DELETE, 401, "APIG.0301", "no", date=date, age="7200")) is errors.CredentialsRejected


def test_skewed_clock_is_told_before_a_forbidden_key() -> None:
    date = format_datetime(NOW - timedelta(hours=2), usegmt=True)
    assert type(fault(DELETE, 403, "APIGW.0301", "no", date=date)) is errors.ClockSkew


@pytest.mark.parametrize("date", ["", "yesterday", format_datetime(NOW + timedelta(minutes=14), usegmt=True)])
def test_rejection_within_the_allowed_skew_is_about_the_key(date: str) -> None:
    assert type(fault(DELETE, 401, "APIG.0301", "no", date=date)) is errors.CredentialsRejected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 30 ", 30),
        ("-5", 0),
        ("86400", 300),
        ("9" * 40, 300),
        (format_datetime(NOW + timedelta(seconds=20), usegmt=True), 20),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), 300),
        ("soon", None),
        ("1.5", None),
        ("", None),
        ("-", None),
        ("٣", None),
        (None, None),
    ],
)
def test_retry_after_is_bounded(text: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert parse_retry_after(text, NOW) == expected


def test_throttled_keeps_code_request_id_and_the_time_asked_for() -> None:
    found = fault(SHOW, 429, "APIG.0308", "limit", retry_after="9", x_request_id="req-1")
    assert (found.code, found.request_id, found.retry_after) == ("APIG.0308", "req-1", timedelta(seconds=9))


@pytest.mark.parametrize(
    ("words", "pause"),
    [
        ("The throttling threshold has been reached: policy user over ratelimit,limit:60,time:1 minute", None),
        (
            "The throttling threshold has been reached: policy user over ratelimit,limit:9,time:1 day",
            timedelta(hours=1),
        ),
        ("Daily quota exhausted", timedelta(hours=1)),
        ("limit of 500 requests per day", timedelta(hours=1)),
        ("Try again another day", None),
    ],
)
def test_quota_of_the_day_is_waited_for_longer_than_a_burst(words: str, pause: timedelta | None) -> None:
    assert fault(SHOW, 429, "APIG.0308", words).retry_after == pause
    assert fault(SHOW, 429, "APIG.0308", words, retry_after="5").retry_after == (pause or timedelta(seconds=5))


def test_only_throttling_speaks_of_quotas() -> None:
    assert fault(SHOW, 400, "ModelArts.50004000", "Daily quota exhausted", retry_after="5").retry_after == timedelta(
        seconds=5
    )


def test_message_names_the_object_and_holds_neither_secrets_nor_control_characters() -> None:
    answer = an_answer(400, "ModelArts.50004000", "no \x1b[31m CANARYSECRET \u202e" + "x" * 5000)
    found = to_error(DELETE, answer, NOW, hidden=["CANARYSECRET", "", "AK"])
    assert "node pool training-a in resource pool pool-a" in found.message
    assert "CANARYSECRET" not in found.message
    assert found.message.isprintable()
    assert len(found.message) <= 1000


def test_only_answers_that_prove_it_have_no_effect() -> None:
    harmless = {status for status in range(300, 600) if fault(DELETE, status, "ModelArts.1", "x").had_no_effect}
    assert harmless.isdisjoint({*range(300, 400), 404, 408, 409, *range(500, 600)})
    assert {400, 401, 403, 429} <= harmless
