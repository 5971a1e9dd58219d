"""Which objects stand for one node pool: those whose URL in the cloud is the same, by whatever account."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.kube.events import EventRecorder
from modelarts_nodepool.polling.pollers import Pollers
from tests.support.builders import PROJECT, AccountBuilder, NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.clouds import a_clouds
from tests.unit.controllers.test_send import NOW

T = TypeVar("T")
Body = Mapping[str, Any]
MINE = a_node_pool().finalized().pinned().being_deleted()
OTHER = a_node_pool("renamed", "team").standing_for("training-a").using("second").finalized()


class NoCluster:
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        raise NotImplementedError

    async def get(self, path: str) -> Body:
        raise NotImplementedError

    async def get_metadata(self, path: str) -> Body:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        raise NotImplementedError

    async def create(self, path: str, body: Body) -> Body:
        raise NotImplementedError


def tools_that_know(other: NodePoolBuilder, **second: object) -> Tools:
    """Two accounts, an object of each; `second` is special about the second account."""
    clock, cluster = HandClock(NOW), NoCluster()
    registry = Registry(clock)
    clouds = a_clouds(cluster, clock)
    for account, spec in ((an_account(), {}), (an_account("second"), second)):
        registry.take_account(to_body(account, spec))
    for object_ in (MINE, other):
        registry.take_node_pool(object_.body())
    pollers, recorder = Pollers(registry, clouds, clock), EventRecorder(cluster)
    return Tools(registry=registry, pollers=pollers, clouds=clouds, cluster=cluster, clock=clock, recorder=recorder)


def to_body(account: AccountBuilder, spec: Mapping[str, object]) -> Body:
    return {"metadata": dict(account.metadata), "spec": {**account.spec, **spec}}


PINNED = {"project_id": PROJECT, "node_pool_name": "training-a"}


@pytest.mark.parametrize(
    ("other", "second", "is_one"),
    [
        (OTHER, {}, True),
        (OTHER, {"workspace": "another"}, True),
        (OTHER.pinned(**PINNED, workspace="another"), {"workspace": "another"}, True),
        (OTHER, {"region": "cn-east-3"}, False),
        (OTHER, {"projectId": "f" * 32}, False),
        (OTHER, {"grants": []}, False),
        (OTHER.pinned(**PINNED, region="cn-east-3"), {}, False),
        (a_node_pool("training-b", "team").using("second").finalized(), {}, False),
    ],
    ids=[
        "the same project",
        "another workspace",
        "pinned in another workspace",
        "another region",
        "another project",
        "not granted",
        "pinned elsewhere",
        "another node pool",
    ],
)
def test_objects_whose_delete_would_hit_the_same_node_pool_are_twins(
    other: NodePoolBuilder, second: dict[str, object], *, is_one: bool
) -> None:
    tools = tools_that_know(other, **second)
    mine = MINE.build()
    assert mine.status.identity is not None
    found = tools.duplicates(mine, mine.status.identity)
    assert [twin.metadata.name for twin in found] == (["renamed"] if is_one else [])


def test_an_object_in_an_unknown_namespace_may_be_a_twin_unless_it_is_granted_by_name() -> None:
    by_label = {"grants": [{"namespaceSelector": {"matchLabels": {"team": "blue"}}, "resourcePools": ["*"]}]}
    mine = MINE.build()
    assert mine.status.identity is not None
    tools = tools_that_know(OTHER, **by_label)
    unplaced = tools.unplaced_duplicate(mine, mine.status.identity)
    assert unplaced is not None
    assert unplaced.metadata.name == "renamed"
    assert not tools.duplicates(mine, mine.status.identity)
    tools.registry.take_namespace({"metadata": {"name": "team", "labels": {}}})
    assert tools.unplaced_duplicate(mine, mine.status.identity) is None
    assert tools_that_know(OTHER).unplaced_duplicate(mine, mine.status.identity) is None
    tools.registry.take_namespace({"metadata": {"name": "team", "labels": {"team": "blue"}}})
    assert len(tools.duplicates(mine, mine.status.identity)) == 1
