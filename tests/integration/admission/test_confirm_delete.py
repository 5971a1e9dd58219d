"""Deleting a ModelArtsNodePool has to be confirmed by naming its node pool, however it is deleted."""

import json
import shlex

import pytest

from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, NODE_POOL_FINALIZER
from modelarts_nodepool.decide import remedies
from tests.support.admission import CONFIRM_DELETE, HELD, Guarded
from tests.support.crds import NODE_POOLS, REPOSITORY
from tests.support.liveness import eventually


def test_an_unconfirmed_delete_is_refused_with_the_commands_that_help(guarded: Guarded) -> None:
    node_pool = guarded.add()
    message = guarded.denied(CONFIRM_DELETE, *guarded.deleting())
    assert guarded.is_untouched(node_pool)
    assert f"ModelArtsNodePool {guarded.namespace}/training-a was not deleted" in message
    assert "node pool training-a of resource pool pool-a in the cloud, for good" in message
    assert f'{CONFIRM_ANNOTATION} is not set and must name "training-a"' in message
    assert remedies.confirm(node_pool) in message
    assert message.endswith(remedies.retain(node_pool))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("training-b", 'names "training-b"'),
        ("", 'names ""'),
        (" training-a", 'names " training-a"'),
        ("training-a ", 'names "training-a "'),
        ("Training-A", 'names "Training-A"'),
        ("true", 'names "true"'),
        ('"training-a"', 'names ""training-a""'),
        ("training-a\n", "has a value that is too long or unprintable"),
        ("\u202etraining-a", "has a value that is too long or unprintable"),
        ("a" * 200_000, "has a value that is too long or unprintable"),
    ],
    ids=["another", "empty", "space-before", "space-after", "case", "true", "quoted", "line-feed", "bidi", "huge"],
)
def test_a_confirmation_that_names_something_else_confirms_nothing(guarded: Guarded, given: str, shown: str) -> None:
    node_pool = guarded.add(confirm=given)
    message = guarded.denied(CONFIRM_DELETE, *guarded.deleting())
    assert guarded.is_untouched(node_pool)
    assert f'{CONFIRM_ANNOTATION} {shown} and must name "training-a"' in message
    assert remedies.confirm(node_pool) in message


def test_the_command_that_is_shown_confirms(guarded: Guarded) -> None:
    guarded.add(confirm="training-b")
    guarded.run_shown(guarded.denied(CONFIRM_DELETE, *guarded.deleting()), "annotate")
    guarded.run(*guarded.deleting())
    assert guarded.names() == []


def test_the_confirmation_names_the_node_pool_and_not_the_object(guarded: Guarded) -> None:
    node_pool = guarded.add("renamed", confirm="renamed", nodePoolName="training-a")
    message = guarded.denied(CONFIRM_DELETE, *guarded.deleting("renamed"))
    assert 'names "renamed" and must name "training-a"' in message
    assert remedies.confirm(node_pool) in message
    guarded.confirm("renamed", "training-a")
    guarded.run(*guarded.deleting("renamed"))
    assert guarded.names() == []


def test_an_object_that_keeps_its_node_pool_needs_no_confirmation(guarded: Guarded) -> None:
    guarded.add()
    guarded.run_shown(guarded.denied(CONFIRM_DELETE, *guarded.deleting()), "patch")
    guarded.run(*guarded.deleting())
    assert guarded.names() == []


def test_deleting_again_what_is_being_deleted_asks_nothing(guarded: Guarded) -> None:
    guarded.add_terminating()
    guarded.run("annotate", "manp", "training-a", "-n", guarded.namespace, f"{CONFIRM_ANNOTATION}-")
    guarded.run(*guarded.deleting(), "--wait=false")
    assert guarded.now().metadata.deleted


def test_a_dry_run_tells_beforehand_what_would_be_refused(guarded: Guarded) -> None:
    guarded.add()
    guarded.denied(CONFIRM_DELETE, *guarded.deleting(), "--dry-run=server")
    guarded.confirm("training-a", "training-a")
    guarded.run(*guarded.deleting(), "--dry-run=server")
    assert guarded.names() == ["training-a"]


@pytest.mark.parametrize(
    "how",
    [("--cascade=foreground",), ("--cascade=orphan",), ("--now",), ("--force", "--grace-period=0")],
    ids=" ".join,
)
def test_no_flag_of_kubectl_goes_round_the_confirmation(guarded: Guarded, how: tuple[str, ...]) -> None:
    node_pool = guarded.add()
    guarded.denied(CONFIRM_DELETE, *guarded.deleting(), *how)
    assert guarded.is_untouched(node_pool)


