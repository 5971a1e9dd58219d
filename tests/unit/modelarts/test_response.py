import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.modelarts.transport import Response, parse_http_date, read_error

CODE = "ModelArts.50004000"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"error_code": CODE, "error_msg": "Bad request."}, CODE, "Bad request."),
        ({"errorCode": CODE, "errorMsg": "Bad request."}, CODE, "Bad request."),
        ({"code": CODE, "message": "Bad request."}, CODE, "Bad request."),
        ({"error": {"code": 401, "message": "Wrong token.", "title": "Unauthorized"}}, "401", "Wrong token."),
        ({"outer": {"inner": {"error_code": CODE, "error_msg": "Deep."}}}, CODE, "Deep."),
        ({"error_code": CODE}, CODE, json.dumps({"error_code": CODE})),
        ({"error_msg": "Only words."}, None, "Only words."),
        ({"error_code": CODE, "error_msg": None}, CODE, json.dumps({"error_code": CODE, "error_msg": None})),
        (
            {"error_code": "APIG.0302", "error_msg": "No.", "encoded_authorization_message": "abc"},
            "APIG.0302",
            "No.",
        ),
        ({"something": "else"}, None, json.dumps({"something": "else"})),
        ({"message": "Outside.", "error": {"error_code": CODE, "error_msg": "Inside."}}, CODE, "Inside."),
    ],
    ids=["snake", "camel", "bare", "iam", "nested", "code only", "words only", "null words", "policy", "other", "half"],
)
def test_every_form_of_error_body_is_read(body: object, code: str | None, words: str) -> None:
    error = read_error(json.dumps(body).encode())
    assert (error.code, error.message) == (code, words)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error_code": "IAM.0002", "encoded_authorization_message": "XXENCODEDXX"}',
        b'{"encoded_authorization_message": "XXENC\\"ODEDXX", "more": 1}',
        b'{"a": {"encoded_authorization_message" : "XXENCODEDXX"}}',
        b'{"error_code": "IAM.0002", "encoded_authorization_message": "XXENCODEDXX',
    ],
    ids=["without words", "quote in it", "nested", "broken off"],
)
def test_encoded_authorization_message_is_never_quoted(body: bytes) -> None:
    assert "XX" not in read_error(body).message


@pytest.mark.parametrize("body", [b"<html>no</html>", b'{"error_code": "Mo', b"", b"\xff\xfe\xfd", b"[" * 100_000])
def test_body_that_is_no_json_has_no_code(body: bytes) -> None:
    assert read_error(body).code is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_errors(body: bytes) -> None:
    read_error(body)
    assert Response(500, {}, body).request_id is None or body


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error_code", "error_msg", "code", "message", "x"]), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_no_json_breaks_the_reading_of_errors(document: object) -> None:
    error = read_error(json.dumps(document).encode())
    assert error.code is None or len(error.code) <= 64


def test_request_id_comes_from_the_header_before_the_body() -> None:
    body = b'{"request_id": "from-body"}'
    assert Response(400, {"x-request-id": "from-header"}, body).request_id == "from-header"
    assert Response(400, {}, body).request_id == "from-body"
    assert Response(401, {}, b'{"error": {"code": 401, "request_id": "inside"}}').request_id == "inside"
    assert Response(401, {"x-iam-trace-id": "of-iam"}, body).request_id == "of-iam"


def test_date_of_an_answer_out_of_a_cache_says_nothing_about_the_servers_clock() -> None:
    date = "Mon, 23 Nov 2026 11:08:55 GMT"
    assert Response(401, {"date": date}, b"").server_time is not None
    assert Response(401, {"date": date, "age": "3600"}, b"").server_time is None
    assert Response(401, {}, b"").server_time is None


@pytest.mark.parametrize("text", ["", "a b", "x" * 129, "a\x1b[31m", "<script>"])
def test_request_id_that_is_not_plain_is_dropped(text: str) -> None:
    assert Response(200, {"x-request-id": text}, b"").request_id is None


def test_http_dates_are_read_and_others_are_none() -> None:
    assert parse_http_date("Mon, 23 Nov 2026 11:08:55 GMT") == datetime(2026, 11, 23, 11, 8, 55, tzinfo=UTC)
    assert parse_http_date("Mon, 23 Nov 2026 11:08:55 -0000") == datetime(2026, 11, 23, 11, 8, 55, tzinfo=UTC)
    assert parse_http_date("soon") is None
    assert parse_http_date("") is None


@given(st.text(max_size=40) | st.text("0123456789 :,-+GMTMonNv", max_size=40))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    moment = parse_http_date(text)
    assert moment is None or moment.tzinfo is not None
