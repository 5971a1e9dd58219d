"""Accounts and namespaces that are gone stay gone: an answer to our own write may come after the watch's last word."""

from typing import Any

import pytest

from modelarts_nodepool.cache.objects import Cache
from tests.support.builders import an_account
from tests.support.clocks import HandClock
from tests.support.listening import Noting

ACCOUNT = an_account().body()
NAME, UID = ACCOUNT["metadata"]["name"], ACCOUNT["metadata"]["uid"]
NAMESPACE = {"metadata": {"name": "ml", "uid": "n1", "resourceVersion": "5", "labels": {}}}


@pytest.fixture
def cache() -> Cache:
    return Cache(HandClock())


def with_metadata(body: dict[str, Any], **more: str) -> dict[str, Any]:
    return body | {"metadata": body["metadata"] | more}


@pytest.mark.parametrize("version", ["1", "999999"])
def test_an_account_that_is_gone_does_not_come_back_by_an_answer_that_is_late(cache: Cache, version: str) -> None:
    cache.upsert_account(ACCOUNT)
    cache.drop_account(NAME, UID)
    noted = Noting()
    cache = Cache(HandClock(), noted, cache.content)
    assert cache.upsert_account(with_metadata(ACCOUNT, resourceVersion=version)) is None
    assert cache.accounts == {}
    assert noted.accounts == []


def test_an_account_that_was_gone_before_it_was_ever_seen_is_not_taken(cache: Cache) -> None:
    cache.drop_account(NAME, UID)
    assert cache.upsert_account(ACCOUNT) is None
    cache.drop_account_of("by a sweep")
    assert cache.upsert_account(with_metadata(ACCOUNT, uid="by a sweep")) is None


def test_an_account_created_again_under_the_same_name_is_taken(cache: Cache) -> None:
    cache.upsert_account(ACCOUNT)
    cache.drop_account(NAME, UID)
    assert cache.upsert_account(with_metadata(ACCOUNT, uid="another")) is not None
    assert cache.accounts[NAME].metadata.uid == "another"


def test_a_late_event_of_the_former_account_does_not_replace_the_one_that_was_created_again(cache: Cache) -> None:
    """Kopf has a worker for each uid: events of two objects can overtake each other."""
    cache.upsert_account(with_metadata(ACCOUNT, resourceVersion="5"))
    cache.upsert_account(with_metadata(ACCOUNT, resourceVersion="9", uid="another"))
    cache.upsert_account(with_metadata(ACCOUNT, resourceVersion="7", deletionTimestamp="2026-01-02T12:00:00Z"))
    assert cache.accounts[NAME].metadata.uid == "another"
    cache.drop_account_of(UID)
    assert cache.accounts[NAME].metadata.uid == "another"


def test_a_late_event_of_the_former_namespace_does_not_replace_the_one_that_was_created_again(cache: Cache) -> None:
    cache.upsert_namespace(NAMESPACE)
    cache.upsert_namespace(with_metadata(NAMESPACE, resourceVersion="9", uid="n2"))
    cache.upsert_namespace(with_metadata(NAMESPACE, resourceVersion="7", deletionTimestamp="2026-01-02T12:00:00Z"))
    assert cache.namespaces["ml"].uid == "n2"
    cache.drop_namespace_of("n1")
    assert cache.namespaces["ml"].uid == "n2"


def test_a_namespace_that_is_gone_does_not_come_back_and_a_new_one_of_its_name_does(cache: Cache) -> None:
    cache.upsert_namespace(NAMESPACE)
    cache.drop_namespace("ml", "n1")
    cache.upsert_namespace(NAMESPACE)
    assert cache.namespaces == {}
    cache.upsert_namespace(with_metadata(NAMESPACE, uid="n2"))
    assert cache.namespaces["ml"].uid == "n2"


def test_a_namespace_that_was_gone_before_it_was_ever_seen_is_not_taken(cache: Cache) -> None:
    cache.drop_namespace_of("n1")
    cache.upsert_namespace(NAMESPACE)
    assert cache.namespaces == {}
