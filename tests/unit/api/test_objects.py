"""Objects as the API server sends them become slim records."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.api.objects import Account, Metadata, Namespace, NodePool
from tests.support.builders import an_account

GROUP = "modelarts.huaweicloud.com"


def metadata(**more: object) -> dict[str, Any]:
    return {
        "name": "training-a",
        "namespace": "ml",
        "uid": "7d0c",
        "generation": 3,
        "resourceVersion": "42",
        "creationTimestamp": "2026-01-02T03:04:05Z",
    } | more


def node_pool(spec: dict[str, Any] | None = None, **more: object) -> NodePool:
    return NodePool.from_body({"metadata": metadata(**more), "spec": {"poolName": "pool-a"} | (spec or {})})


def test_metadata_is_read_as_the_api_server_writes_it() -> None:
    read = Metadata.from_body({"metadata": metadata(finalizers=["a/b"], deletionTimestamp="2026-01-03T00:00:00Z")})
    assert read == Metadata(
        uid="7d0c",
        name="training-a",
        namespace="ml",
        generation=3,
        resource_version="42",
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        deleted=datetime(2026, 1, 3, tzinfo=UTC),
        finalizers=("a/b",),
        annotations={},
    )


def test_only_annotations_of_our_own_group_are_kept() -> None:
    read = Metadata.from_body(
        {"metadata": metadata(annotations={f"{GROUP}/paused": "true", f"{GROUP}.evil/paused": "x", "other": "y"})}
    )
    assert read.annotations == {f"{GROUP}/paused": "true"}


def test_a_minimal_node_pool_has_the_defaults_of_the_schema() -> None:
    read = node_pool()
    assert read.spec.account_ref.name == "default"
    assert read.spec.deletion_policy is DeletionPolicy.DELETE
    assert read.status.observed_generation == -1
    assert read.status.identity is None
    assert read.title == "ml/training-a"


def test_the_effective_name_is_the_objects_own_unless_another_is_given() -> None:
    assert node_pool().node_pool_name == "training-a"
    assert node_pool({"nodePoolName": "other"}).node_pool_name == "other"


def test_our_finalizer_protects_and_others_are_named() -> None:
    read = node_pool(finalizers=["a/b", NODE_POOL_FINALIZER, "foregroundDeletion"])
    assert read.is_protected
    assert read.other_finalizers == ("a/b", "foregroundDeletion")
    assert not node_pool().is_protected


@pytest.mark.parametrize("text", ["true", "True", "yes", "1", "0", "no", "", " ", "False", "FALSE", " false", "false "])
def test_every_value_but_exactly_false_pauses(text: str) -> None:
    assert node_pool(annotations={f"{GROUP}/paused": text}).is_paused


def test_only_the_exact_word_false_and_no_annotation_do_not_pause() -> None:
    assert not node_pool(annotations={f"{GROUP}/paused": "false"}).is_paused
    assert not node_pool().is_paused
    assert not node_pool(annotations={f"{GROUP}/Paused": "true"}).is_paused, "another key is another annotation"


def test_an_empty_reconcile_at_asks_for_nothing() -> None:
    assert node_pool(annotations={f"{GROUP}/reconcile-at": ""}).reconcile_at is None


def test_annotations_that_people_set_are_read() -> None:
    read = node_pool(
        annotations={
            f"{GROUP}/confirm-delete": "training-a",
            f"{GROUP}/override": "LastNodePool@7d0c",
            f"{GROUP}/reconcile-at": "now",
        }
    )
    assert (read.confirmation, read.override, read.reconcile_at) == ("training-a", "LastNodePool@7d0c", "now")
    bare = node_pool()
    assert (bare.confirmation, bare.override, bare.reconcile_at) == (None, "", None)


@pytest.mark.parametrize(
    ("confirmation", "written", "shown"),
    [
        ("training-a", "alice@example.com", "alice@example.com"),
        ("training-a", "alice\n\u202e\x00", "alice"),
        ("training-a", "a" * 300_000, "a" * 252 + "…"),
        ("training-a", "", None),
        ("training-a", None, None),
        ("training-b", "alice", None),
        (None, "alice", None),
    ],
    ids=["plain", "unprintable", "huge", "empty", "none", "another is confirmed", "unconfirmed"],
)
def test_who_confirmed_is_read_for_people(confirmation: str | None, written: str | None, shown: str | None) -> None:
    given = {f"{GROUP}/confirm-delete": confirmation, f"{GROUP}/confirmed-by": written}
    read = node_pool(annotations={key: value for key, value in given.items() if value is not None})
    assert read.confirmed_by == shown


@pytest.mark.parametrize(
    "spec",
    [{"poolName": ".."}, {"nodePoolName": "a/b"}, {"deletionPolicy": "Keep"}, {"accountRef": {"name": "A"}}],
    ids=repr,
)
def test_a_spec_that_is_not_of_the_schema_is_an_error(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        node_pool(spec)


def test_unknown_keys_are_ignored_as_the_api_server_prunes_them() -> None:
    assert node_pool({"later": {"x": 1}}).spec == node_pool().spec


def test_an_account_is_read_with_its_status() -> None:
    body = {
        "metadata": metadata(name="default", namespace=None, deletionTimestamp="2026-01-03T00:00:00Z"),
        "spec": {
            "region": "cn-north-4",
            "projectId": "0123",
            "credentials": {"secretName": "key"},
            "grants": [{"namespaces": ["ml"], "resourcePools": ["*"]}],
        },
        "status": {"observedGeneration": 2},
    }
    read = Account.from_body(body)
    assert read.is_terminating
    assert read.metadata.namespace == ""
    assert read.spec.poll_interval.total_seconds() == 60
    assert read.status.observed_generation == 2


def test_a_namespace_keeps_its_labels_and_its_deletion() -> None:
    body = {"metadata": {"name": "ml", "labels": {"team": "blue"}, "deletionTimestamp": "2026-01-03T00:00:00Z"}}
    assert Namespace.from_body(body) == Namespace(
        name="ml", labels={"team": "blue"}, deleted=datetime(2026, 1, 3, tzinfo=UTC)
    )
    assert Namespace.from_body({"metadata": {"name": "ml"}}) == Namespace(name="ml", labels={})


@pytest.mark.parametrize("value", [True, "true", "false", "no", "", 0, 1, None, []], ids=repr)
def test_whatever_is_not_false_requires_a_confirmation(value: object) -> None:
    body = an_account().body()
    body["spec"]["requireConfirmation"] = value
    assert Account.from_body(body).spec.require_confirmation


def test_false_and_no_word_require_no_confirmation() -> None:
    body = an_account().body()
    assert not Account.from_body(body).spec.require_confirmation
    body["spec"]["requireConfirmation"] = False
    assert not Account.from_body(body).spec.require_confirmation
