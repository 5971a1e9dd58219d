"""Our CRDs are not deleted by accident: that would delete every object, past the policy about objects."""

import json

import pytest

from lab.controlplane import ESTABLISHED
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION
from tests.support.admission import CONFIRM_DELETE, HELD, PROTECT_CRDS, Guarded, in_force
from tests.support.crds import ACCOUNTS, NODE_POOLS
from tests.support.liveness import eventually

OTHER = "others.example.com"
SCHEMA = {"openAPIV3Schema": {"type": "object"}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": OTHER},
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"plural": "others", "kind": "Other"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": SCHEMA}],
    },
}


def is_being_deleted(guarded: Guarded, crd: str) -> bool:
    return "deletionTimestamp" in guarded.get("crd", crd)["metadata"]


@pytest.mark.parametrize("crd", [NODE_POOLS, ACCOUNTS])
def test_a_crd_of_ours_is_not_deleted_and_the_message_says_why(guarded: Guarded, crd: str) -> None:
    message = guarded.denied(PROTECT_CRDS, "delete", "crd", crd)
    assert not is_being_deleted(guarded, crd)
    assert message.startswith(f"CustomResourceDefinition {crd} was not deleted: that would delete every object")
    assert f"kubectl get {crd.partition('.')[0]} -A" in message
    assert f'{CONFIRM_ANNOTATION} is not set and must name "{crd}"' in message
    assert message.endswith(
        f"kubectl annotate crd {crd} {CONFIRM_ANNOTATION}={crd} --overwrite --field-manager=on-call"
    )


def test_a_crd_is_not_confirmed_by_another_name(guarded: Guarded) -> None:
    for given in (ACCOUNTS, "", "true"):
        guarded.run("annotate", "crd", NODE_POOLS, f"{CONFIRM_ANNOTATION}={given}", "--overwrite")
        message = guarded.denied(PROTECT_CRDS, "delete", "crd", NODE_POOLS)
        assert f'names "{given}" and must name "{NODE_POOLS}"' in message
    guarded.run("annotate", "crd", NODE_POOLS, f"{CONFIRM_ANNOTATION}-")


def test_other_crds_are_none_of_our_business(guarded: Guarded) -> None:
    guarded.run("create", "-f", "-", stdin=json.dumps(DEFINITION))
    guarded.run("wait", ESTABLISHED, f"crd/{OTHER}")
    # How long the API server takes to clean up behind it is not the question.
    guarded.run("delete", "crd", OTHER, "--wait=false")


def test_a_deletecollection_of_crds_spares_ours(guarded: Guarded) -> None:
    message = guarded.denied(PROTECT_CRDS, "delete", "--raw", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    assert "was not deleted" in message
    assert not is_being_deleted(guarded, NODE_POOLS)
    assert not is_being_deleted(guarded, ACCOUNTS)


def test_a_confirmed_crd_goes_with_its_objects_and_comes_back_protected(guarded: Guarded) -> None:
    guarded.create(guarded.node_pool(finalizers=[HELD]))
    guarded.run_shown(guarded.denied(PROTECT_CRDS, "delete", "crd", NODE_POOLS), "annotate")
    guarded.run("delete", "crd", NODE_POOLS, "--wait=false")
    # Nobody asks about the objects now: from here on only the operator's finalizer holds them.
    assert eventually(lambda: guarded.now().metadata.deleted is not None)
    guarded.run("annotate", "crd", NODE_POOLS, f"{CONFIRM_ANNOTATION}-")
    guarded.run("delete", "crd", NODE_POOLS, "--wait=false")
    guarded.run(*guarded.patching("training-a", {"metadata": {"finalizers": None}}))
    assert eventually(lambda: guarded.plane.kubectl.run("get", "crd", NODE_POOLS, check=False).code != 0, 120)
    in_force(guarded.plane, guarded.api)
    guarded.denied(PROTECT_CRDS, "delete", "crd", NODE_POOLS)
    guarded.add()
    guarded.denied(CONFIRM_DELETE, *guarded.deleting())
