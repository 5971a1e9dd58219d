import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.credentials.secret import access_key_from_secret
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey

LABEL = "modelarts.huaweicloud.com/credentials"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def a_secret(label: str | None = "true", **values: str) -> dict[str, Any]:
    labels = {} if label is None else {LABEL: label}
    return {
        "kind": "Secret",
        "metadata": {"name": "huawei", "namespace": "operator-ns", "labels": labels},
        "data": {key: encoded(value) for key, value in values.items()},
    }


def test_long_lived_key_is_read() -> None:
    body = a_secret(accessKey="AKEXAMPLE", secretKey="SKEXAMPLE")
    assert access_key_from_secret(body, "huawei") == AccessKey("AKEXAMPLE", "SKEXAMPLE")


def test_temporary_key_brings_its_token() -> None:
    body = a_secret(accessKey="AK", secretKey="SK", securityToken="TOKEN")
    assert access_key_from_secret(body, "huawei").security_token == "TOKEN"


@given(st.text(" \t\r\n", max_size=4), st.text(" \t\r\n", max_size=4))
def test_white_space_around_values_is_dropped(before: str, after: str) -> None:
    body = a_secret(accessKey=f"{before}AK{after}", secretKey=f"{before}SK{after}", securityToken=f"{before}{after}")
    assert access_key_from_secret(body, "huawei") == AccessKey("AK", "SK")


@pytest.mark.parametrize("label", [None, "false", "True", ""])
def test_secret_without_the_label_is_not_read(label: str | None) -> None:
    with pytest.raises(CredentialsUnavailable) as caught:
        access_key_from_secret(a_secret(label, accessKey="AK", secretKey="SK"), "huawei")
    assert "kubectl -n operator-ns label secret huawei modelarts.huaweicloud.com/credentials=true" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"secretKey": "SK"}, "accessKey"),
        ({"accessKey": "AK"}, "secretKey"),
        ({"accessKey": " \n", "secretKey": "SK"}, "accessKey"),
        ({"accessKey": "AK", "secretKey": ""}, "secretKey"),
    ],
    ids=["no access key", "no secret key", "blank access key", "empty secret key"],
)
def test_missing_value_is_named_with_the_command_that_shows_the_keys(values: dict[str, str], key: str) -> None:
    with pytest.raises(CredentialsUnavailable) as caught:
        access_key_from_secret(a_secret(**values), "huawei")
    assert f"operator-ns/huawei has no value for key {key}" in str(caught.value)
    assert "kubectl -n operator-ns describe secret huawei" in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ["not base64!", base64.b64encode(b"\xff\xfe").decode(), base64.b64encode(b"S\nK").decode(), 7],
    ids=["no base64", "no UTF-8", "line feed inside", "a number"],
)
def test_unreadable_value_is_named_and_never_quoted(value: object) -> None:
    body = a_secret(accessKey="AK", secretKey="SK")
    body["data"]["secretKey"] = value
    with pytest.raises(CredentialsUnavailable, match="key secretKey of Secret operator-ns/huawei") as caught:
        access_key_from_secret(body, "huawei")
    assert str(value) not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("body", [{}, {"metadata": None, "data": None}, {"metadata": {"labels": []}}])
def test_body_that_is_no_secret_is_unavailable(body: dict[str, Any]) -> None:
    with pytest.raises(CredentialsUnavailable):
        access_key_from_secret(body, "huawei")


def test_values_stay_out_of_the_repr() -> None:
    key = access_key_from_secret(a_secret(accessKey="AK", secretKey="CANARY-S", securityToken="CANARY-T"), "huawei")
    assert "CANARY" not in repr(key)
