"""Two people for each deletion: the user who confirmed cannot delete, and no controller deletes for an unknown user."""

import json
import re
import shlex
from collections.abc import Iterator

import pytest
import yaml

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, GROUP
from tests.support.admission import (
    ALICE,
    BOB,
    CONFIRM_DELETE,
    CONFIRMED_BEFORE,
    FOUR_EYES,
    FOUR_EYES_POLICIES,
    Guarded,
    findings,
    in_force_with_four_eyes,
)
from tests.support.crds import NODE_POOLS
from tests.support.liveness import eventually

CONTROLLERS = [
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:kube-controller-manager",
]
RAW = f"/apis/{GROUP}/v1alpha1/namespaces/{{}}/modelartsnodepools"


def shown(message: str, verb: str) -> list[str]:
    """The arguments of the commands of kubectl in a refusal, as a shell splits them."""
    found = re.findall(rf"kubectl ({verb} [^;&]*[^;& ])", message)
    assert found, message
    return [str(command) for command in found]


def confirmed_by_alice(guarded: Guarded, **spec: str) -> None:
    guarded.add(**spec)
    guarded.confirm("training-a", spec.get("nodePoolName", "training-a"), *ALICE)


def test_who_confirmed_cannot_delete_and_another_person_can(four_eyes: Guarded) -> None:
    confirmed_by_alice(four_eyes)
    before = four_eyes.now()
    four_eyes.denied(FOUR_EYES, "delete", "manp", "--all", "-n", four_eyes.namespace, *ALICE)
    message = four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), *ALICE)
    assert message.startswith(f"ModelArtsNodePool {four_eyes.namespace}/training-a was not deleted: alice confirmed")
    assert four_eyes.is_untouched(before)
    [delete] = shown(message, "delete")
    four_eyes.run(*shlex.split(delete), *BOB)
    assert four_eyes.names() == []


@pytest.mark.parametrize("spec", [{}, {"nodePoolName": "training-cloud"}], ids=["same name", "another name"])
def test_another_person_can_confirm_instead(four_eyes: Guarded, spec: dict[str, str]) -> None:
    confirmed_by_alice(four_eyes, **spec)
    message = four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), *ALICE)
    for command in shown(message, "annotate"):
        four_eyes.run(*shlex.split(command), *BOB)
    assert four_eyes.confirmed_by() == "bob"
    four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), *BOB)
    four_eyes.run(*four_eyes.deleting(), *ALICE)
    assert four_eyes.names() == []


def test_nothing_that_the_same_person_writes_goes_round_it(four_eyes: Guarded) -> None:
    confirmed_by_alice(four_eyes)
    before = four_eyes.now()
    for patch in (
        {"metadata": {"annotations": {f"{GROUP}/confirmed-by": "bob"}}},
        {"metadata": {"annotations": {f"{GROUP}/confirmed-by": None}}},
        {"metadata": {"annotations": {CONFIRM_ANNOTATION: "x"}}},
        {"metadata": {"annotations": {CONFIRM_ANNOTATION: "training-a", f"{GROUP}/confirmed-by": "bob"}}},
    ):
        four_eyes.patch("training-a", patch, *ALICE)
        four_eyes.refused(*four_eyes.deleting(), *ALICE)
    assert four_eyes.is_untouched(before)


def test_a_deletecollection_is_refused_as_well(four_eyes: Guarded) -> None:
    confirmed_by_alice(four_eyes)
    path = RAW.format(four_eyes.namespace)
    assert four_eyes.denied(FOUR_EYES, "delete", "--raw", path, *ALICE)
    four_eyes.run("delete", "--raw", path, *BOB)
    assert four_eyes.names() == []


def test_type_checking_finds_nothing(four_eyes_plane: ControlPlane) -> None:
    assert findings(four_eyes_plane, FOUR_EYES) == {}


def test_a_dry_run_tells_beforehand(four_eyes: Guarded) -> None:
    confirmed_by_alice(four_eyes)
    four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), "--dry-run=server", *ALICE)
    four_eyes.run(*four_eyes.deleting(), "--dry-run=server", *BOB)


