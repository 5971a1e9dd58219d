"""The policies themselves: the API server finds no fault with them, each works alone, all fail closed."""

import json

import pytest
import yaml

from lab.controlplane import ControlPlane
from tests.support.admission import CONFIRM_DELETE, FOUR_EYES_POLICIES, POLICIES, Guarded, findings

FILES = {path.stem: path for path in sorted(POLICIES.glob("**/*.yaml")) if path.name != "kustomization.yaml"}
DOCUMENTS = {name: list(yaml.safe_load_all(path.read_text())) for name, path in FILES.items()}
VALIDATING = [name for name, (policy, _) in DOCUMENTS.items() if policy["kind"] == "ValidatingAdmissionPolicy"]
ALWAYS = [name for name, path in FILES.items() if path.parent == POLICIES]
OPTIONAL = [name for name, path in FILES.items() if path.parent == FOUR_EYES_POLICIES]


def test_there_are_the_policies_of_the_design() -> None:
    assert ALWAYS == ["confirm-delete", "no-retain-to-delete", "protect-crds"]
    assert OPTIONAL == ["confirmed-by", "four-eyes"]
    for folder, names in ((POLICIES, ALWAYS), (FOUR_EYES_POLICIES, OPTIONAL)):
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        assert kustomization["resources"] == [f"{name}.yaml" for name in names]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_file_holds_a_policy_and_its_binding_and_fails_closed(name: str) -> None:
    policy, binding = DOCUMENTS[name]
    full = f"{name}.modelarts.huaweicloud.com"
    assert policy["metadata"] == binding["metadata"] == {"name": full}
    actions = {"validationActions": ["Deny", "Audit"]} if name in VALIDATING else {}
    assert binding["spec"] == {"policyName": full} | actions
    assert policy["spec"]["failurePolicy"] == "Fail"
    for validation in policy["spec"].get("validations", []):
        assert validation["reason"] == "Forbidden"
        assert validation["message"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_file_passes_the_api_server_strictly(guarded_plane: ControlPlane, name: str) -> None:
    path = str(FILES[name])
    guarded_plane.kubectl.run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", path)


@pytest.mark.parametrize("name", ALWAYS)
def test_type_checking_finds_nothing(guarded_plane: ControlPlane, name: str) -> None:
    assert findings(guarded_plane, f"{name}.modelarts.huaweicloud.com") == {}


@pytest.mark.parametrize("name", VALIDATING)
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
