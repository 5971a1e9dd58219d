"""Which objects a poll reconciles, and which events reconcile the others."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from modelarts_nodepool import metrics
from modelarts_nodepool.access.gateway import Gateway
from modelarts_nodepool.api.meta import ConditionType, find_condition
from modelarts_nodepool.decide.observed import Evidence
from modelarts_nodepool.errors import NoAnswer, ObjectGone
from modelarts_nodepool.polling import MAX_UNCHANGED, Snapshot, changed_names
from modelarts_nodepool.ports import Clock, CloudNodePool, NodePoolListing
from tests.support.builders import (
    NOON,
    NodePoolBuilder,
    a_cloud_node_pool,
    a_listing,
    a_node_pool,
    an_account,
    an_unreadable_node_pool,
)
from tests.support.clocks import TickingClock
from tests.support.controllers import build_parts

T = TypeVar("T")
Body = Mapping[str, Any]
ACCOUNT = an_account().polling(timedelta(seconds=3600), timedelta(seconds=3600))
TURNS = 100


def a_snapshot(*shown: CloudNodePool, begun: float = 100.0) -> Snapshot:
    return Evidence(begun, value=a_listing(*shown))


SAME = a_cloud_node_pool(available=2)
FAILED: Snapshot = Evidence(100.0, failure=NoAnswer("nothing came"))
CASES = {
    "the first snapshot": (None, a_snapshot(SAME), True),
    "the same again": (a_snapshot(SAME), a_snapshot(a_cloud_node_pool(available=2)), False),
    "other counts": (a_snapshot(SAME), a_snapshot(a_cloud_node_pool(available=1)), True),
    "another asked-for count": (a_snapshot(SAME), a_snapshot(a_cloud_node_pool(available=2, asked_for=3)), True),
    "only another node pool changes": (
        a_snapshot(SAME),
        a_snapshot(SAME, a_cloud_node_pool("other", available=1)),
        False,
    ),
    "it is gone": (a_snapshot(SAME), a_snapshot(), True),
    "it has come": (a_snapshot(), a_snapshot(SAME), True),
    "it is still absent": (a_snapshot(), a_snapshot(), False),
    "the request failed": (a_snapshot(SAME), FAILED, True),
    "the request before failed": (FAILED, a_snapshot(SAME), True),
    "unreadable for longer": (a_snapshot(an_unreadable_node_pool()), a_snapshot(an_unreadable_node_pool()), True),
    "long after": (a_snapshot(SAME), a_snapshot(SAME, begun=100.1 + MAX_UNCHANGED.total_seconds()), True),
    "not so long after": (a_snapshot(SAME), a_snapshot(SAME, begun=99.9 + MAX_UNCHANGED.total_seconds()), False),
}


@pytest.mark.parametrize(("before", "latest", "expected"), CASES.values(), ids=CASES)
def test_a_look_is_news_for_those_whose_node_pool_changed(
    before: Snapshot | None, latest: Snapshot, *, expected: bool
) -> None:
    changed = changed_names(before, latest)
    assert (changed is None or "training-a" in changed) is expected


class Server:
    """Holds objects, and takes our patches of finalizer and status as they are."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {
            "default": {"metadata": dict(ACCOUNT.metadata), "spec": dict(ACCOUNT.spec)}
        }

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        name = path.removesuffix("/status").rpartition("/")[2]
        value = patch[-1]["value"]
        body = self.objects[name]
        metadata = {**body["metadata"], "resourceVersion": str(int(body["metadata"]["resourceVersion"]) + 1)}
        if path.endswith("/status"):
            body = {**body, "metadata": metadata, "status": value}
        else:
            body = {**body, "metadata": {**metadata, "finalizers": [value] if isinstance(value, str) else value}}
        self.objects[name] = body
        await asyncio.sleep(0)
        return body

    async def get(self, path: str) -> Body:
        raise ObjectGone(f"404 to GET {path}")

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:  # noqa: ARG002 - the port's
        return body