def test_a_deletion_that_is_not_confirmed_is_refused_by_each_policy_alone(four_eyes: Guarded) -> None:
    node_pool = four_eyes.add()
    four_eyes.run("delete", "validatingadmissionpolicybinding", CONFIRM_DELETE)
    try:

        def said() -> str:
            return four_eyes.refused(*four_eyes.deleting(), "--dry-run=server", *ALICE)

        assert eventually(lambda: FOUR_EYES in said())
        message = said()
    finally:
        four_eyes.run("apply", "--server-side", "-k", str(FOUR_EYES_POLICIES.parent))
        assert eventually(lambda: bool(four_eyes.refused(*four_eyes.deleting(), "--dry-run=server", *ALICE)))
    assert "its deletion is not confirmed, and a deletion needs two people" in message
    assert four_eyes.is_untouched(node_pool)
    for command in shown(message, "annotate"):
        four_eyes.run(*shlex.split(command), *BOB)
    four_eyes.run(*four_eyes.deleting(), *ALICE)


def test_a_controller_deletes_for_an_unknown_user_and_is_refused(four_eyes: Guarded) -> None:
    confirmed_by_alice(four_eyes)
    for user in CONTROLLERS:
        message = four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), "--as", user, "--as-group", "system:masters")
        assert "alice confirmed, so another person must delete" in message
    message = four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), "--as", CONTROLLERS[0], "--as-group", "system:masters")
    four_eyes.run(*shlex.split(shown(message, "delete")[0]), *BOB)
    assert four_eyes.names() == []


def test_a_namespace_that_is_deleted_waits_until_another_person_deletes_its_node_pools(four_eyes: Guarded) -> None:
    """Who confirms and deletes the namespace would have deleted the node pool alone."""
    confirmed_by_alice(four_eyes)
    before = four_eyes.now()
    four_eyes.run("delete", "namespace", four_eyes.namespace, "--wait=false", *ALICE)

    def said() -> str:
        namespace = json.loads(four_eyes.run("get", "namespace", four_eyes.namespace, "-o", "json"))
        conditions = namespace["status"].get("conditions", [])
        return " ".join(item["message"] for item in conditions if item["type"] == "NamespaceDeletionContentFailure")

    assert eventually(lambda: "a deletion needs two people" in said()), said()
    assert four_eyes.is_untouched(before)
    four_eyes.run(*four_eyes.deleting(), *BOB)
    gone = ("get", "namespace", four_eyes.namespace)
    assert eventually(lambda: four_eyes.plane.kubectl.run(*gone, check=False).code != 0), said()


def test_what_keeps_the_node_pool_needs_one_person(four_eyes: Guarded) -> None:
    confirmed_by_alice(four_eyes, deletionPolicy="Retain")
    four_eyes.run(*four_eyes.deleting(), *ALICE)
    assert four_eyes.names() == []


def test_what_is_being_deleted_can_be_deleted_again(four_eyes: Guarded) -> None:
    confirmed_by_alice(four_eyes)
    four_eyes.patch("training-a", {"metadata": {"finalizers": ["example.com/held"]}})
    four_eyes.run(*four_eyes.deleting(), "--wait=false", *BOB)
    four_eyes.run(*four_eyes.deleting(), "--wait=false", *ALICE)


def test_the_crds_need_two_people_as_well(four_eyes: Guarded) -> None:
    def annotate(setting: str) -> None:
        four_eyes.run("annotate", "crd", NODE_POOLS, setting, "--field-manager=on-call", *ALICE)

    annotate(f"{CONFIRM_ANNOTATION}={NODE_POOLS}")
    try:
        delete = ("delete", "crd", NODE_POOLS, "--dry-run=server")
        message = four_eyes.denied(FOUR_EYES, *delete, *ALICE)
        assert f"CustomResourceDefinition {NODE_POOLS} was not deleted: alice confirmed" in message
        assert shown(message, "delete") == [f"delete crd {NODE_POOLS}"]
        four_eyes.run(*delete, *BOB)
        for command in shown(message, "annotate"):
            four_eyes.run(*shlex.split(command), *BOB)
        four_eyes.run(*delete, *ALICE)
    finally:
        annotate(f"{CONFIRM_ANNOTATION}-")


