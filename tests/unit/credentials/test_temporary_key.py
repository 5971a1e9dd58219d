"""What issuers answer: three spellings of one thing, and everything that is none of them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from modelarts_nodepool.credentials.temporary_key import read_refusal, read_temporary_key
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey
from tests.support.builders import NOON

EXPIRES = "2026-01-02T13:00:00Z"
METADATA = {"access": "AK", "secret": "CANARYSECRET", "securitytoken": "CANARYTOKEN", "expires_at": EXPIRES}
AGENT = {
    "accessKeyId": "AK",
    "secretAccessKey": "CANARYSECRET",
    "securityToken": "CANARYTOKEN",
    "expiration": EXPIRES,
}
STS = {
    "access_key_id": "AK",
    "secret_access_key": "CANARYSECRET",
    "security_token": "CANARYTOKEN",
    "expiration": EXPIRES,
}
KEY = AccessKey("AK", "CANARYSECRET", "CANARYTOKEN", datetime(2026, 1, 2, 13, 0, tzinfo=UTC))


def read(body: object) -> AccessKey:
    return read_temporary_key(body if isinstance(body, bytes) else json.dumps(body).encode(), "the issuer", NOON)


@pytest.mark.parametrize(
    "body",
    [{"credential": METADATA}, {"credentials": AGENT, "assumedAgency": {"urn": "u"}}, {"credentials": STS}],
    ids=["metadata", "agent", "sts"],
)
def test_every_spelling_is_read(body: object) -> None:
    assert read(body) == KEY


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T13:00:00Z", KEY.expires),
        ("2026-01-02T13:00:00.5Z", datetime(2026, 1, 2, 13, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-02T13:00:00.123456Z", datetime(2026, 1, 2, 13, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-02T13:00:00.123456789Z", datetime(2026, 1, 2, 13, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-02T21:00:00+08:00", datetime(2026, 1, 2, 21, 0, tzinfo=timezone(timedelta(hours=8)))),
        ("2026-01-02T13:00:00", KEY.expires),
    ],
    ids=["no fraction", "a half", "micro", "nano", "a zone", "no zone"],
)
def test_the_end_is_read_with_and_without_a_fraction(text: str, moment: datetime) -> None:
    assert read({"credential": METADATA | {"expires_at": text}}).expires == moment


def without(name: str) -> Mapping[str, object]:
    return {"credential": {key: value for key, value in METADATA.items() if key != name}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>log in here</html>",
        json.dumps({"credential": METADATA}).encode()[:-20],
        b"null",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        {},
        {"credential": None},
        {"credential": [METADATA]},
        {"credential": "CANARYSECRET"},
        *(without(name) for name in METADATA),
        *({"credential": METADATA | {name: None}} for name in METADATA),
        *({"credential": METADATA | {name: ""}} for name in METADATA),
        {"credential": METADATA | {"secret": 7}},
        {"credential": METADATA | {"secret": "CANARY\nSECRET"}},
        {"credential": METADATA | {"securitytoken": "CANARYTOKÉN"}},
        {"credential": METADATA | {"expires_at": "tomorrow"}},
        {"credential": METADATA | {"expires_at": 1767358800}},
        {"credential": METADATA | {"expires_at": "2026-01-02T12:00:00Z"}},
        {"credential": METADATA | {"expires_at": "0001-01-01T00:00:00+08:00"}},
    ],
)
def test_anything_else_is_told_without_a_value_of_it(body: object) -> None:
    with pytest.raises(CredentialsUnavailable) as caught:
        read(body)
    error = caught.value
    assert str(error).startswith("the issuer ")
    assert "CANARY" not in f"{error} {error.__context__!r} {error.__cause__!r}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error_code": "STS5.0001", "error_msg": "no"}, "STS5.0001: no"),
        ({"errorCode": "X", "errorMsg": "y"}, "X: y"),
        ({"code": 404, "message": "gone"}, "404: gone"),
        ({"message": "gone"}, "gone"),
        ({"error": {"message": "deep"}}, ""),
        ([], ""),
    ],
)
def test_a_refusal_is_quoted_by_its_code_and_words(body: object, said: str) -> None:
    assert read_refusal(json.dumps(body).encode()) == said
