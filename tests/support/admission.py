"""A control plane of its own on which the shipped admission policies are in force. A pytest plugin by import only.

tests/integration/admission/conftest.py builds it: the policies must not reach the tests that share a control plane.
"""

import json
import re
import shlex
from typing import Any

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, CONFIRMED_BY_ANNOTATION
from modelarts_nodepool.api.objects import NodePool
from tests.support.api import Api
from tests.support.crds import NODE_POOLS, REPOSITORY, Cluster, until_served
from tests.support.liveness import eventually

POLICIES = REPOSITORY / "deploy" / "admission"
FOUR_EYES_POLICIES = POLICIES / "four-eyes"
CONFIRM_DELETE, NO_RETAIN_TO_DELETE, PROTECT_CRDS, CONFIRMED_BY, FOUR_EYES = (
    f"{name}.modelarts.huaweicloud.com"
    for name in ("confirm-delete", "no-retain-to-delete", "protect-crds", "confirmed-by", "four-eyes")
)
# Two people who may do everything, and who act one after the other.
ALICE, BOB = (("--as", name, "--as-group", "system:masters") for name in ("alice", "bob"))
# An object in the namespace default that was confirmed before four eyes was installed.
CONFIRMED_BEFORE = "confirmed-before"
# Keeps an object that is being deleted; the operator's finalizer would do as well, but says less.
HELD = "example.com/held"


class Guarded(Cluster):
    """A namespace where the policies are in force."""

    def denied(self, policy: str, *args: str, stdin: str | None = None) -> str:
        """The message of the policy that refused this, and not of anything else."""
        said = self.refused(*args, stdin=stdin)
        assert "(Forbidden)" in said, said
        _, found, message = said.partition(
            f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: "
        )
        assert found, said
        return message.strip()

    def add(self, name: str = "training-a", confirm: str | None = None, **spec: str) -> NodePool:
        """Create an object; with `confirm` it carries the annotation from the beginning."""
        annotations = {} if confirm is None else {CONFIRM_ANNOTATION: confirm}
        body = self.node_pool({"poolName": "pool-a"} | spec, name, annotations=annotations)
        return NodePool.from_body(self.create(body))

    def add_terminating(self, name: str = "training-a", **spec: str) -> NodePool:
        """Create an object and have it held in its deletion."""
        body = self.node_pool(
            {"poolName": "pool-a"} | spec, name, annotations={CONFIRM_ANNOTATION: name}, finalizers=[HELD]
        )
        self.create(body)
        self.run(*self.deleting(name), "--wait=false")
        return self.now(name)

    def now(self, name: str = "training-a") -> NodePool:
        return NodePool.from_body(self.get("manp", name))

    def deleting(self, name: str = "training-a") -> tuple[str, ...]:
        return ("delete", "manp", name, "-n", self.namespace)

    def confirm(self, name: str, value: str, *more: str) -> None:
        self.annotate(f"{CONFIRM_ANNOTATION}={value}", *more, name=name)

    def annotate(self, setting: str, *more: str, name: str = "training-a") -> None:
        self.run("annotate", "manp", name, "-n", self.namespace, setting, "--overwrite", *more)

    def confirmed_by(self, name: str = "training-a") -> str | None:
        return self.now(name).metadata.annotations.get(CONFIRMED_BY_ANNOTATION)

    def is_untouched(self, before: NodePool) -> bool:
        """Whether the object is still the same one and is not being deleted."""
        now = self.now(before.metadata.name)
        return now.metadata.uid == before.metadata.uid and now.metadata.deleted is None

    def run_shown(self, message: str, verb: str, *more: str) -> None:
        """Run the command that the message shows, as a person would paste it."""
        found = re.search(rf"kubectl ({verb} .*?--field-manager=on-call)", message)
        assert found, message
        self.run(*shlex.split(found[1]), *more)


def in_force(plane: ControlPlane, api: Api) -> None:
    """Install everything that is shipped, and wait: policies are heeded a moment after they were accepted."""
    plane.kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
    until_served(plane)
    plane.kubectl.run("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "base"))
    probe = Guarded(plane, "default", api)
    probe.add_terminating("probe", deletionPolicy="Retain")
    probe.add("alive")
    plane.kubectl.run("apply", "--server-side", "-k", str(POLICIES))
    dry = "--dry-run=server"
    asked: list[tuple[str, ...]] = [
        (*probe.deleting("alive"), dry),
        (*probe.patching("probe", {"spec": {"deletionPolicy": "Delete"}}), dry),
        ("delete", "crd", NODE_POOLS, dry),
    ]
    assert eventually(lambda: all(plane.kubectl.run(*args, check=False).code for args in asked))
    for name in ("probe", "alive"):
        plane.kubectl.run(
            *probe.patching(name, {"metadata": {"finalizers": None}, "spec": {"deletionPolicy": "Retain"}})
        )
    plane.kubectl.run(*probe.deleting("alive"))


def in_force_with_four_eyes(plane: ControlPlane, api: Api, *more: str) -> None:
    """Install the optional policies on such a control plane as well, and wait. `more`: arguments of kubectl apply."""
    plane.kubectl.run("apply", "--server-side", *(more or ("-k", str(FOUR_EYES_POLICIES))))
    probe = Guarded(plane, "default", api)

    def is_stamped() -> bool:
        body = probe.node_pool(name="stamped", annotations={CONFIRM_ANNOTATION: "stamped"})
        created = probe.run("create", "--dry-run=server", "-f", "-", "-o", "json", stdin=body)
        return CONFIRMED_BY_ANNOTATION in json.loads(created)["metadata"]["annotations"]

    assert eventually(is_stamped)
    probe.add("asked", confirm="asked")
    asked = (*probe.deleting("asked"), "--dry-run=server")
    assert eventually(lambda: FOUR_EYES in plane.kubectl.run(*asked, check=False).stderr)
    probe.run(*probe.deleting("asked"), *ALICE)


def without_four_eyes(plane: ControlPlane, api: Api) -> None:
    """Remove them again, and wait."""
    probe = Guarded(plane, "default", api)
    probe.add("asked", confirm="asked")
    plane.kubectl.run("delete", "-k", str(FOUR_EYES_POLICIES))
    asked = probe.deleting("asked")
    assert eventually(lambda: plane.kubectl.run(*asked, "--dry-run=server", check=False).code == 0)
    probe.run(*asked)


def policies(plane: ControlPlane) -> dict[str, dict[str, Any]]:
    """The policies as the API server keeps them, by name."""
    listed = json.loads(plane.kubectl.run("get", "validatingadmissionpolicies", "-o", "json").stdout)
    return {policy["metadata"]["name"]: policy for policy in listed["items"]}


def findings(plane: ControlPlane, name: str) -> Any:  # noqa: ANN401 - JSON
    """What type checking found in a policy, once it has looked at what is there now."""

    def is_checked() -> bool:
        policy = policies(plane)[name]
        return bool(policy.get("status", {}).get("observedGeneration") == policy["metadata"]["generation"])

    assert eventually(is_checked)
    return policies(plane)[name]["status"]["typeChecking"]