def test_a_confirmed_foreground_deletion_is_let_through(guarded: Guarded) -> None:
    guarded.create(guarded.node_pool(annotations={CONFIRM_ANNOTATION: "training-a"}, finalizers=[HELD]))
    guarded.run(*guarded.deleting(), "--cascade=foreground", "--wait=false")
    assert guarded.now().metadata.deleted


def test_delete_all_deletes_what_is_confirmed_and_nothing_else(guarded: Guarded) -> None:
    for name, confirm in (("one", "one"), ("two", None), ("three", "one"), ("four", "four")):
        guarded.add(name, confirm)
    said = guarded.refused("delete", "manp", "--all", "-n", guarded.namespace)
    assert said.count("denied request") == 2
    assert guarded.names() == ["three", "two"]


def test_a_deletecollection_spares_what_is_not_confirmed(guarded: Guarded) -> None:
    guarded.add("one", confirm="one")
    stays = [guarded.add("two"), guarded.add("three", confirm="two")]
    path = f"/apis/modelarts.huaweicloud.com/v1alpha1/namespaces/{guarded.namespace}/modelartsnodepools"
    message = guarded.denied(CONFIRM_DELETE, "delete", "--raw", path)
    assert any(remedies.confirm(node_pool) in message for node_pool in stays)
    assert all(guarded.is_untouched(node_pool) for node_pool in stays)


@pytest.mark.parametrize("verb", ["replace", "apply"])
def test_a_typo_and_force_do_not_delete_the_node_pool(guarded: Guarded, verb: str) -> None:
    """What Flux does with `force: true` on a refused change: delete the object and create it anew."""
    body = guarded.node_pool(finalizers=[NODE_POOL_FINALIZER])
    guarded.run("apply", "-f", "-", stdin=body)
    node_pool = guarded.now()
    typo = json.loads(body) | {"spec": {"poolName": "pool-typo"}}
    guarded.denied(CONFIRM_DELETE, verb, "--force", "--grace-period=0", "-f", "-", stdin=json.dumps(typo))
    assert guarded.is_untouched(node_pool)


@pytest.mark.parametrize("manager", ["kustomize-controller", "argocd-controller", "helm"])
def test_where_a_tool_sets_the_policy_git_is_named_before_the_command(guarded: Guarded, manager: str) -> None:
    body = guarded.node_pool({"poolName": "pool-a", "deletionPolicy": "Delete"})
    guarded.run("apply", "--server-side", "--field-manager", manager, "-f", "-", stdin=body)
    message = guarded.denied(CONFIRM_DELETE, *guarded.deleting())
    git = f"write deletionPolicy: Retain in Git, because {manager} reverts manual changes"
    assert 0 < message.index(git) < message.index(remedies.retain(guarded.now()))


@pytest.mark.parametrize("spec", [{}, {"deletionPolicy": "Delete"}], ids=["git does not name it", "a person named it"])
def test_where_no_tool_sets_the_policy_the_message_is_short(guarded: Guarded, spec: dict[str, str]) -> None:
    manager = "kubectl" if spec else "kustomize-controller"
    body = guarded.node_pool({"poolName": "pool-a"} | spec)
    guarded.run("apply", "--server-side", "--field-manager", manager, "-f", "-", stdin=body)
    assert "in Git" not in guarded.denied(CONFIRM_DELETE, *guarded.deleting())


def test_a_name_that_a_loosened_crd_lets_in_is_quoted(guarded: Guarded) -> None:
    """Somebody took the pattern out of the CRD: what is pasted stays one word of the shell."""
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/nodePoolName/pattern"
    kubectl = guarded.plane.kubectl
    kubectl.run("patch", "crd", NODE_POOLS, "--type=json", "-p", json.dumps([{"op": "remove", "path": path}]))
    try:
        evil = "a'; touch pwned; '$(id)"
        body = guarded.node_pool({"poolName": "pool-a", "nodePoolName": evil})

        def is_created() -> bool:
            kubectl.run("create", "-f", "-", stdin=body, check=False)
            return guarded.names() == ["training-a"]

        assert eventually(is_created)
        message = guarded.denied(CONFIRM_DELETE, *guarded.deleting())
        shown = message[message.index("kubectl annotate") : message.index(" --overwrite")]
        assert shlex.split(shown)[-1] == f"{CONFIRM_ANNOTATION}={evil}"
        guarded.run_shown(message, "annotate")
        guarded.run(*guarded.deleting())
        assert guarded.names() == []
    finally:
        kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(REPOSITORY / "crds"))


def test_replace_with_force_deletes_nothing_though_nothing_was_changed(guarded: Guarded) -> None:
    body = guarded.node_pool(finalizers=[NODE_POOL_FINALIZER])
    guarded.run("apply", "-f", "-", stdin=body)
    node_pool = guarded.now()
    guarded.denied(CONFIRM_DELETE, "replace", "--force", "-f", "-", stdin=body)
    assert guarded.is_untouched(node_pool)