class OneListing(Gateway):
    """Stands where the clients of accounts stand: every LIST finds the same."""

    def __init__(self, listing: NodePoolListing, clock: Clock) -> None:
        self._clock = clock
        self.listing, self.asked = listing, 0

    @override
    async def call(self, *_: object, **__: object) -> Any:
        self.asked += 1
        return self.listing


class Stage:
    """The engine without watches; `tell` is what they would tell."""

    def __init__(self) -> None:
        self.clock, self.server = TickingClock(timedelta(milliseconds=1)), Server()
        self.cloud = OneListing(
            a_listing(*(a_cloud_node_pool(name, available=2) for name in ("shared", "other"))), self.clock
        )
        parts = build_parts(self.server, self.clock, self.cloud)
        self.cache, self.manager = parts.cache, parts.manager
        self.cache.upsert_account(self.server.objects["default"])

    async def tell_account(self, number: int, **parts: Any) -> None:  # noqa: ANN401 - JSON
        body = self.server.objects["default"]
        metadata = {**body["metadata"], "resourceVersion": str(number)}
        self.cache.upsert_account({**body, "metadata": metadata, **parts})
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def tell(self, builder: NodePoolBuilder) -> None:
        body = builder.body()
        self.server.objects[body["metadata"]["name"]] = body
        self.cache.observe_node_pool(body)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def ready(self, name: str) -> tuple[str, str]:
        """Status and reason of Ready; empty texts where nothing is said."""
        node_pool = self.cache.node_pools[f"uid-of-{name}"]
        found = find_condition(node_pool.status.conditions, ConditionType.READY)
        return (found.status.value, found.reason) if found else ("", "")


def passes() -> float:
    """Over whichever object, since the process began."""
    return metrics.REGISTRY.get_sample_value("modelarts_nodepool_reconciles_total", {"result": "done"}) or 0.0


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    running = asyncio.create_task(stage.manager.run())
    await asyncio.sleep(0)
    stage.manager.begin()
    yield stage
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_object_that_waits_for_a_look_is_mirrored_by_one_that_finds_nothing_new(stage: Stage) -> None:
    await stage.tell(a_node_pool("other"))
    assert stage.ready("other") == ("True", "NodesAvailable")
    # A look from before it was seen might just be too early to show its node pool: another is waited for.
    await stage.tell(a_node_pool("missing"))
    assert stage.cloud.asked == 2
    assert stage.ready("missing") == ("False", "NodePoolNotFound")


async def test_a_duplicate_is_told_at_once_when_the_older_object_goes(stage: Stage) -> None:
    older = a_node_pool("older").standing_for("shared").created(NOON - timedelta(hours=3))
    await stage.tell(older)
    await stage.tell(a_node_pool("younger").standing_for("shared").created(NOON - timedelta(hours=2)))
    assert stage.ready("younger") == ("False", "DuplicateObject")
    asked = stage.cloud.asked
    stage.cache.drop_node_pool("uid-of-older")
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert stage.ready("younger") == ("True", "NodesAvailable")
    assert stage.cloud.asked == asked, "no look was needed for that"


async def test_an_object_is_told_at_once_when_an_older_one_appears(stage: Stage) -> None:
    await stage.tell(a_node_pool("younger").standing_for("shared").created(NOON - timedelta(hours=2)))
    assert stage.ready("younger") == ("True", "NodesAvailable")
    await stage.tell(a_node_pool("older").standing_for("shared").created(NOON - timedelta(hours=3)))
    assert stage.ready("younger") == ("False", "DuplicateObject")


async def test_an_account_s_new_status_wakes_none_of_its_objects_and_its_new_terms_all(stage: Stage) -> None:
    await stage.tell(a_node_pool("other"))
    before = passes()
    entry = {"uid": "u", "namespace": "ml", "name": "n", "poolName": "pool-a", "nodePoolName": "n", "outcome": "Gone"}
    await stage.tell_account(500, status={"recentDeletions": [entry]})
    assert passes() == before
    assert stage.cache.accounts["default"].status.recent_deletions
    await stage.tell_account(501, spec={**ACCOUNT.spec, "grants": [{"namespaces": ["none"], "resourcePools": ["*"]}]})
    assert passes() > before
    assert stage.ready("other") == ("False", "NotGranted")
