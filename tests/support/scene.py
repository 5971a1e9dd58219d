"""One deletion whose calls can be held one by one, in the cloud or at the door before the API server.

Its node pool takes an hour to go unless the test says otherwise, and nobody polls for it before it is deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.api import ACCOUNTS
from tests.support.cloud import Request
from tests.support.conditions import says
from tests.support.door import Door
from tests.support.tenant import SLOW, Tenant

NAME = "training-a"
AN_HOUR = 3600
# An unknown outcome is looked at for two minutes before anything is sent again.
LONG_SECONDS = 240.0

Arrives = Callable[[], None]


@dataclass(frozen=True)
class Scene:
    """A tenant of whose objects one is deleted."""

    tenant: Tenant
    door: Door

    def mirrored(self, **cloud: Any) -> None:  # noqa: ANN401 - JSON
        """The calls to come are those of the deletion."""
        self.tenant.change_account(pollInterval="1m")
        self.tenant.mirrored(NAME, cloud=SLOW | cloud)

    def delete(self) -> None:
        self.tenant.delete(NAME)

    def delete_until_nodes_go(self) -> None:
        self.delete()
        self.until_nodes_go()

    def until_nodes_go(self, seconds: float = LONG_SECONDS) -> None:
        found = self.tenant.until(NAME, lambda found: found["status"]["counts"]["deleting"] == 2, "deleting", seconds)
        assert says(found, "Reconciling", "True", "DeletingNodePool")

    def finish(self) -> None:
        self.tenant.finish_delete(NAME)

    def record(self) -> dict[str, Any]:
        return dict(self.tenant.get(NAME)["status"].get("deletion", {}))

    def entries(self) -> list[str]:
        """The outcomes in the account's recentDeletions."""
        found = self.tenant.api.get(f"{ACCOUNTS}/{self.tenant.name}")
        assert found is not None
        return [entry["outcome"] for entry in found["status"].get("recentDeletions", [])]

    def hold_in_cloud(self, operation: str, **fault: Any) -> Arrives:  # noqa: ANN401 - JSON
        """Every such call about the resource pool from now on; wait with the answer until one is held."""
        since = self.tenant.cloud.last
        resource_pool = None if operation == "list_pools" else self.tenant.resource_pool
        scope = {"resourcePool": resource_pool} if resource_pool else {}
        self.tenant.cloud.fault(**{"operation": operation, "delaySeconds": AN_HOUR} | scope | fault)

        def held() -> list[Request]:
            found = self.tenant.cloud.requests(resource_pool, operation, since)
            return [request for request in found if request["fault"] and request["status"] is None]

        return lambda: self.tenant.until_true(held, f"a {operation} that is held")

    def hold_at_door(self, method: str, path: str, text: str = "", *, when: str = "before") -> Arrives:
        """The same for calls to the API server, before they get in or `after`, when they are answered."""
        hold = (self.door.hold_after if when == "after" else self.door.hold_before)(method, path, text)
        return lambda: self.tenant.until_true(hold.arrived.is_set, f"a {method} {path} with {text!r} that is held")

    def hold_release(self, *, when: str) -> Arrives:
        return self.hold_at_door("PATCH", self.tenant.path(NAME), "remove", when=when)

    def is_gone_by_one_delete(self) -> None:
        self.tenant.until_gone(NAME)
        assert NAME not in self.tenant.cloud.state_of(self.tenant.resource_pool)
        assert self.tenant.deletes() == ["accepted"]
        assert self.entries() == ["Gone"]
        leaks = [line for line in self.tenant.operator.lines() if line.get("audit") == "leak"]
        assert not [line for line in leaks if self.tenant.name in line["message"]]

    def goes_only_with_its_node_pool(self) -> None:
        """From here to the end of the object, which the DELETE that was accepted leads to."""
        self.until_nodes_go()
        self.tenant.wait_for_looks(3)
        assert self.tenant.is_held(NAME)
        self.finish()
        self.is_gone_by_one_delete()
        self.tenant.until_event(NAME, "NodePoolGone")
