"""The simulator in a process of its own, driven through its control endpoint.

Its request log is the witness of everything that the operator asked of the cloud.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.harness.blocking import LoopThread
from lab.harness.simulator import CloudControl, read_hello, start_simulator
from tests.support.limits import HANGING_SECONDS
from tests.support.liveness import eventually

SCENARIO: dict[str, Any] = {"timings": {"createSeconds": 3, "deleteSeconds": 1}}

Request = dict[str, Any]


class Cloud:
    """A simulator that runs. `hello` is what it said when it began to serve."""

    def __init__(self, hello: Mapping[str, str], control: CloudControl, loop: LoopThread) -> None:
        self.hello = hello
        self.endpoint = hello["endpoint"]
        self.region = hello["region"]
        self.project_id = hello["projectId"]
        self._control = control
        self._run = loop.run

    @classmethod
    @contextmanager
    def running(cls, folder: Path, scenario: Mapping[str, Any] = SCENARIO) -> Iterator["Cloud"]:
        """Serve until the block ends."""
        simulator = start_simulator(folder, scenario)
        try:
            assert eventually(lambda: read_hello(simulator) is not None)
            hello = read_hello(simulator)
            assert hello is not None
            control = CloudControl(hello["endpoint"])
            with LoopThread() as loop:
                loop.run(control.__aenter__())
                try:
                    yield cls(hello, control, loop)
                finally:
                    loop.run(control.__aexit__(None, None, None))
        finally:
            simulator.kill()

    def change(self, change: Mapping[str, Any]) -> None:
        """Merge into the state of the world."""
        self._run(self._control.change(change))

    def put_resource_pool(self, resource_pool: str, **keys: Any) -> None:  # noqa: ANN401 - JSON
        self.change({"resourcePools": [{"name": resource_pool, "billingMode": "0"} | keys]})

    def remove_resource_pool(self, resource_pool: str) -> None:
        self.change({"resourcePools": {resource_pool: None}})

    def put_node_pool(self, resource_pool: str, name: str, **keys: Any) -> None:  # noqa: ANN401 - JSON
        """Add one or change it."""
        self.change({"resourcePools": [{"name": resource_pool, "nodePools": [{"name": name} | keys]}]})

    def put_job(self, resource_pool: str, name: str, *node_pools: str, **keys: Any) -> None:  # noqa: ANN401 - JSON
        """Add a job that runs on all nodes of these node pools, or change one."""
        keys |= {"runsOn": [{"nodePool": node_pool} for node_pool in node_pools]} if node_pools else {}
        self.change({"resourcePools": [{"name": resource_pool, "workloads": [{"name": name} | keys]}]})

    def remove_node_pool(self, resource_pool: str, name: str) -> None:
        self.change({"resourcePools": [{"name": resource_pool, "nodePools": {name: None}}]})

    def finish_delete(self, resource_pool: str, name: str) -> None:
        """Let a node pool that is being deleted be gone now."""
        self.put_node_pool(resource_pool, name, deleteSeconds=0)

    def put_key(self, access_key: str, **keys: Any) -> None:  # noqa: ANN401 - JSON
        self.change({"credentials": [{"accessKey": access_key} | keys]})

    def fault(self, **keys: Any) -> None:  # noqa: ANN401 - JSON
        self._run(self._control.add_fault(keys))

    def clear_faults(self) -> None:
        self._run(self._control.clear_faults())

    def state_of(self, resource_pool: str) -> dict[str, dict[str, Any]]:
        """The node pools of a resource pool by name; empty where it is gone."""
        pools = [pool for pool in self._run(self._control.state())["resourcePools"] if pool["name"] == resource_pool]
        return {node_pool["name"]: node_pool for pool in pools for node_pool in pool["nodePools"]}

    def key_state(self, access_key: str) -> dict[str, Any]:
        """badSignatures and locked of one key."""
        state = self._run(self._control.state())
        (found,) = [key for key in state["credentials"] if key["accessKey"] == access_key]
        return dict(found)

    @property
    def last(self) -> int:
        """The number of the newest request; what comes later has a higher one."""
        return self._run(self._control.last_number())

    def requests(self, resource_pool: str | None = None, operation: str | None = None, since: int = 0) -> list[Request]:
        """The requests after number `since`, oldest first; list_pools belongs to no resource pool."""
        found = self._run(self._control.reports(since, operation))
        return [request for request in found if resource_pool in {None, request["pool"]}]

    def deletes(self, resource_pool: str | None = None, node_pool: str | None = None) -> list[Request]:
        """Every DELETE that reached the cloud, whatever came of it."""
        found = self.requests(resource_pool, "delete_node_pool")
        return [request for request in found if node_pool in {None, request["nodePool"]}]

    def wait_for_looks(self, resource_pools: Collection[str], times: int, seconds: float = HANGING_SECONDS) -> None:
        """Let the operator look so many times from now on at each of them."""
        since = self.last

        def enough() -> bool:
            found = Counter(request["pool"] for request in self.requests(None, "list_node_pools", since))
            # One more: when the next one comes in, the one before has been answered and acted on.
            return all(found[resource_pool] > times for resource_pool in resource_pools)

        assert eventually(enough, seconds), f"not {times} looks at each of {', '.join(resource_pools)} in {seconds} s"