@pytest.mark.parametrize("user", ["a" * 300, "alice; rm -rf /"], ids=["long", "a command"])
def test_a_strange_user_name_is_compared_whole_and_shown_safely(four_eyes: Guarded, user: str) -> None:
    person = ("--as", user, "--as-group", "system:masters")
    four_eyes.add()
    four_eyes.confirm("training-a", "training-a", *person)
    assert four_eyes.confirmed_by() == user
    message = four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), *person)
    assert ("a user whose name cannot be shown" in message) is (len(user) > 253)
    assert shown(message, "delete") == [f"delete manp -n {four_eyes.namespace} training-a"]
    four_eyes.run(*four_eyes.deleting(), *person[:1], user + "a", *person[2:])


@pytest.fixture
def exempt(four_eyes: Guarded, four_eyes_plane: ControlPlane) -> Iterator[tuple[str, ...]]:
    """A GitOps tool whose ServiceAccount may confirm and delete, by the patch that the kustomization shows."""
    four_eyes.run("create", "serviceaccount", "gitops", "-n", four_eyes.namespace)
    who = f"--serviceaccount={four_eyes.namespace}:gitops"
    four_eyes.run("create", "clusterrolebinding", four_eyes.namespace, "--clusterrole=cluster-admin", who)
    kubeconfig = four_eyes.plane.service_account_kubeconfig_blocking(four_eyes.namespace, "gitops")
    overlay = FOUR_EYES_POLICIES / "kustomization.yaml"
    example = re.findall(r"^#   (.*)$", overlay.read_text(), re.MULTILINE)
    [entry] = yaml.safe_load("\n".join(example))["patches"]
    patch = entry["patch"].replace("flux-system:kustomize-controller", f"{four_eyes.namespace}:gitops")
    name = f"validatingadmissionpolicy/{entry['target']['name']}"
    four_eyes.run("patch", name, "--type=json", "-p", json.dumps(yaml.safe_load(patch)))
    yield ("--kubeconfig", str(kubeconfig))
    in_force_with_four_eyes(four_eyes_plane, four_eyes.api, "--force-conflicts", "-k", str(FOUR_EYES_POLICIES))


def test_an_exempt_gitops_tool_may_do_both_and_no_other_user_may(four_eyes: Guarded, exempt: tuple[str, ...]) -> None:
    manifest = four_eyes.node_pool(annotations={CONFIRM_ANNOTATION: "training-a"})
    four_eyes.run("apply", "--server-side", "-f", "-", *exempt, stdin=manifest)
    dry = (*four_eyes.deleting(), "--dry-run=server")
    assert eventually(lambda: four_eyes.plane.kubectl.run(*dry, *exempt, check=False).code == 0)
    four_eyes.run(*four_eyes.deleting(), *exempt)
    confirmed_by_alice(four_eyes)
    four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), *ALICE)


def test_a_gitops_tool_that_is_not_exempt_needs_another_person(four_eyes: Guarded) -> None:
    user = f"system:serviceaccount:{four_eyes.namespace}:gitops"
    gitops = ("--as", user, "--as-group", "system:masters")
    four_eyes.run(
        "apply",
        "--server-side",
        "-f",
        "-",
        *gitops,
        stdin=four_eyes.node_pool(annotations={CONFIRM_ANNOTATION: "training-a"}),
    )
    assert f"{user} confirmed this deletion" in four_eyes.denied(FOUR_EYES, *four_eyes.deleting(), *gitops)
    four_eyes.run(*four_eyes.deleting(), *ALICE)


def test_a_confirmation_from_before_the_policies_has_to_be_given_again(
    four_eyes: Guarded,
) -> None:
    path = ("manp", CONFIRMED_BEFORE, "-n", "default")
    message = four_eyes.denied(FOUR_EYES, "delete", *path, *ALICE)
    assert "its confirmation does not show who confirmed" in message
    for command in shown(message, "annotate"):
        four_eyes.run(*shlex.split(command), *BOB)
    four_eyes.run("delete", *path, *ALICE)
