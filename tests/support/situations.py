"""What each page of the docs takes for granted when it shows a command: objects, and a cloud with their node pools.

Everything is named as on the pages: the namespace ml, the account default, the object training-a.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from modelarts_nodepool.api.names import API_VERSION, CONFIRM_ANNOTATION, PAUSED_ANNOTATION
from tests.support.api import ACCOUNTS, Api, Object, node_pools_in, secrets_in
from tests.support.cloud import Cloud
from tests.support.conditions import says
from tests.support.liveness import eventually
from tests.support.operator import NAMESPACE
from tests.support.reader import ML

States = Mapping[str, int]
# Resource pools by name: how they are billed, and the states of their node pools.
World = Mapping[str, tuple[str, Mapping[str, States]]]

TWO: Mapping[str, States] = {"training-a": {"available": 3}, "training-b": {"available": 2}}
PLAIN: World = {"pool-3f2c": ("0", TWO)}
YEARLY: World = {"pool-3f2c": ("0", TWO), "pool-y": ("1", {"yearly-d": {"available": 4}})}
MIXED = {"pool-3f2c-default": {"available": 1}, **TWO, "training-b": {"available": 1, "abnormal": 1}}
MANY: World = {
    "pool-3f2c": ("0", MIXED),
    "pool-e0a7": ("0", {}),
    "pool-y9d1": ("1", {"reserved-a": {"available": 2}, "training-b": {"available": 2}}),
}
FIVE: World = {
    "pool-3f2c": ("0", {**TWO, "training-c": {"available": 2}, "serving-g": {"available": 1}}),
    "pool-y": YEARLY["pool-y"],
    "pool-e0a7": ("0", {"research-e": {"available": 2}, "research-f": {"available": 2}}),
}
SHORT_SECONDS, WATCHED_SECONDS, LONG_SECONDS = 2, 8, 3600


@dataclass(frozen=True)
class Situation:
    """Set up one after the other in the same namespace."""

    api: Api
    cloud: Cloud

    def paths(self) -> list[str]:
        """Of all node pool objects."""
        return [_path(found["metadata"]["name"]) for found in self.api.items(node_pools_in(ML))]

    def clear(self) -> None:
        """No object is left; their node pools are nobody's any more."""
        for path in self.paths():
            self.api.merge(path, {"spec": {"deletionPolicy": "Retain"}})
            self.api.delete(path)
        assert eventually(lambda: not self.paths()), self.paths()

    def holds(self, world: World, delete_seconds: int = SHORT_SECONDS) -> None:
        """The cloud holds these resource pools and no others."""
        for resource_pool in {*YEARLY, *MANY}:
            self.cloud.remove_resource_pool(resource_pool)
        self.cloud.change({"timings": {"deleteSeconds": delete_seconds}})
        for resource_pool, (billing, node_pools) in world.items():
            self.cloud.put_resource_pool(resource_pool, billingMode=billing)
            for name, states in node_pools.items():
                self.cloud.put_node_pool(resource_pool, name, states=dict(states))

    def creates(self, *names: str, resource_pool: str = "pool-3f2c") -> None:
        """Objects in the namespace ml, each looked at by the operator."""
        grants = [{"namespaces": [ML], "resourcePools": ["*"]}]
        self.api.merge(f"{ACCOUNTS}/default", {"spec": {"grants": grants}})
        kind = {"apiVersion": API_VERSION, "kind": "ModelArtsNodePool"}
        for name in names:
            body = kind | {"metadata": {"name": name}, "spec": {"poolName": resource_pool}}
            self.api.create(node_pools_in(ML), body)
            self.until(name, lambda found: says(found, "Ready", "True") or says(found, "Ready", "False"))

    def deletes(self, name: str) -> None:
        """As somebody who confirms it, as the policy of the production overlay asks for."""
        self.api.merge(_path(name), {"metadata": {"annotations": {CONFIRM_ANNOTATION: name}}})
        self.api.delete(_path(name))

    def until(self, name: str, accept: Callable[[Object], bool]) -> None:
        def is_so() -> bool:
            found = self.api.get(_path(name))
            return found is not None and accept(found)

        assert eventually(is_so), (name, self.api.get(_path(name)))


def _path(name: str) -> str:
    return f"{node_pools_in(ML)}/{name}"


def plain(now: Situation) -> None:
    """One object of a node pool that lives."""
    now.holds(PLAIN)
    now.creates("training-a")


def before_the_key(now: Situation) -> None:
    """The same; the Secret is still to be made."""
    plain(now)
    now.api.delete(f"{secrets_in(NAMESPACE)}/modelarts-credentials")


def one_more_is_held(now: Situation) -> None:
    """Beside the object that the page about installing has made, one whose deletion is held.

    What is deleted takes long enough for the commands that look at it meanwhile.
    """
    now.cloud.change({"timings": {"deleteSeconds": WATCHED_SECONDS}})
    now.creates("yearly-d", resource_pool="pool-y")
    now.deletes("yearly-d")


def in_the_middle(now: Situation) -> None:
    """One is being deleted, one lives, one is held."""
    now.holds(YEARLY, LONG_SECONDS)
    now.creates("training-a", "training-b")
    now.creates("yearly-d", resource_pool="pool-y")
    now.deletes("training-a")
    now.deletes("yearly-d")
    now.until("training-a", lambda found: found["status"]["counts"]["deleting"] == TWO["training-a"]["available"])
    now.until("yearly-d", lambda found: says(found, "Ready", "False", "DeletionBlocked"))


def five(now: Situation) -> None:
    """One lives, one would be held by two guards, one is held, one waits for the cloud, one has no grant."""
    now.holds(FIVE, LONG_SECONDS)
    now.creates("training-a", "training-b", "training-c")
    now.creates("yearly-d", resource_pool="pool-y")
    now.creates("research-e", resource_pool="pool-e0a7")
    grants = [{"namespaces": [ML], "resourcePools": ["pool-3f2c", "pool-y"]}]
    now.api.merge(f"{ACCOUNTS}/default", {"spec": {"grants": grants}})
    now.api.merge(_path("training-b"), {"metadata": {"annotations": {PAUSED_ANNOTATION: "true"}}})
    now.deletes("training-b")
    now.deletes("training-c")
    now.until("training-b", lambda found: says(found, "DeletionBlocked", "True", "Paused"))
    now.until("training-c", lambda found: found["status"]["counts"]["deleting"] == 2)


def several(now: Situation) -> None:
    """One node pool has an object, others have none, one object has no node pool."""
    now.holds(MANY)
    now.creates("training-a", "training-x")


SITUATIONS: Mapping[str, Callable[[Situation], None]] = {
    "README.md": in_the_middle,
    # Followed first, on a cluster without anything: the cloud is all that there is.
    "docs/install.md": lambda now: now.holds(YEARLY),
    "docs/operations/credentials.md": before_the_key,
    "docs/operations/deletion.md": one_more_is_held,
    "docs/operations/doctor.md": several,
    "docs/operations/inventory.md": several,
    "docs/operations/network.md": plain,
    "docs/operations/troubleshooting.md": plain,
    "docs/operations/why.md": five,
    "docs/simulator.md": plain,
}
