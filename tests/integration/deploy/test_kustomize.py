"""The overlays build with the real kubectl, and a real API server takes all of them."""

import json
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from tests.support.crds import NODE_POOLS, REPOSITORY
from tests.support.kustomize import OVERLAYS, build, kustomized
from tests.support.manifests import admitted, names, only, pod_of
from tests.support.operator import NAMESPACE

DEMO, PRODUCTION = (str(OVERLAYS / name) for name in ("demo", "production"))
APPLY = ("apply", "--server-side", "-k")


@pytest.fixture(scope="module")
def applied(plane: ControlPlane) -> ControlPlane:
    """The production overlay, on a control plane that has the CRDs."""
    plane.kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
    plane.kubectl.run(*APPLY, PRODUCTION)
    return plane


def test_applying_twice_changes_nothing(applied: ControlPlane) -> None:
    def versions() -> dict[str, int]:
        """By the generation, where there is one: controllers write status, and that is none of ours."""
        listed = json.loads(applied.kubectl.run("get", "-k", PRODUCTION, "-o", "json").stdout)
        return {item["metadata"]["uid"]: item["metadata"].get("generation", 0) for item in listed["items"]}

    before = versions()
    applied.kubectl.run(*APPLY, PRODUCTION)
    assert versions() == before
    assert len(before) == len(build(applied.binaries, PRODUCTION))
    assert applied.kubectl.run("diff", "--server-side", "-k", PRODUCTION).stdout == ""


@pytest.mark.parametrize("overlay", [DEMO, PRODUCTION], ids=["demo", "production"])
def test_the_api_server_admits_every_object_without_a_warning(applied: ControlPlane, overlay: str) -> None:
    dry = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    done = applied.kubectl.run(*dry, stdin=kustomized(applied.binaries, Path(overlay)))
    assert done.stderr == ""


@pytest.mark.parametrize("overlay", [DEMO, PRODUCTION], ids=["demo", "production"])
def test_the_pod_meets_the_restricted_standard_that_its_namespace_enforces(applied: ControlPlane, overlay: str) -> None:
    pod = pod_of(only(build(applied.binaries, overlay), "Deployment"))
    assert admitted(applied, pod) == ""
    pod["spec"]["containers"][0]["securityContext"]["capabilities"] = {}
    assert 'violates PodSecurity "restricted:latest"' in admitted(applied, pod)


def test_production_refuses_accidents(applied: ControlPlane) -> None:
    policies = [
        name for name in names(build(applied.binaries, PRODUCTION)) if name.startswith("ValidatingAdmissionPolicy/")
    ]
    assert len(policies) == 3
    said = applied.kubectl.run("delete", "crd", NODE_POOLS, "--dry-run=server", check=False)
    assert "was not deleted: that would delete every object of its kind" in said.stderr


def test_the_demo_is_one_replica_that_nothing_keeps_from_moving(applied: ControlPlane) -> None:
    objects = build(applied.binaries, DEMO)
    deployment = only(objects, "Deployment")
    assert deployment["spec"]["replicas"] == 1
    assert not [name for name in names(objects) if name.startswith(("PodDisruptionBudget", "ValidatingAdmission"))]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":dev")


def test_the_crds_are_in_no_overlay_so_that_deleting_it_deletes_no_objects(applied: ControlPlane) -> None:
    for overlay in (DEMO, PRODUCTION):
        assert not [
            name for name in names(build(applied.binaries, overlay)) if name.startswith("CustomResourceDefinition")
        ]


def test_services_and_policies_select_the_pods_of_the_deployment(applied: ControlPlane) -> None:
    objects = build(applied.binaries, PRODUCTION)
    labels = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        only(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        only(objects, "Service")["spec"]["selector"],
        only(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        only(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    assert all(selector for selector in selectors)
    assert {item["metadata"].get("namespace", NAMESPACE) for item in objects} == {NAMESPACE}
