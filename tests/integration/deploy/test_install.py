"""The chart installed with the real helm on a real control plane, the operator as the Deployment would start it.

There is no kubelet: the test starts what a Pod would run, with its arguments and variables, as its ServiceAccount.
"""

import json
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from lab.controlplane import AuditLog, ControlPlane
from lab.controlplane.ports import free_ports
from tests.support.api import ACCOUNTS, Api
from tests.support.cloud import Cloud
from tests.support.crds import NODE_POOLS
from tests.support.helm import CHART, RELEASE, Helm
from tests.support.jobs import running_the_next_job
from tests.support.manifests import Object, admitted, objects_in, only, pod_of
from tests.support.operator import NAME, NAMESPACE, USER, OperatorProcess
from tests.support.permissions import granted, used
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

PRODUCTION = CHART / "values-production.yaml"
# Given, and perhaps not used in the little that happens here.
SELDOM = {
    "get modelarts.huaweicloud.com modelartsnodepools",  # after a write that was not accepted
    "get modelarts.huaweicloud.com modelartsaccounts",  # likewise
    "get modelarts.huaweicloud.com modelartsnodepools/status",  # for kubectl
    "get modelarts.huaweicloud.com modelartsaccounts/status",  # likewise
}


# What doctor asks about itself; everybody who is logged in may (system:basic-user).
EVERYBODYS = {
    "create authentication.k8s.io selfsubjectreviews",
    "create authorization.k8s.io selfsubjectaccessreviews",
}

# What doctor tries and does without: webhooks that may stop writes, which the operator itself never reads.
DOCTORS = {
    "list admissionregistration.k8s.io validatingwebhookconfigurations",
    "list admissionregistration.k8s.io mutatingwebhookconfigurations",
}


@dataclass
class Installed:
    """A release, its operator at work, and one tenant whose account comes from the values."""

    helm: Helm
    values: Path
    notes: str
    operator: OperatorProcess
    tenant: Tenant
    began: datetime

    @property
    def plane(self) -> ControlPlane:
        return self.tenant.plane

    def asked(self) -> AuditLog:
        """What the operator and its commands have asked the API server for; other modules had operators, too."""
        return self.plane.audit().since(self.began).by_user(USER)

    def uninstall(self, *more: str) -> tuple[int, str]:
        done = self.helm.run("uninstall", RELEASE, "-n", NAMESPACE, *more, check=False)
        return done.code, done.stdout + done.stderr


def values_for(tenant: Tenant, cloud: Cloud, port: int) -> str:
    account = {
        "region": cloud.region,
        "projectId": cloud.project_id,
        "credentials": {"source": "Secret", "secretName": tenant.name},
        "grants": [{"namespaces": [tenant.name], "resourcePools": ["*"]}],
        "pollInterval": "1s",
        "activePollInterval": "1s",
    }
    told = {"httpPort": port, "endpoints": {cloud.region: cloud.endpoint}, "logLevel": "debug"}
    return yaml.safe_dump({"operator": told, "accounts": {tenant.name: account}})


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> Iterator[Api]:
    with Api(plane) as api:
        yield api


