"""The control plane with our CRDs, and a namespace for each test. A pytest plugin, loaded by tests/conftest.py.

`crds` is the shared control plane once the CRDs are served; `cluster` adds a namespace of the test's own and the
few calls that tests of the API repeat; `dry_cluster` is for dry runs. No operator runs: nothing is ever written but
by the test.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lab.controlplane import ESTABLISHED, ControlPlane
from lab.harness.failures import ApiError
from modelarts_nodepool.api.names import API_VERSION, GROUP
from tests.support.api import ACCOUNTS as ACCOUNTS_PATH
from tests.support.api import NAMESPACES, Api, node_pools_in
from tests.support.liveness import eventually

REPOSITORY = Path(__file__).parents[2]
NODE_POOLS, ACCOUNTS = f"modelartsnodepools.{GROUP}", f"modelartsaccounts.{GROUP}"

NODE_POOL_SPEC: dict[str, Any] = {"poolName": "pool-a"}
ACCOUNT_SPEC: dict[str, Any] = {
    "region": "cn-north-4",
    "projectId": "0123",
    "credentials": {"secretName": "key"},
    "grants": [{"namespaces": ["ml"], "resourcePools": ["*"]}],
}

C = TypeVar("C", bound="Cluster")


class Cluster:
    """The control plane with our CRDs, and one namespace that belongs to the test.

    `run` and `refused` are what a person types: kubectl. The rest asks the API server directly, since kubectl costs a
    process a call; with further arguments of kubectl, `patch` is kubectl, too.
    """

    def __init__(self, plane: ControlPlane, namespace: str, api: Api) -> None:
        self.plane = plane
        self.namespace = namespace
        self.api = api

    def run(self, *args: str, stdin: str | None = None) -> str:
        return self.plane.kubectl.run(*args, stdin=stdin).stdout

    def refused(self, *args: str, stdin: str | None = None) -> str:
        """What kubectl said when the API server refused."""
        result = self.plane.kubectl.run(*args, stdin=stdin, check=False)
        assert result.code != 0, result.stdout
        return result.stderr

    def node_pool(self, spec: Mapping[str, Any] = NODE_POOL_SPEC, name: str = "training-a", **metadata: Any) -> str:  # noqa: ANN401 - JSON
        return to_json("ModelArtsNodePool", {"name": name, "namespace": self.namespace} | metadata, spec)

    def account(self, more: Mapping[str, Any]) -> str:
        return to_json("ModelArtsAccount", {"name": self.namespace}, ACCOUNT_SPEC | dict(more))

    def would_create(self, body: str) -> None:
        self._create(body, "&dryRun=All")

    def would_refuse(self, body: str) -> str:
        """The message of the API server."""
        return refusal_of(lambda: self._create(body, "&dryRun=All"))

    def create(self, body: str) -> dict[str, Any]:
        return self._create(body)

    def _create(self, body: str, more: str = "") -> dict[str, Any]:
        """Strictly: an unknown field is an error, not a warning."""
        content = json.loads(body)
        namespace = content["metadata"].get("namespace")
        path = ACCOUNTS_PATH if namespace is None else node_pools_in(namespace)
        return self.api.create(f"{path}?fieldManager=kubectl-create&fieldValidation=Strict{more}", content)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Without managedFields. Other kinds than ours are read by kubectl, which knows where they are."""
        paths = {"manp": self._path(name), "maacct": f"{ACCOUNTS_PATH}/{name}"}
        if kind not in paths:
            read: dict[str, Any] = json.loads(self.run("get", kind, name, "-n", self.namespace, "-o", "json"))
            return read
        found = self.api.get(paths[kind])
        assert found is not None, f"{kind} {name} is not there"
        found["metadata"].pop("managedFields", None)
        return found

    def names(self) -> list[str]:
        """The node pool objects of the namespace."""
        return [found["metadata"]["name"] for found in self.api.items(node_pools_in(self.namespace))]

    def patch(self, name: str, patch: Any, *more: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
        if more:
            found: dict[str, Any] = json.loads(self.run(*self.patching(name, patch), *more, "-o", "json"))
            return found
        return self._patch(name, patch)

    def patch_refused(self, name: str, patch: Any) -> str:  # noqa: ANN401 - JSON
        return refusal_of(lambda: self._patch(name, patch))

    def _patch(self, name: str, patch: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        if isinstance(patch, list):
            return self.api.json_patch(self._path(name), patch, "kubectl-patch")
        return self.api.merge(f"{self._path(name)}?fieldManager=kubectl-patch", patch)

    def patching(self, name: str, patch: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
        kind = "json" if isinstance(patch, list) else "merge"
        return ("patch", "manp", name, "-n", self.namespace, "--type", kind, "-p", json.dumps(patch))

    def tear_down(self) -> None:
        """Let every object go. The namespace stays, empty: to delete one costs the control plane seventy requests.

        Retain, so that no admission policy asks.
        """
        for name in self.names():
            self.api.merge(self._path(name), {"spec": {"deletionPolicy": "Retain"}, "metadata": {"finalizers": None}})
            self.api.delete(self._path(name))
        self.api.delete(f"{ACCOUNTS_PATH}/{self.namespace}")

    def _path(self, name: str) -> str:
        return f"{node_pools_in(self.namespace)}/{name}"


def refusal_of(call: Callable[[], object]) -> str:
    """The message of the API server, which has to refuse this."""
    with pytest.raises(ApiError) as refused:
        call()
    return str(json.loads(refused.value.answer)["message"])


@contextmanager
def namespace_of_its_own(plane: ControlPlane, api: Api, kind: type[C], prefix: str) -> Iterator[C]:
    """A namespace whose name is also the test's account's; emptied afterwards."""
    namespace = f"{prefix}-{uuid.uuid4().hex[:8]}"
    api.create(NAMESPACES, {"metadata": {"name": namespace}})
    cluster = kind(plane, namespace, api)
    yield cluster
    cluster.tear_down()


def to_json(kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    return json.dumps({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(REPOSITORY / "crds"))
    until_served(control_plane)
    return control_plane


def until_served(plane: ControlPlane) -> None:
    """Wait until kubectl finds both kinds, whose CRDs were just applied."""
    # kubectl gives up at once on a CRD whose conditions are null, as they are for a moment.
    wait = ("wait", ESTABLISHED, f"crd/{NODE_POOLS}", f"crd/{ACCOUNTS}")
    assert eventually(lambda: plane.kubectl.run(*wait, check=False).code == 0)
    # Discovery lists new kinds a moment later, and kubectl remembers what it found; `get` looks again.
    assert eventually(lambda: plane.kubectl.run("get", f"{NODE_POOLS},{ACCOUNTS}", "-A", check=False).code == 0)


@pytest.fixture(scope="session")
def crds_api(crds: ControlPlane) -> Iterator[Api]:
    with Api(crds) as api:
        yield api


@pytest.fixture
def dry_cluster(crds: ControlPlane, crds_api: Api) -> Cluster:
    """For tests that only ask what the API server would say: quicker, since nothing has to be cleaned away."""
    return Cluster(crds, "default", crds_api)


@pytest.fixture
def cluster(crds: ControlPlane, crds_api: Api) -> Iterator[Cluster]:
    """A namespace of its own, whose name is also the test's account's; emptied afterwards."""
    with namespace_of_its_own(crds, crds_api, Cluster, "crd") as cluster:
        yield cluster
