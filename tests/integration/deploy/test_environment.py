"""The operator in the environment of its rendered Deployment and in nothing else, against a real API server.

Container engines differ in what they add: some write a line into /etc/passwd for the uid, or set HOME. Here nobody
does. The Deployments are those that helm makes of each file of values, and those of the overlays of Kustomize.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab.controlplane import Binaries, ControlPlane
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.crds import REPOSITORY
from tests.support.helm import CHART, RELEASE, VALUE_FILES, Helm
from tests.support.kustomize import build
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually
from tests.support.manifests import Object, objects_in, only
from tests.support.operator import NAME, NAMESPACE, OperatorProcess
from tests.support.pod import OperatorInPod, Pod
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

HELM = [path.name for path in VALUE_FILES]
KUSTOMIZE = ["demo", "production"]
# The image's, and one of those that OpenShift gives out.
UIDS = [65532, 1_000_670_000]
# The kubelet starts a container long before the Lease of one that was killed has run out.
START_SECONDS = HANGING_SECONDS


@dataclass
class Cluster:
    """With all that the operator needs but the operator."""

    plane: ControlPlane
    cloud: Cloud
    tenant: Tenant
    kubeconfig: Path
    helm: Helm
    binaries: Binaries
    folder: Path

    def deployment(self, source: str) -> Object:
        """As rendered: of a file of values, or of an overlay of Kustomize whose user added the endpoint."""
        if source in KUSTOMIZE:
            deployment = only(build(self.binaries, source), "Deployment")
            endpoint = {"name": "MODELARTS_NODEPOOL_ENDPOINT", "value": f"{self.cloud.region}={self.cloud.endpoint}"}
            deployment["spec"]["template"]["spec"]["containers"][0]["env"].append(endpoint)
            return deployment
        values = self.folder / "endpoint.yaml"
        values.write_text(yaml.safe_dump({"operator": {"endpoints": {self.cloud.region: self.cloud.endpoint}}}))
        files = ("-f", str(CHART / source), "-f", str(values))
        rendered = self.helm.run("template", RELEASE, str(CHART), "-n", NAMESPACE, *files).stdout
        return only(objects_in(rendered), "Deployment")

    def pod(self, source: str, uid: int) -> Pod:
        folder = Path(tempfile.mkdtemp(prefix=f"{source}-{uid}-", dir=self.folder))
        return Pod.of(self.deployment(source), uid, folder, self.kubeconfig)


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """One that other users can reach: nobody else can enter pytest's own."""
    with tempfile.TemporaryDirectory(prefix="modelarts-nodepool-pods-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def cluster(
    plane: ControlPlane, offline_helm: Helm, control_plane_binaries: Binaries, open_folder: Path
) -> Iterator[Cluster]:
    base = str(REPOSITORY / "deploy" / "kustomize" / "base")
    crds = str(REPOSITORY / "crds")
    plane.kubectl.run("apply", "--server-side", "-f", crds)
    plane.kubectl.run("apply", "--server-side", "-k", base)
    assert eventually(lambda: plane.kubectl.run("get", "manp,maacct", "-A", check=False).code == 0)
    kubeconfig = plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    with Api(plane) as api, Cloud.running(open_folder) as cloud:
        tenant = Tenant(plane, api, cloud, OperatorProcess(kubeconfig, "", open_folder / "unused.log"))
        try:
            tenant.set_up()
            yield Cluster(plane, cloud, tenant, kubeconfig, offline_helm, control_plane_binaries, open_folder)
        finally:
            tenant.tear_down()


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("source", [*HELM, *KUSTOMIZE])
def test_it_leads_and_mirrors_an_object_where_nothing_is_set_but_by_its_deployment(
    cluster: Cluster, source: str, uid: int
) -> None:
    operator = OperatorInPod(cluster.pod(source, uid), cluster.folder / f"{source}-{uid}.log")
    cluster.tenant.operator = operator
    name = f"{source.removesuffix('.yaml')}-{uid}"
    try:
        operator.start(START_SECONDS)
        cluster.tenant.mirrored(name)
        assert operator.metrics().value("leader") == 1
        code, _ = operator.stop()
        assert code == 0, operator.tail()
    finally:
        operator.end()
    # As JSON or as text, which the demo's values ask for.
    wrong = ('"level": "error"', " ERROR ", "Traceback")
    assert not [line for line in operator.text().splitlines() if any(words in line for words in wrong)]


@pytest.mark.parametrize("uid", UIDS)
def test_the_surroundings_are_as_poor_as_they_claim(cluster: Cluster, uid: int) -> None:
    """Else the tests beside this one show nothing."""
    pod = cluster.pod("production", uid)
    code = """
import getpass, json, os, pwd, tempfile
from pathlib import Path
def outcome(call):
    try:
        return str(call())
    except Exception as error:
        return type(error).__name__
print(json.dumps({
    "uid": os.getuid(),
    "user": outcome(getpass.getuser),
    "entry": outcome(lambda: pwd.getpwuid(os.getuid())),
    "home": outcome(Path.home),
    "temporary": outcome(tempfile.gettempdir),
    "file": outcome(lambda: Path("new").write_text("x")),
    # Python itself adds the locale where there is none.
    "variables": sorted(name for name in os.environ if name != "LC_CTYPE"),
}))
"""
    done = pod.run(pod.python("-c", code))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("user") in {"KeyError", "OSError"}
    declared = {variable["name"] for variable in pod.container["env"]}
    assert set(found.pop("variables")) == declared | {"KUBECONFIG"}
    assert found == {
        "uid": uid,
        "entry": "KeyError",
        "home": "RuntimeError",
        "temporary": "FileNotFoundError",
        "file": "PermissionError",
    }


@pytest.mark.parametrize(
    ("command", "words"),
    [("doctor", "CRD modelartsnodepools"), ("inventory", "stays"), ("uninstall-check", "finalizer")],
)
def test_commands_run_beside_it_in_the_same_container(cluster: Cluster, command: str, words: str) -> None:
    """What they find is another test's: no operator runs, so doctor fails, and objects may be left of others."""
    pod = cluster.pod("production", UIDS[0])
    done = pod.run(pod.command(command))
    assert done.returncode in {0, 1}, done
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run", "doctor", "inventory", "uninstall-check"])
def test_a_pod_without_a_service_account_says_so_and_does_not_look_for_a_home(cluster: Cluster, command: str) -> None:
    pod = cluster.pod("production", UIDS[0])
    done = pod.run(pod.command(command), KUBECONFIG="")
    assert done.returncode == 2, done
    assert "No way to the Kubernetes API server" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
