"""The control plane with our CRDs, and a namespace for each test. A pytest plugin, loaded by tests/conftest.py.

`crds` is the shared control plane once the CRDs are served; `cluster` adds a namespace of the test's own and the
few kubectl calls that tests of the API repeat; `dry_cluster` is for dry runs. No operator runs: nothing is ever
written but by the test.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ESTABLISHED, ControlPlane
from modelarts_nodepool.api.names import API_VERSION, GROUP
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


class Cluster:
    """The control plane with our CRDs, and one namespace that belongs to the test."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace

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
        """Strictly: an unknown field is an error, not a warning."""
        self.run("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=body)

    def would_refuse(self, body: str) -> str:
        """What kubectl said when the API server refused."""
        return self.refused("create", "--dry-run=server", "-f", "-", stdin=body)

    def create(self, body: str) -> dict[str, Any]:
        return self._object("create", "-f", "-", "-o", "json", stdin=body)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self._object("get", kind, name, "-n", self.namespace, "-o", "json")

    def patch(self, name: str, patch: Any, *more: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return self._object(*self.patching(name, patch), *more, "-o", "json")

    def patch_refused(self, name: str, patch: Any) -> str:  # noqa: ANN401 - JSON
        return self.refused(*self.patching(name, patch))

    def patching(self, name: str, patch: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
        kind = "json" if isinstance(patch, list) else "merge"
        return ("patch", "manp", name, "-n", self.namespace, "--type", kind, "-p", json.dumps(patch))

    def _object(self, *args: str, stdin: str | None = None) -> dict[str, Any]:
        found = json.loads(self.run(*args, stdin=stdin))
        assert isinstance(found, dict)
        return found


def to_json(kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    return json.dumps({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(REPOSITORY / "crds"))
    control_plane.kubectl.run("wait", ESTABLISHED, f"crd/{NODE_POOLS}", f"crd/{ACCOUNTS}")
    # Discovery lists new kinds a moment later, and kubectl remembers what it found; `get` looks again.
    assert eventually(lambda: control_plane.kubectl.run("get", "manp,maacct", "-A", check=False).code == 0)
    return control_plane


@pytest.fixture
def dry_cluster(crds: ControlPlane) -> Cluster:
    """For tests that only ask what the API server would say: quicker, since nothing has to be cleaned away."""
    return Cluster(crds, "default")


@pytest.fixture
def cluster(crds: ControlPlane) -> Iterator[Cluster]:
    """A namespace of its own, whose name is also the test's account's; emptied afterwards."""
    namespace = f"crd-{uuid.uuid4().hex[:8]}"
    crds.kubectl.run("create", "namespace", namespace)
    cluster = Cluster(crds, namespace)
    yield cluster
    names = cluster.run("get", "manp", "-n", namespace, "-o", "name").split()
    for name in names:
        cluster.run("patch", name, "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    cluster.run("delete", "maacct", namespace, "--ignore-not-found")
    cluster.run("delete", "namespace", namespace, "--wait=false")
