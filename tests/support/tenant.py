"""What belongs to one test on the shared control plane and the shared cloud: every name in it is its own.

A namespace, an account and its Secret share one name; a resource pool in the cloud is named after them.
"""

import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from lab.controlplane import ControlPlane
from lab.harness import objects
from modelarts_nodepool.api.names import GROUP, NODE_POOL_FINALIZER
from tests.support.api import ACCOUNTS, NAMESPACES, Api, Object, node_pools_in, secrets_in
from tests.support.cloud import Cloud
from tests.support.conditions import condition_of, says
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import growing_pauses
from tests.support.operator import NAMESPACE, OperatorProcess

_COMMAND = re.compile(r"kubectl [^;]+")
# In the cloud for as long as the test wants it to be.
SLOW = {"deleteSeconds": 3600}
# Timestamps of objects are whole seconds: after so long the next is a later one.
A_SECOND = 1.1


class Tenant:
    """One test's own corner."""

    def __init__(self, plane: ControlPlane, api: Api, cloud: Cloud, operator: OperatorProcess) -> None:
        self.plane, self.api, self.cloud, self.operator = plane, api, cloud, operator
        unique = uuid.uuid4().hex[:8]
        self.name = f"t-{unique}"
        self.resource_pool = f"rp-{unique}"
        self._more_namespaces: list[str] = []
        self._more_accounts: list[str] = []
        self._more_resource_pools: list[str] = []

    # What a test sets up.

    def set_up(self, *, with_account: bool = True) -> None:
        self.api.create(NAMESPACES, {"metadata": {"name": self.name}})
        self.cloud.put_resource_pool(self.resource_pool)
        # The last node pool of a resource pool is guarded: only tests of that guard have none beside theirs.
        self.in_cloud("stays")
        if with_account:
            self.put_secret(accessKey=self.cloud.hello["accessKey"], secretKey=self.cloud.hello["secretKey"])
            self.create_account()

    def another_namespace(self, suffix: str) -> str:
        name = f"{self.name}-{suffix}"
        self.api.create(NAMESPACES, {"metadata": {"name": name}})
        self._more_namespaces.append(name)
        return name

    def put_secret(self, **values: str) -> None:
        """Create the Secret or replace its values."""
        self.api.delete(f"{secrets_in(NAMESPACE)}/{self.name}")
        self.api.create(secrets_in(NAMESPACE), objects.build_secret(self.name, **values))

    def create_account(self, name: str | None = None, **spec: Any) -> Object:  # noqa: ANN401 - JSON
        if name is not None:
            self._more_accounts.append(name)
        body = objects.build_account(
            name or self.name,
            region=self.cloud.region,
            project_id=self.cloud.project_id,
            secret=self.name,
            grants=[{"namespaces": [self.name], "resourcePools": ["*"]}],
            pollInterval="1s",
            activePollInterval="1s",
            deletionBudget={"unlimited": True},
        )
        body["spec"] |= spec
        return self.api.create(ACCOUNTS, body)

    def change_account(self, **spec: Any) -> Object:  # noqa: ANN401 - JSON
        return self.api.merge(f"{ACCOUNTS}/{self.name}", {"spec": spec})

    def remove_account(self) -> None:
        """Away with it at once, whatever stands in the way."""
        path = f"{ACCOUNTS}/{self.name}"
        self.api.delete(path)
        self.api.strip(path)
        self.until_true(lambda: self.api.get(path) is None, "account gone")

    def put_key(self, **keys: Any) -> None:  # noqa: ANN401 - JSON
        """An access key of this test's own, in the cloud and in the Secret."""
        access = f"AK{self.name}"
        keys = {"secretKey": f"SK{uuid.uuid4().hex}"} | keys
        self.cloud.put_key(access, **keys)
        self.put_secret(accessKey=access, secretKey=keys["secretKey"])

    def create(self, name: str, namespace: str | None = None, finalizers: Iterable[str] = (), **spec: Any) -> Object:  # noqa: ANN401 - JSON
        """Create an object; nothing in the cloud."""
        body = objects.build_node_pool(
            name, account=self.name, resource_pool=self.resource_pool, metadata={"finalizers": list(finalizers)}
        )
        body["spec"] |= spec
        return self.api.create(node_pools_in(namespace or self.name), body)

    def mirrored(
        self,
        name: str,
        finalizers: Iterable[str] = (),
        cloud: Mapping[str, Any] | None = None,
        resource_pool: str | None = None,
    ) -> Object:
        """A node pool in the cloud and an object that shows it; `cloud` says what is special about the former."""
        self.in_cloud(name, cloud, resource_pool)
        self.create(name, finalizers=finalizers, poolName=resource_pool or self.resource_pool)
        return self.until_ready(name)

    def in_cloud(self, name: str, cloud: Mapping[str, Any] | None = None, resource_pool: str | None = None) -> None:
        """A node pool in the cloud alone."""
        keys = {"states": {"available": 2}} | dict(cloud or {})
        self.cloud.put_node_pool(resource_pool or self.resource_pool, name, **keys)

    def another_resource_pool(self, suffix: str, **keys: Any) -> str:  # noqa: ANN401 - JSON
        name = f"{self.resource_pool}-{suffix}"
        self.cloud.put_resource_pool(name, **keys)
        self._more_resource_pools.append(name)
        return name

    def everywhere(self, names: Iterable[str], **cloud: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
        """Mirrored objects, each with a resource pool of its own that has another node pool; by name."""
        pools = {name: self.another_resource_pool(name) for name in names}
        for name, resource_pool in pools.items():
            self.in_cloud("stays", resource_pool=resource_pool)
            self.in_cloud(name, cloud, resource_pool)
            self.create(name, poolName=resource_pool)
        for name in pools:
            self.until_ready(name)
        return pools

    # What a test does to objects.

    def path(self, name: str) -> str:
        return f"{node_pools_in(self.name)}/{name}"

    def patch(self, name: str, patch: Mapping[str, Any]) -> Object:
        return self.api.merge(self.path(name), patch)

    def annotate(self, name: str, **annotations: str | None) -> Object:
        """Annotations of our group, written with underscores: reconcile_at, paused, override."""
        own = {f"{GROUP}/{key.replace('_', '-')}": value for key, value in annotations.items()}
        return self.patch(name, {"metadata": {"annotations": own}})

    def delete(self, *names: str) -> None:
        for name in names:
            self.api.delete(self.path(name))

    def kubectl(self, *args: str) -> str:
        return self.plane.kubectl.run(*args).stdout

    def run_as_told(self, message: str, verb: str) -> None:
        """Paste the command with this verb out of a message into a shell, as a person would."""
        (command,) = [part for part in _COMMAND.findall(message) if part.split()[1] == verb]
        environment = self.plane.kubectl.environment()
        environment["PATH"] = f"{self.plane.kubectl.binary.parent}:{environment['PATH']}"
        done = subprocess.run(  # noqa: S603 - the operator's own words
            ["bash", "-euo", "pipefail", "-c", command],  # noqa: S607 - whichever the person has
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGING_SECONDS,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    # What a test sees.

    def get(self, name: str) -> Object:
        found = self.api.get(self.path(name))
        assert found is not None, f"object {name} is not there\n{self.report()}"
        return found

    def is_there(self, name: str) -> bool:
        return self.api.get(self.path(name)) is not None

    def is_held(self, name: str) -> bool:
        """Whether the object is there with our finalizer."""
        found = self.api.get(self.path(name))
        return found is not None and NODE_POOL_FINALIZER in found["metadata"].get("finalizers", [])

    def events(self, name: str) -> list[str]:
        """Reasons of the events about one object, oldest first."""
        found = self.api.events_about(name, self.name)
        found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [event["reason"] for event in found]

    def until(
        self, name: str, accept: Callable[[Object], object], what: str, seconds: float = HANGING_SECONDS
    ) -> Object:
        """The object as soon as it is as it should be."""
        deadline, pauses = time.monotonic() + seconds, growing_pauses()
        while True:
            found = self.api.get(self.path(name))
            if found is not None and accept(found):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"object {name}: not {what} within {seconds:g} s\n{self.report()}")
            time.sleep(next(pauses))

    def until_ready(
        self, name: str, reason: str = "NodesAvailable", status: str = "True", seconds: float = HANGING_SECONDS
    ) -> Object:
        return self.until(name, lambda found: says(found, "Ready", status, reason), f"Ready={status}/{reason}", seconds)

    def until_blocked(self, name: str, reason: str) -> str:
        """The message of DeletionBlocked, once it is so for this reason."""
        found = self.until(name, lambda found: says(found, "DeletionBlocked", "True", reason), f"blocked by {reason}")
        return str(condition_of(found, "DeletionBlocked")["message"])

    def until_gone(self, *names: str, seconds: float = HANGING_SECONDS) -> None:
        deadline, pauses = time.monotonic() + seconds, growing_pauses()
        while left := [name for name in names if self.is_there(name)]:
            assert time.monotonic() < deadline, f"not gone within {seconds:g} s: {left}\n{self.report()}"
            time.sleep(next(pauses))

    def until_event(self, name: str, reason: str) -> None:
        self.until_true(lambda: reason in self.events(name), f"the event {reason} about {name}")

    def until_metric(self, wanted: float, sample: str, **labels: str) -> None:
        """Until /metrics shows it: the API server shows what the operator did before the operator counts it."""
        self.until_true(
            lambda: self.operator.metrics().value(sample, **labels) == wanted, f"{wanted:g} {sample} {labels or ''}"
        )

    def until_true(self, condition: Callable[[], object], what: str, seconds: float = HANGING_SECONDS) -> None:
        deadline, pauses = time.monotonic() + seconds, growing_pauses()
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.report()}"
            time.sleep(next(pauses))

    def deletes(self, name: str | None = None) -> list[str]:
        """The effects of all DELETEs that reached the cloud, in order: accepted or none."""
        return [str(request["effect"]) for request in self.cloud.deletes(self.resource_pool, name)]

    def finish_delete(self, *names: str) -> None:
        for name in names:
            self.cloud.finish_delete(self.resource_pool, name)

    def lists_of_jobs(self) -> int:
        """How often the operator has listed the jobs of the resource pool."""
        return len(self.cloud.requests(self.resource_pool, "list_workloads"))

    def wait_for_looks(self, times: int) -> None:
        self.cloud.wait_for_looks([self.resource_pool], times)

    def report(self) -> str:
        """All that is known: for the message of a test that failed."""
        objects = self.api.items(node_pools_in(self.name))
        for found in objects:
            found["metadata"].pop("managedFields", None)
        account = self.api.get(f"{ACCOUNTS}/{self.name}")
        calls = self.cloud.requests(self.resource_pool)[-15:]
        keys = ("time", "operation", "nodePool", "status", "effect", "error", "fault")
        return "\n".join(
            [
                yaml.safe_dump_all(objects, sort_keys=False),
                f"account status: {json.dumps((account or {}).get('status'))}",
                *(f"cloud: {' '.join(str(call[key]) for key in keys)}" for call in calls),
                self.operator.tail(),
            ]
        )

    # Behind a test.

    def tear_down(self) -> None:
        """Nothing of this test is left for the operator to work on.

        Its namespaces stay, empty: to delete one costs the control plane some seventy requests.
        """
        for namespace in (self.name, *self._more_namespaces):
            for found in self.api.items(node_pools_in(namespace)):
                path = f"{node_pools_in(namespace)}/{found['metadata']['name']}"
                self.api.delete(path)
                self.api.strip(path)
        for account in (self.name, *self._more_accounts):
            self.api.delete(f"{ACCOUNTS}/{account}")
            self.api.strip(f"{ACCOUNTS}/{account}")
        self.api.delete(f"{secrets_in(NAMESPACE)}/{self.name}")
        # Faults name the resource pool, so that they go with it: there may be other tests beside this one.
        for resource_pool in (self.resource_pool, *self._more_resource_pools):
            self.cloud.remove_resource_pool(resource_pool)
