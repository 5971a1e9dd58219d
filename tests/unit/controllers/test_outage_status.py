"""What one object says in an outage of an hour, in virtual time: nothing new, then that it is stale, then the truth."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from typing_extensions import override

from modelarts_nodepool.controllers.workqueue import Key, Kind, Result
from modelarts_nodepool.errors import ServerFailure
from modelarts_nodepool.ports import NodePoolListing
from tests.support.builders import a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.support.clouds import SecretKeeper, UnaskedCloud, a_clouds
from tests.support.controllers import build_parts
from tests.support.virtual_time import VirtualClock, run_at_once

Body = Mapping[str, Any]
OBJECT = a_node_pool().finalized().body()
ACCOUNT = an_account()
MINUTE, HOUR = 60.0, 3600.0


class WrittenCluster(SecretKeeper):
    """Applies each status and keeps the Ready condition of it: when, status, reason, message."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.said: list[tuple[float, str, str, str]] = []

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        assert path.endswith("/status")
        status = patch[-1]["value"]
        (ready,) = [each for each in status["conditions"] if each["type"] == "Ready"]
        self.said.append((self.clock.monotonic(), ready["status"], ready["reason"], ready["message"]))
        metadata = OBJECT["metadata"] | {"resourceVersion": str(1000 + len(self.said))}
        return {**OBJECT, "metadata": metadata, "status": status}


class FailingCloud(UnaskedCloud):
    """Shows one node pool, or fails with 503 while `is_down`."""

    def __init__(self) -> None:
        self.is_down = False

    @override
    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        if self.is_down:
            raise ServerFailure("list_node_pools was answered 503 busy", status=503)
        return a_listing(a_cloud_node_pool(available=2))


class Stage:
    """One object that lives, and its poller."""

    def __init__(self) -> None:
        clock = VirtualClock()
        self.cloud, self.cluster = FailingCloud(), WrittenCluster(clock)
        self.clock = clock
        self.parts = build_parts(self.cluster, clock, a_clouds(self.cluster, clock, self.cloud))
        cache = self.parts.cache
        cache.upsert_account({"metadata": dict(ACCOUNT.metadata), "spec": dict(ACCOUNT.spec)})
        cache.upsert_node_pool(OBJECT)

    async def play(self, scene: Callable[["Stage"], Coroutine[Any, Any, None]]) -> None:
        working = asyncio.create_task(self.parts.queue.run(self._reconcile))
        self.parts.manager.begin()
        try:
            await scene(self)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await self.parts.pollers.stop()

    async def _reconcile(self, key: Key) -> Result:
        """Of the object alone."""
        return await self.parts.manager.reconcile(key) if key.kind is Kind.NODE_POOL else Result()

    def said_since(self, number: int) -> tuple[float, str, str, str]:
        """The one thing that was said after so many."""
        (entry,) = self.cluster.said[number:]
        return entry


def test_status_stays_in_an_outage_is_called_stale_after_five_minutes_and_is_true_again_soon_after_it() -> None:
    async def scene(stage: Stage) -> None:
        await asyncio.sleep(5 * MINUTE)
        assert stage.said_since(0)[1:3] == ("True", "NodesAvailable")
        stage.cloud.is_down, began = True, stage.clock.monotonic()
        await asyncio.sleep(HOUR)
        when, status, reason, message = stage.said_since(1)
        assert (status, reason) == ("Unknown", "ObservationStale")
        assert 4 * MINUTE <= when - began <= 6 * MINUTE
        assert "503 busy" in message
        stage.cloud.is_down, ended = False, stage.clock.monotonic()
        await asyncio.sleep(3 * MINUTE)
        when, status, reason, _ = stage.said_since(2)
        assert (status, reason) == ("True", "NodesAvailable")
        assert when - ended <= 2.5 * MINUTE

    async def main() -> None:
        await Stage().play(scene)

    run_at_once(main)
