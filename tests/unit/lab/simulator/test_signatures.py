"""The signature the simulator expects, against vectors computed outside of this project."""

import hashlib

import pytest

from lab.simulator.signatures import (
    UNSIGNED,
    SignedRequest,
    canonical_path,
    canonical_query,
    canonical_request,
    expected_signature,
    parse_authorization,
    payload_hash,
)
from tests.support.raw_signer import signature_of

PROJECT = "0123456789abcdef0123456789abcdef"
DELETE_SIGNATURE = "6f7a47e1f3fd946b5a15fcb5c4cfdead890f6a6bf509b457661c98097ee55b14"
GET_SIGNATURE = "7366abdfcdb17a459a943be3d660109a854844e5032acd528dbce79c5aa9c06f"
DELETE_HEADERS = {
    "content-type": "application/json",
    "host": "modelarts.cn-north-4.myhuaweicloud.com",
    "x-project-id": PROJECT,
    "x-sdk-date": "20260102T030405Z",
}
GET_HEADERS = {"host": "h", "x-sdk-date": "20260102T030405Z"}


def test_delete_of_a_node_pool_has_the_known_signature() -> None:
    path = f"/v2/{PROJECT}/pools/pool-a/nodepools/nodepool-1"
    request = SignedRequest("DELETE", path, headers={**DELETE_HEADERS, "accept": "not signed"})
    names = tuple(DELETE_HEADERS)

    hashed = hashlib.sha256(canonical_request(request, names).encode()).hexdigest()

    assert hashed == "b18c6c51d5be9c0108bec9590e6e740e82f08299a9a3a5b58bd3c5ff9ba6a1f9"
    assert expected_signature(request, names, "SKEXAMPLE") == DELETE_SIGNATURE
    assert signature_of("DELETE", path, DELETE_HEADERS, b"", "SKEXAMPLE") == DELETE_SIGNATURE


def test_get_with_a_query_has_the_known_signature() -> None:
    path, query = "/v2/P/pools/p/nodepools/n", "continue=a%20b%2F%2B%3D&limit=10"
    request = SignedRequest("GET", path, query, GET_HEADERS)

    assert expected_signature(request, tuple(GET_HEADERS), "SK") == GET_SIGNATURE
    assert signature_of("GET", f"{path}?{query}", GET_HEADERS, b"", "SK") == GET_SIGNATURE


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/a", "/a/"),
        ("/a/", "/a/"),
        ("/a%2Fb", "/a/b/"),
        ("/a%252Fb", "/a%252Fb/"),
        ("/n%C3%BC", "/n%C3%BC/"),
        ("/a~b_c.d-e", "/a~b_c.d-e/"),
        ("/a+b:c", "/a%2Bb%3Ac/"),
        ("/..", "/../"),
    ],
)
def test_path_is_decoded_once_and_encoded_again(raw: str, canonical: str) -> None:
    assert canonical_path(raw) == canonical


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1", "a=1&a=2"),
        ("flag", "flag="),
        ("a=x+y", "a=x%2By"),
        ("a=x%20y", "a=x%20y"),
    ],
)
def test_query_is_sorted_and_keeps_plus_signs(raw: str, canonical: str) -> None:
    assert canonical_query(raw) == canonical


@pytest.mark.parametrize(
    ("content_type", "body", "is_unsigned"),
    [
        ("application/merge-patch+json", b"x", True),
        ("application/json;charset=utf-8", b"x", False),
        ("application/merge-patch+json", b"", False),
    ],
)
def test_only_bodies_that_are_not_json_may_be_unsigned(content_type: str, body: bytes, is_unsigned: bool) -> None:  # noqa: FBT001
    headers = {"content-type": content_type, "x-sdk-content-sha256": UNSIGNED}

    hashed = payload_hash(SignedRequest("PATCH", "/", headers=headers, body=body))

    assert (hashed == UNSIGNED) == is_unsigned


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic eDp5",
        "SDK-HMAC-SHA256 Access=a, Signature=00",
        "SDK-HMAC-SM3 Access=a, SignedHeaders=b, Signature=00",
    ],
)
def test_other_authorizations_are_not_understood(value: str) -> None:
    assert parse_authorization(value) is None
