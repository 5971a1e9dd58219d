"""Retain on an object that is being deleted cannot be taken back; nothing else about it is in the way."""

import json
from typing import Any

import pytest

from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from modelarts_nodepool.api.node_pool import DeletionPolicy
from tests.support.admission import HELD, NO_RETAIN_TO_DELETE, Guarded

DELETE, RETAIN = ({"spec": {"deletionPolicy": policy}} for policy in ("Delete", "Retain"))


@pytest.mark.parametrize(
    "patch",
    [DELETE, {"spec": {"deletionPolicy": None}}, [{"op": "remove", "path": "/spec/deletionPolicy"}]],
    ids=["written", "left-out", "removed"],
)
def test_delete_does_not_come_back_while_the_object_is_being_deleted(guarded: Guarded, patch: Any) -> None:  # noqa: ANN401 - JSON
    guarded.add_terminating(deletionPolicy="Retain")
    message = guarded.denied(NO_RETAIN_TO_DELETE, *guarded.patching("training-a", patch))
    assert f"ModelArtsNodePool {guarded.namespace}/training-a was not changed" in message
    assert message.endswith(f"kubectl wait --for=delete -n {guarded.namespace} manp/training-a")
    assert guarded.now().spec.deletion_policy is DeletionPolicy.RETAIN


def test_a_gitops_tool_that_applies_its_manifest_again_is_refused(guarded: Guarded) -> None:
    guarded.add_terminating()
    guarded.patch("training-a", RETAIN)
    manifest = guarded.node_pool({"poolName": "pool-a", "deletionPolicy": "Delete"})
    applying = ("apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-")
    guarded.denied(NO_RETAIN_TO_DELETE, *applying, stdin=manifest)
    for spec in ({"poolName": "pool-a"}, {"poolName": "pool-a", "deletionPolicy": "Delete"}):
        whole = guarded.get("manp", "training-a") | {"spec": spec}
        guarded.denied(NO_RETAIN_TO_DELETE, "replace", "-f", "-", stdin=json.dumps(whole))
    assert guarded.now().spec.deletion_policy is DeletionPolicy.RETAIN


def test_a_manifest_that_says_nothing_of_the_policy_does_not_undo_it(guarded: Guarded) -> None:
    guarded.add_terminating()
    guarded.patch("training-a", RETAIN)
    guarded.run("apply", "--server-side", "--field-manager=gitops", "-f", "-", stdin=guarded.node_pool())
    assert guarded.now().spec.deletion_policy is DeletionPolicy.RETAIN


def test_retain_can_be_set_while_the_object_is_being_deleted(guarded: Guarded) -> None:
    guarded.add_terminating()
    assert guarded.patch("training-a", RETAIN)["spec"]["deletionPolicy"] == "Retain"


def test_the_policy_of_a_living_object_changes_freely(guarded: Guarded) -> None:
    guarded.add()
    for patch in (RETAIN, DELETE, RETAIN):
        assert guarded.patch("training-a", patch)["spec"]["deletionPolicy"] == patch["spec"]["deletionPolicy"]


def test_everything_else_of_a_retained_object_can_change_while_it_is_being_deleted(guarded: Guarded) -> None:
    guarded.add_terminating(deletionPolicy="Retain")
    guarded.patch("training-a", {"metadata": {"annotations": {CONFIRM_ANNOTATION: None}}})
    guarded.patch("training-a", {"status": {"observedGeneration": 2}}, "--subresource=status")
    guarded.patch("training-a", {"metadata": {"finalizers": [HELD]}})
    guarded.run(*guarded.patching("training-a", {"metadata": {"finalizers": None}}))
    assert guarded.names() == []


def test_an_object_that_is_held_with_delete_can_be_edited(guarded: Guarded) -> None:
    guarded.add_terminating()
    edit = {"metadata": {"labels": {"team": "a"}}, "spec": {"nodePoolName": "training-a"}}
    assert guarded.patch("training-a", edit)["metadata"]["labels"] == {"team": "a"}
