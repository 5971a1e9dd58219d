"""The operator on the shared control plane: its permissions, a cloud and a process for each module, a tenant a test."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.crds import REPOSITORY
from tests.support.operator import NAME, NAMESPACE, OperatorProcess, at_work
from tests.support.side_by_side import Corner, Outcomes
from tests.support.tenant import Tenant


@pytest.fixture(scope="session")
def installed(crds: ControlPlane) -> ControlPlane:
    """The control plane with CRDs and the permissions that are shipped."""
    crds.kubectl.run("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "base"))
    return crds


@pytest.fixture(scope="session")
def identity(installed: ControlPlane) -> Path:
    """The kubeconfig of the operator's own ServiceAccount: tests prove its permissions, too."""
    return installed.service_account_kubeconfig_blocking(NAMESPACE, NAME)


@pytest.fixture(scope="session")
def api(installed: ControlPlane) -> Iterator[Api]:
    with Api(installed) as api:
        yield api


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud.running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud
        accepted = Counter(
            (request["pool"], request["nodePool"]) for request in cloud.deletes() if request["effect"] == "accepted"
        )
        assert not [where for where, times in accepted.items() if times > 1], "a DELETE took effect twice"


@pytest.fixture(scope="module")
def operator(
    request: pytest.FixtureRequest, identity: Path, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """One that is ready; after the module it stops as it should and has logged no error of ours.

    A module may say OPERATOR_FLAGS, or OPERATOR_RUNS = False: then it is not started.
    """
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    if not getattr(request.module, "OPERATOR_RUNS", True):
        log.touch()
        yield OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", log)
        return
    flags: tuple[str, ...] = getattr(request.module, "OPERATOR_FLAGS", ())
    with at_work(OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", log, *flags)) as operator:
        yield operator


@pytest.fixture(scope="module")
def own_plane(empty_plane: ControlPlane) -> ControlPlane:
    """A control plane for the module alone, with the operator's permissions; its tests put the CRDs there."""
    empty_plane.kubectl.run("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "base"))
    return empty_plane


@pytest.fixture
def own_operator(own_plane: ControlPlane, cloud: Cloud, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Of that control plane, and not started yet."""
    identity = own_plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    operator = OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", tmp_path / "operator.log")
    yield operator
    operator.end()


@pytest.fixture
def served(own_plane: ControlPlane, cloud: Cloud, own_operator: OperatorProcess) -> Iterator[Tenant]:
    """Its tenant for as soon as the CRDs are there: call `set_up`."""
    with Api(own_plane) as api:
        tenant = Tenant(own_plane, api, cloud, own_operator)
        yield tenant
        tenant.tear_down()


@contextmanager
def living(plane: ControlPlane, api: Api, cloud: Cloud, operator: OperatorProcess) -> Iterator[Tenant]:
    """A namespace, an account with a good Secret, and a resource pool with one node pool of no interest."""
    tenant = Tenant(plane, api, cloud, operator)
    tenant.set_up()
    try:
        yield tenant
    finally:
        tenant.tear_down()


@pytest.fixture
def tenant(installed: ControlPlane, api: Api, cloud: Cloud, operator: OperatorProcess) -> Iterator[Tenant]:
    with living(installed, api, cloud, operator) as tenant:
        yield tenant


@pytest.fixture(scope="module")
def corner(installed: ControlPlane, api: Api, cloud: Cloud, operator: OperatorProcess) -> Corner:
    """For modules whose tests run at the same time: a tenant for each that asks."""
    return lambda: living(installed, api, cloud, operator)


@pytest.fixture(scope="module")
def chosen(request: pytest.FixtureRequest) -> list[str]:
    """The names of the module's tests that are to run, with their cases."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    return [item.name for item in items if item.module is request.module]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, chosen: list[str], corner: Corner) -> Outcomes:
    """All chosen scenarios of the module, run side by side at its first one."""
    return Outcomes(request.module.__name__, chosen, corner)
