"""The API server itself writes who confirmed: the user who set or changed confirm-delete, and no other value."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, CONFIRMED_BY_ANNOTATION
from modelarts_nodepool.kube.client import Patch, build_finalizer_added, build_finalizer_removed, build_status
from tests.support.admission import ALICE, BOB, CONFIRMED_BY, Guarded
from tests.support.crds import NODE_POOLS, to_json
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE

APPLY = ("apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-")
ADMIN = "lab-admin"


def tool(guarded: Guarded) -> tuple[str, tuple[str, ...]]:
    """The user name of a GitOps tool with all permissions, and how kubectl acts as it."""
    guarded.run("create", "serviceaccount", "gitops", "-n", guarded.namespace)
    who = f"--serviceaccount={guarded.namespace}:gitops"
    guarded.run("create", "clusterrolebinding", guarded.namespace, "--clusterrole=cluster-admin", who)
    kubeconfig = guarded.plane.service_account_kubeconfig_blocking(guarded.namespace, "gitops")
    return f"system:serviceaccount:{guarded.namespace}:gitops", ("--kubeconfig", str(kubeconfig))


def annotations(*names: str) -> dict[str, str]:
    """A confirmation and a stamp."""
    return dict(zip((CONFIRM_ANNOTATION, CONFIRMED_BY_ANNOTATION), names, strict=False))


def body(guarded: Guarded, *names: str) -> str:
    return guarded.node_pool(annotations=annotations(*names))


def test_who_creates_an_object_with_a_confirmation_confirmed_it_also_under_a_generated_name(four_eyes: Guarded) -> None:
    common = {"namespace": four_eyes.namespace, "annotations": annotations("x")}
    for name in ({"name": "training-a"}, {"generateName": "generated-"}):
        raw = to_json("ModelArtsNodePool", common | name, {"poolName": "pool-a"})
        four_eyes.run("create", "-f", "-", *ALICE, stdin=raw)
    assert [four_eyes.confirmed_by(name) for name in four_eyes.names()] == ["alice", "alice"]


def test_who_sets_the_confirmation_later_confirmed_it(four_eyes: Guarded) -> None:
    four_eyes.add()
    assert four_eyes.confirmed_by() is None
    four_eyes.confirm("training-a", "training-a", *ALICE)
    assert four_eyes.confirmed_by() == "alice"


def test_a_service_account_is_named_by_its_user_name(four_eyes: Guarded) -> None:
    user, as_tool = tool(four_eyes)
    four_eyes.run(*APPLY, *as_tool, stdin=body(four_eyes, "training-a"))
    assert four_eyes.confirmed_by() == user


def test_the_same_value_again_confirms_nothing_and_another_value_does(four_eyes: Guarded) -> None:
    four_eyes.add()
    four_eyes.confirm("training-a", "training-b", *ALICE)
    four_eyes.confirm("training-a", "training-b", *BOB)
    assert four_eyes.confirmed_by() == "alice"
    four_eyes.confirm("training-a", "training-a", *BOB)
    assert four_eyes.confirmed_by() == "bob"


def test_other_changes_keep_it(four_eyes: Guarded) -> None:
    four_eyes.run("create", "-f", "-", *ALICE, stdin=body(four_eyes, "training-a"))
    four_eyes.run("label", "manp", "training-a", "-n", four_eyes.namespace, "team=a", *BOB)
    four_eyes.annotate("example.com/note=x", *BOB)
    whole = four_eyes.get("manp", "training-a") | {"spec": {"poolName": "pool-a", "deletionPolicy": "Retain"}}
    four_eyes.run("replace", "-f", "-", *BOB, stdin=json.dumps(whole))
    assert four_eyes.confirmed_by() == "alice"


def test_it_goes_with_the_confirmation(four_eyes: Guarded) -> None:
    four_eyes.add()
    patches: list[Any] = [
        {"metadata": {"annotations": {CONFIRM_ANNOTATION: None}}},
        {"metadata": {"annotations": None}},
        [{"op": "replace", "path": "/metadata/annotations", "value": {CONFIRMED_BY_ANNOTATION: "bob"}}],
    ]
    for patch in patches:
        four_eyes.confirm("training-a", "training-a")
        assert four_eyes.confirmed_by() == ADMIN
        four_eyes.patch("training-a", patch, *ALICE)
        assert four_eyes.confirmed_by() is None, patch


def test_what_is_written_by_hand_at_the_creation_is_discarded(four_eyes: Guarded) -> None:
    for name, given, kept in (("one", {}, None), ("two", annotations("two"), "alice")):
        metadata = {"annotations": given | {CONFIRMED_BY_ANNOTATION: "bob"}}
        four_eyes.run("create", "-f", "-", *ALICE, stdin=four_eyes.node_pool(name=name, **metadata))
        assert four_eyes.confirmed_by(name) == kept


def test_what_is_written_by_hand_later_is_discarded(four_eyes: Guarded) -> None:
    settings = [f"{CONFIRMED_BY_ANNOTATION}{setting}" for setting in ("=bob", "=", "-")]
    four_eyes.add()
    for setting in settings:
        four_eyes.annotate(setting, *BOB)
        assert four_eyes.confirmed_by() is None, setting
    four_eyes.confirm("training-a", "training-a", *ALICE)
    for setting in settings:
        four_eyes.annotate(setting, *BOB)
        assert four_eyes.now().metadata.annotations == annotations("training-a", "alice"), setting


def test_a_confirmation_with_another_name_beside_it_shows_the_true_one(four_eyes: Guarded) -> None:
    four_eyes.add()
    four_eyes.patch("training-a", {"metadata": {"annotations": annotations("training-a", "bob")}}, *ALICE)
    assert four_eyes.confirmed_by() == "alice"


def test_a_write_to_the_status_cannot_change_it(four_eyes: Guarded) -> None:
    four_eyes.add(confirm="training-a")
    forged = {"metadata": {"annotations": annotations("training-a", "bob")}, "status": {"observedGeneration": 1}}
    four_eyes.patch("training-a", forged, "--subresource=status", *BOB)
    assert four_eyes.confirmed_by() == ADMIN


def test_a_dry_run_shows_it_and_stores_nothing(four_eyes: Guarded) -> None:
    four_eyes.add()
    patch = {"metadata": {"annotations": annotations("training-a")}}
    shown = four_eyes.patch("training-a", patch, "--dry-run=server", *ALICE)
    assert shown["metadata"]["annotations"] == annotations("training-a", "alice")
    assert four_eyes.confirmed_by() is None


def test_it_is_kept_on_an_object_that_is_being_deleted(four_eyes: Guarded) -> None:
    four_eyes.add_terminating(deletionPolicy="Retain")
    assert four_eyes.confirmed_by() == ADMIN
    four_eyes.annotate(f"{CONFIRM_ANNOTATION}-", *ALICE)
    assert four_eyes.confirmed_by() is None
    four_eyes.confirm("training-a", "training-a", *BOB)
    assert four_eyes.confirmed_by() == "bob"


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_gitops_tool_sees_no_drift(four_eyes: Guarded, confirmed: bool) -> None:  # noqa: FBT001 - a case
    user, as_tool = tool(four_eyes)
    manifest = body(four_eyes, "training-a") if confirmed else four_eyes.node_pool()
    # Twice: with defaults in the CRD, the API server stores the second apply, with or without a policy.
    four_eyes.run(*APPLY, *as_tool, stdin=manifest)
    four_eyes.run(*APPLY, *as_tool, stdin=manifest)
    if not confirmed:
        four_eyes.confirm("training-a", "training-a", "--field-manager=on-call", *ALICE)
    before = four_eyes.get("manp", "training-a")
    four_eyes.run(*APPLY, *as_tool, stdin=manifest)
    after = four_eyes.get("manp", "training-a")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    diff = ("diff", "--server-side", "--field-manager=kustomize-controller", "-f", "-")
    assert four_eyes.run(*diff, *as_tool, stdin=manifest) == ""
    assert four_eyes.confirmed_by() == (user if confirmed else "alice")
    # No field manager owns it, so none can conflict with another or remove it.
    managed = json.dumps(json.loads(four_eyes.run(*showing(four_eyes)))["metadata"]["managedFields"])
    assert CONFIRM_ANNOTATION in managed
    assert CONFIRMED_BY_ANNOTATION not in managed


def showing(guarded: Guarded) -> tuple[str, ...]:
    return ("get", "manp", "training-a", "-n", guarded.namespace, "-o", "json", "--show-managed-fields")


def test_a_manifest_with_a_false_name_gets_the_true_one_and_is_stable(four_eyes: Guarded) -> None:
    """As after an export of the live object into Git."""
    manifest = body(four_eyes, "training-a", "bob")
    four_eyes.run(*APPLY, *ALICE, stdin=manifest)
    assert four_eyes.confirmed_by() == "alice"
    four_eyes.run(*APPLY, *BOB, stdin=manifest)
    before = four_eyes.now()
    four_eyes.run(*APPLY, *BOB, stdin=manifest)
    assert four_eyes.now() == before
    # The manager owned the annotation. A manifest without it must not remove it.
    four_eyes.run(*APPLY, *BOB, stdin=body(four_eyes, "training-a"))
    assert four_eyes.confirmed_by() == "alice"


def test_a_manifest_without_the_confirmation_removes_both(four_eyes: Guarded) -> None:
    four_eyes.run(*APPLY, *ALICE, stdin=body(four_eyes, "training-a"))
    four_eyes.run(*APPLY, *ALICE, stdin=four_eyes.node_pool())
    assert four_eyes.now().metadata.annotations == {}


def test_client_side_apply_keeps_it(four_eyes: Guarded) -> None:
    manifest = body(four_eyes, "training-a")
    four_eyes.run("apply", "-f", "-", *ALICE, stdin=manifest)
    before = four_eyes.now()
    four_eyes.run("apply", "-f", "-", *BOB, stdin=manifest)
    assert four_eyes.now() == before
    assert four_eyes.confirmed_by() == "alice"


def forgers(guarded: Guarded) -> str:
    """Two policies of somebody else's that write another name into it, before and after ours."""
    rules = json.loads(guarded.run("get", "mutatingadmissionpolicy", CONFIRMED_BY, "-o", "json"))["spec"]
    items = []
    for name in ("aa-forger.example.com", "zz-forger.example.com"):
        written = f'{{"{CONFIRMED_BY_ANNOTATION}": "bob", "example.com/{name}": "was here"}}'
        apply = f"Object{{metadata: Object.metadata{{annotations: {written}}}}}"
        policy = {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": rules["matchConstraints"]["resourceRules"][:1]},
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": apply}}],
        }
        kinds = {"MutatingAdmissionPolicy": policy, "MutatingAdmissionPolicyBinding": {"policyName": name}}
        common = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
        items += [common | {"kind": kind, "spec": spec} for kind, spec in kinds.items()]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def test_other_policies_do_not_overrule_it(four_eyes: Guarded) -> None:
    def written_by_alice() -> dict[str, str]:
        confirmed = {"metadata": {"annotations": annotations("training-a")}}
        shown = four_eyes.patch("training-a", confirmed, "--dry-run=server", *ALICE)["metadata"]["annotations"]
        assert isinstance(shown, dict)
        return shown

    four_eyes.add()
    others = forgers(four_eyes)
    four_eyes.run("apply", "-f", "-", stdin=others)
    try:
        assert eventually(lambda: str(written_by_alice()).count("was here") == 2)
        assert written_by_alice()[CONFIRMED_BY_ANNOTATION] == "alice"
    finally:
        four_eyes.run("delete", "-f", "-", stdin=others)
        assert eventually(lambda: "was here" not in str(written_by_alice()))


