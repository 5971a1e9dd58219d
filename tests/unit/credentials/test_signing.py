from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.modelarts.transport import canonical_path, canonical_query, sign
from modelarts_nodepool.ports import AccessKey

PROJECT = "0123456789abcdef0123456789abcdef"
HOST = "modelarts.cn-north-4.myhuaweicloud.com"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# As it would be called in a URL: any text, encoded in any of the legal ways.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def test_case_05_signature_equals_the_first_vector_of_the_official_sdk() -> None:
    headers = sign(
        "DELETE",
        f"/v2/{PROJECT}/pools/pool-a/nodepools/nodepool-1",
        "",
        {"Content-Type": "application/json", "Host": HOST, "X-Project-Id": PROJECT},
        b"",
        AccessKey("AKEXAMPLE", "SKEXAMPLE"),
        MOMENT,
    )
    assert headers["X-Sdk-Date"] == "20260102T030405Z"
    assert headers["Authorization"] == (
        "SDK-HMAC-SHA256 Access=AKEXAMPLE, SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
        "Signature=6f7a47e1f3fd946b5a15fcb5c4cfdead890f6a6bf509b457661c98097ee55b14"
    )


def test_case_05_signature_equals_the_second_vector_of_the_official_sdk() -> None:
    query = "continue=a%20b%2F%2B%3D&limit=10"
    headers = sign("GET", "/v2/P/pools/p/nodepools/n", query, {"Host": "h"}, b"", AccessKey("AK", "SK"), MOMENT)
    assert headers["Authorization"].endswith(
        "Signature=7366abdfcdb17a459a943be3d660109a854844e5032acd528dbce79c5aa9c06f"
    )


def test_moment_is_written_in_utc_whatever_its_zone() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=8)))
    key = AccessKey("AK", "SK")
    assert sign("GET", "/", "", {"Host": "h"}, b"", key, elsewhere) == sign(
        "GET", "/", "", {"Host": "h"}, b"", key, MOMENT
    )


def test_security_token_is_sent_and_signed() -> None:
    headers = sign("GET", "/", "", {"Host": "h"}, b"", AccessKey("AK", "SK", "TOKEN"), MOMENT)
    assert headers["X-Security-Token"] == "TOKEN"
    assert "SignedHeaders=host;x-sdk-date;x-security-token" in headers["Authorization"]


def test_empty_security_token_counts_as_none() -> None:
    headers = sign("GET", "/", "", {"Host": "h"}, b"", AccessKey("AK", "SK", ""), MOMENT)
    assert "X-Security-Token" not in headers


def test_header_with_an_underscore_is_sent_and_not_signed() -> None:
    headers = sign("GET", "/", "", {"Host": "h", "x_y": "1"}, b"", AccessKey("AK", "SK"), MOMENT)
    assert headers["x_y"] == "1"
    assert "x_y" not in headers["Authorization"]


@given(TEXTS)
def test_path_means_the_same_however_its_characters_are_encoded(text: str) -> None:
    segment = quote(text, safe="")
    wholly = "".join(f"%{byte:02x}" for byte in text.encode())
    assert canonical_path(f"/v2/{segment}") == canonical_path(f"/v2/{wholly}")
    assert canonical_path(f"/v2/{segment}").endswith("/")


@given(TEXTS.filter(lambda text: "/" not in text and "%" not in text))
def test_path_is_decoded_once_and_encoded_again(text: str) -> None:
    assert canonical_path(f"/{quote(text, safe='')}") == (f"/{quote(text, safe='-._~')}/" if text else "/")


def test_percent_2f_in_a_path_is_a_slash_to_the_signature_as_in_the_official_sdk() -> None:
    assert canonical_path("/pools/a%2Fb") == "/pools/a/b/"
    assert canonical_path("/pools/a%252Fb") == "/pools/a%252Fb/"


def test_path_of_chinese_characters_is_encoded_as_utf8() -> None:
    assert canonical_path("/节点池") == "/%E8%8A%82%E7%82%B9%E6%B1%A0/"


@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=4))
def test_query_is_sorted_and_holds_neither_space_nor_plus(pairs: list[tuple[str, str]]) -> None:
    wire = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    canonical = canonical_query(wire)
    assert "+" not in canonical
    assert " " not in canonical
    read = [tuple(unquote(side) for side in pair.split("=")) for pair in canonical.split("&") if pair]
    assert read == sorted(pairs)


def test_query_value_that_is_empty_keeps_its_equals_sign() -> None:
    assert canonical_query("b&a=") == "a=&b="


@pytest.mark.parametrize(
    "key",
    [
        AccessKey("", "SK"),
        AccessKey("AK\n", "SK"),
        AccessKey("AK SK", "SK"),
        AccessKey("AKé", "SK"),
        AccessKey("AK", "SK", "TOK\rEN"),
    ],
)
def test_key_that_cannot_stand_in_a_header_is_refused_without_quoting_it(key: AccessKey) -> None:
    with pytest.raises(CredentialsUnavailable) as caught:
        sign("GET", "/", "", {"Host": "h"}, b"", key, MOMENT)
    assert key.access not in str(caught.value) or not key.access
    assert "TOK" not in str(caught.value)