@pytest.fixture(scope="module")
def installed(
    plane: ControlPlane, helm: Helm, api: Api, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("install")
    with Cloud.running(folder) as cloud:
        operator = OperatorProcess(folder, "", folder / "unused.log")
        tenant = Tenant(plane, api, cloud, operator)
        values = folder / "values.yaml"
        values.write_text(values_for(tenant, cloud, free_ports(1)[0]))
        began = datetime.now(UTC)
        notes = helm.install(PRODUCTION, values)
        tenant.set_up(with_account=False)
        tenant.put_secret(accessKey=cloud.hello["accessKey"], secretKey=cloud.hello["secretKey"])
        kubeconfig = plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
        tenant.operator = OperatorProcess.as_deployed(container(plane), NAMESPACE, kubeconfig, folder / "operator.log")
        try:
            tenant.operator.start()
            yield Installed(helm, values, notes, tenant.operator, tenant, began)
            assert not tenant.operator.errors()
        finally:
            tenant.operator.end()


def container(plane: ControlPlane) -> Object:
    """That of the Deployment, as it is in the cluster."""
    deployment = json.loads(plane.kubectl.run("-n", NAMESPACE, "get", "deployment", NAME, "-o", "json").stdout)
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_one_run_brings_everything_and_the_notes_say_what_comes_next(installed: Installed) -> None:
    assert installed.tenant.api.get(f"{ACCOUNTS}/{installed.tenant.name}") is not None
    assert "An object can be deleted only if its annotation" in installed.notes
    assert "networkPolicy.apiServerPorts" in installed.notes
    assert "takeOver" not in installed.notes


def test_the_api_server_takes_every_object_strictly_and_without_a_warning(installed: Installed) -> None:
    manifest = installed.helm.run("get", "manifest", RELEASE, "-n", NAMESPACE).stdout
    strict = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")
    done = installed.plane.kubectl.run(*strict, stdin=manifest)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(objects_in(manifest))


def test_pods_of_deployment_and_hook_meet_the_restricted_standard(installed: Installed) -> None:
    enforce = "pod-security.kubernetes.io/enforce=restricted"
    installed.plane.kubectl.run("label", "namespace", NAMESPACE, enforce, "--overwrite")
    get = ("get", "manifest", RELEASE, "-n", NAMESPACE)
    objects = objects_in(installed.helm.run(*get).stdout)
    hooks = objects_in(installed.helm.run("get", "hooks", RELEASE, "-n", NAMESPACE).stdout)
    for workload in (only(objects, "Deployment"), only(hooks, "Job")):
        pod = pod_of(workload)
        assert admitted(installed.plane, pod) == ""
        pod["spec"]["securityContext"]["runAsNonRoot"] = False
        assert "violates PodSecurity" in admitted(installed.plane, pod)


def test_the_policies_are_in_force(installed: Installed) -> None:
    tenant = installed.tenant
    tenant.mirrored("guarded")
    refused = tenant.plane.kubectl.run("-n", tenant.name, "delete", "manp", "guarded", check=False)
    assert "was not deleted: that would delete node pool guarded" in refused.stderr
    refused = tenant.plane.kubectl.run("delete", "crd", NODE_POOLS, check=False)
    assert "would delete every object of its kind" in refused.stderr
    assert tenant.deletes() == []


def test_a_node_pool_goes_from_nothing_to_deleted(installed: Installed) -> None:
    tenant = installed.tenant
    tenant.mirrored("training-a")
    tenant.kubectl(
        *("-n", tenant.name, "annotate", "manp", "training-a"),
        "modelarts.huaweicloud.com/confirm-delete=training-a",
    )
    tenant.kubectl("-n", tenant.name, "delete", "manp", "training-a", "--timeout=240s")
    assert tenant.deletes("training-a") == ["accepted"]


def test_doctor_in_the_pod_sees_the_settings_of_the_operator(installed: Installed, tmp_path: Path) -> None:
    """The endpoint stands in the chart's values only: without it doctor would ask the public one."""
    kubeconfig = installed.plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    pod = container(installed.plane) | {"args": ["doctor"]}
    code, said = OperatorProcess.as_deployed(pod, NAMESPACE, kubeconfig, tmp_path / "doctor.log").to_its_end()
    assert code == 0, said
    assert installed.tenant.cloud.endpoint in said


def test_uninstalling_is_refused_while_an_object_needs_the_operator(installed: Installed, tmp_path: Path) -> None:
    tenant = installed.tenant
    tenant.mirrored("needed")
    kubeconfig = tenant.plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    with running_the_next_job(tenant.api, kubeconfig, tmp_path / "job.log") as ran:
        code, said = installed.uninstall("--timeout", "240s")
    assert ran.codes == [1]
    assert f"-n {tenant.name} manp needed" in ran.output
    assert f"maacct {tenant.name}" in ran.output
    assert (code, "uninstall-check" in said) == (1, True), said
    assert installed.plane.kubectl.run("-n", NAMESPACE, "get", "deployment", NAME).code == 0
    # As the Job says: a refused uninstall leaves the release in between.
    (cure,) = [line.strip() for line in ran.output.splitlines() if line.startswith("  helm rollback")]
    before = container(installed.plane)
    installed.helm.run(*shlex.split(cure)[1:])
    assert container(installed.plane) == before
    assert installed.tenant.operator.is_ready()


def test_an_upgrade_reaches_the_crds(installed: Installed, tmp_path: Path) -> None:
    chart = Path(shutil.copytree(CHART, tmp_path / "chart"))
    for path in (chart / "files" / "crds").glob("*modelartsnodepools.yaml"):
        path.write_text(path.read_text().replace("shortNames:\n    - manp", "shortNames:\n    - manp\n    - older"))
    names = ("get", "crd", NODE_POOLS, "-o", "jsonpath={.spec.names.shortNames}")
    installed.helm.install(PRODUCTION, installed.values, chart=chart)
    assert installed.plane.kubectl.run(*names).stdout == '["manp","older"]'
    installed.helm.install(PRODUCTION, installed.values)
    assert installed.plane.kubectl.run(*names).stdout == '["manp"]'


def test_a_second_release_is_refused(installed: Installed) -> None:
    second = ("install", "another", str(CHART), "-n", "elsewhere", "--create-namespace")
    done = installed.helm.run(*second, check=False)
    assert done.code != 0
    assert "cannot be imported into the current release" in done.stderr


def test_what_is_kept_outlives_the_release_and_no_right_was_too_many_or_too_few(
    installed: Installed, tmp_path: Path
) -> None:
    """The last of the module: objects first, then the account, then helm is let through, then what was used of RBAC."""
    tenant = installed.tenant
    for found in tenant.api.items(
        f"/apis/modelarts.huaweicloud.com/v1alpha1/namespaces/{tenant.name}/modelartsnodepools"
    ):
        name = found["metadata"]["name"]
        tenant.patch(name, {"spec": {"deletionPolicy": "Retain"}})
        tenant.delete(name)
        tenant.until_gone(name)
    tenant.kubectl("delete", "maacct", tenant.name, "--timeout=240s")
    rights, before = granted(tenant.plane), installed.asked()
    kubeconfig = tenant.plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    with running_the_next_job(tenant.api, kubeconfig, tmp_path / "job.log") as ran:
        code, said = installed.uninstall("--timeout", "240s")
    assert ran.codes == [0], ran.output
    assert code == 0, said
    assert installed.plane.kubectl.run("-n", NAMESPACE, "get", "deployment", "-o", "name").stdout == ""
    assert installed.plane.kubectl.run("get", "crd", NODE_POOLS).code == 0
    # The record of a watch is written when it ends.
    assert tenant.operator.stop()[0] == 0
    asked = installed.asked()
    # While the release is taken away its own rights go, and the operator here has no Pod to go with them.
    assert used(before.where(lambda event: event.code == httpx.codes.FORBIDDEN)) <= DOCTORS
    assert used(asked) - rights <= EVERYBODYS | DOCTORS
    assert rights - used(asked) <= SELDOM