def test_our_crds_carry_it_too_and_others_do_not(four_eyes: Guarded) -> None:
    kubectl = four_eyes.plane.kubectl

    def stamp(crd: str) -> str | None:
        done = kubectl.run(
            "annotate", "crd", crd, f"{CONFIRM_ANNOTATION}={crd}", "--dry-run=server", "-o", "json", *ALICE
        )
        found: dict[str, str] = json.loads(done.stdout)["metadata"]["annotations"]
        return found.get(CONFIRMED_BY_ANNOTATION)

    assert stamp(NODE_POOLS) == "alice"
    other = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "others.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"plural": "others", "kind": "Other"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }
    kubectl.run("create", "-f", "-", stdin=json.dumps(other))
    try:
        assert stamp("others.example.com") is None
    finally:
        kubectl.run("delete", "crd", "others.example.com")


@pytest.fixture(scope="module")
def operator_identity(four_eyes_plane: ControlPlane) -> Path:
    return four_eyes_plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)


def test_the_operators_own_writes_pass_and_change_nothing_of_it(four_eyes: Guarded, operator_identity: Path) -> None:
    own = ("--kubeconfig", str(operator_identity))

    def write(patch: Patch, *more: str) -> None:
        four_eyes.run(*four_eyes.patching("training-a", patch), *more, *own)

    four_eyes.add(confirm="training-a")
    write(build_finalizer_added(four_eyes.now()))
    write(build_status(four_eyes.now(), four_eyes.now().status), "--subresource=status")
    assert four_eyes.confirmed_by() == ADMIN
    four_eyes.run(*four_eyes.deleting(), "--wait=false", *ALICE)
    write(build_status(four_eyes.now(), four_eyes.now().status), "--subresource=status")
    assert four_eyes.confirmed_by() == ADMIN
    write(build_finalizer_removed(four_eyes.now()))
    assert four_eyes.names() == []
