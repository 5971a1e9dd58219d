"""doctor on API servers of other versions: what they do not offer is no failure that nobody could mend.

They stand behind a door that says what they would say. Kubernetes 1.30 drops selectableFields of a CRD, for the
feature gate CustomResourceFieldSelectors is on from 1.31 only.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from tests.support.commands import run
from tests.support.door import Door
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

# Without a Lease doctor has something to say about that.
OPERATOR_FLAGS = ("--leader-election",)
DEFINITIONS = ("CRD modelartsnodepools", "CRD modelartsaccounts")


@pytest.fixture(scope="module")
def door(installed: ControlPlane) -> Iterator[Door]:
    with Door.standing(installed) as door:
        yield door


def drop_selectable_fields(definition: dict[str, Any]) -> None:
    for version in definition["spec"]["versions"]:
        version.pop("selectableFields", None)


class Old:
    """Answers of an API server of this version; `loses` is a field of each CRD that somebody changed."""

    def __init__(self, version: str, loses: str = "") -> None:
        self._version = version
        self._loses = loses

    def __call__(self, path: str, said: dict[str, Any]) -> dict[str, Any]:
        if path == "/version":
            return said | {"gitVersion": self._version}
        if said.get("kind") == "CustomResourceDefinition":
            drop_selectable_fields(said)
            if self._loses:
                said["spec"]["versions"][0].pop(self._loses)
        return said


def checks_of(tenant: Tenant, door: Door, old: Old, folder: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the checks by name."""
    door.change(old)
    kubeconfig = door.kubeconfig(tenant.plane.kubeconfig, folder / "kubeconfig")
    done = run(
        *("doctor", "--account", tenant.name, "--kubeconfig", str(kubeconfig), "-o", "json"),
        *("--endpoint", f"{tenant.cloud.region}={tenant.cloud.endpoint}"),
    )
    return done.returncode, {check["check"]: check for check in json.loads(done.stdout)["checks"]}


@pytest.mark.parametrize("version", ["v1.30.0", "v1.30.14-eks-2f4e7b1", "v1.30.4-r0-30.0.12"])
def test_the_oldest_version_of_the_install_page_fails_nothing(
    tenant: Tenant, door: Door, tmp_path: Path, version: str
) -> None:
    tenant.mirrored("training-a")
    code, found = checks_of(tenant, door, Old(version), tmp_path)
    assert {name: check["message"] for name, check in found.items() if check["result"] == "Failed"} == {}
    assert code == 0
    assert f"{version} at" in found["API server"]["message"]
    assert "need v1.31 or newer" in found["API server"]["message"]
    assert "selectableFields, which this API server does not support" in found["CRD modelartsnodepools"]["message"]
    for name in DEFINITIONS:
        assert found[name]["result"] == "OK"
        assert found[name]["remedy"] is None


def test_what_can_be_mended_fails_on_the_oldest_version_too(tenant: Tenant, door: Door, tmp_path: Path) -> None:
    code, found = checks_of(tenant, door, Old("v1.30.14", loses="additionalPrinterColumns"), tmp_path)
    assert code == 1
    for name in DEFINITIONS:
        assert found[name]["result"] == "Failed"
        assert "printer columns" in found[name]["message"]
        assert "selectable" not in found[name]["message"]


def test_a_version_that_keeps_selectable_fields_is_told_to_get_them(tenant: Tenant, door: Door, tmp_path: Path) -> None:
    # As after an upgrade of the cluster from 1.30: the CRD was stored without them, and applying it brings them.
    _, found = checks_of(tenant, door, Old("v1.31.0"), tmp_path)
    selectable = [name for name in DEFINITIONS if "selectable fields" in found[name]["message"]]
    assert selectable == ["CRD modelartsnodepools"]
    assert "-f crds/" in found["CRD modelartsnodepools"]["remedy"]


def test_a_version_before_that_fails_with_what_is_needed(tenant: Tenant, door: Door, tmp_path: Path) -> None:
    code, found = checks_of(tenant, door, Old("v1.29.9"), tmp_path)
    assert code == 1
    assert found["API server"]["result"] == "Failed"
    assert "v1.30 or newer" in found["API server"]["message"]
