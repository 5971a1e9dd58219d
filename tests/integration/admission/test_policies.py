"""The policies themselves: the API server finds no fault with them, each works alone, all fail closed."""

import json
from typing import Any

import pytest
import yaml

from lab.controlplane import ControlPlane
from tests.support.admission import CONFIRM_DELETE, POLICIES, Guarded, policies
from tests.support.liveness import eventually

FILES = sorted(set(POLICIES.glob("*.yaml")) - {POLICIES / "kustomization.yaml"})
DOCUMENTS = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in FILES}


def findings(plane: ControlPlane, name: str) -> Any:  # noqa: ANN401 - JSON
    """What type checking found, once it has looked at what is there now."""

    def is_checked() -> bool:
        policy = policies(plane)[name]
        return bool(policy.get("status", {}).get("observedGeneration") == policy["metadata"]["generation"])

    assert eventually(is_checked)
    return policies(plane)[name]["status"]["typeChecking"]


def test_there_are_the_three_policies_of_the_design() -> None:
    assert list(DOCUMENTS) == ["confirm-delete", "no-retain-to-delete", "protect-crds"]
    kustomization = yaml.safe_load((POLICIES / "kustomization.yaml").read_text())
    assert kustomization["resources"] == [path.name for path in FILES]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_file_holds_a_policy_and_its_binding_and_fails_closed(name: str) -> None:
    policy, binding = DOCUMENTS[name]
    full = f"{name}.modelarts.huaweicloud.com"
    assert policy["metadata"] == binding["metadata"] == {"name": full}
    assert binding["spec"] == {"policyName": full, "validationActions": ["Deny", "Audit"]}
    assert policy["spec"]["failurePolicy"] == "Fail"
    for validation in policy["spec"]["validations"]:
        assert validation["reason"] == "Forbidden"
        assert validation["message"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_file_passes_the_api_server_strictly(guarded_plane: ControlPlane, name: str) -> None:
    path = str(POLICIES / f"{name}.yaml")
    guarded_plane.kubectl.run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", path)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_type_checking_finds_nothing(guarded_plane: ControlPlane, name: str) -> None:
    assert findings(guarded_plane, f"{name}.modelarts.huaweicloud.com") == {}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_type_checking_finds_nothing_in_conditions_and_variables(guarded_plane: ControlPlane, name: str) -> None:
    """The API server checks validations only: a copy that is bound to nothing has everything as a validation."""
    spec = DOCUMENTS[name][0]["spec"]
    expressions = [part["expression"] for part in (*spec["matchConditions"], *spec.get("variables", []))]
    spec = spec | {"validations": [{"expression": f"[{expression}].size() == 1"} for expression in expressions]}
    copy = DOCUMENTS[name][0] | {"metadata": {"name": f"copy-of-{name}"}, "spec": spec}
    guarded_plane.kubectl.run("create", "-f", "-", stdin=json.dumps(copy))
    try:
        assert findings(guarded_plane, f"copy-of-{name}") == {}
    finally:
        guarded_plane.kubectl.run("delete", "validatingadmissionpolicy", f"copy-of-{name}")


def test_a_refusal_is_on_record_in_the_audit_log(guarded: Guarded) -> None:
    guarded.add("on-record")
    guarded.denied(CONFIRM_DELETE, *guarded.deleting("on-record"))
    lines = (guarded.plane.folder / "audit.log").read_text().splitlines()
    last = [event for event in map(json.loads, lines) if event["verb"] == "delete"][-1]
    assert last["objectRef"]["name"] == "on-record"
    failure = json.loads(last["annotations"]["validation.policy.admission.k8s.io/validation_failure"])[0]
    assert failure["policy"] == CONFIRM_DELETE
    assert failure["validationActions"] == ["Deny", "Audit"]


def test_an_api_server_that_has_just_started_refuses_too(guarded: Guarded) -> None:
    node_pool = guarded.add()
    guarded.plane.restart_apiserver_blocking()
    guarded.refused(*guarded.deleting())
    assert guarded.is_untouched(node_pool)
    guarded.denied(CONFIRM_DELETE, *guarded.deleting())
