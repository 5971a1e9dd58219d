"""Which objects stand for one node pool: those whose URL in the cloud is the same, by whatever account."""

from collections.abc import Mapping
from typing import Any

import pytest

from modelarts_nodepool.cache.objects import Cache, Duplicates
from tests.support.builders import PROJECT, AccountBuilder, NodePoolBuilder, a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.unit.controllers.test_send import NOW

Body = Mapping[str, Any]
MINE = a_node_pool().finalized().pinned().being_deleted()
OTHER = a_node_pool("renamed", "team").standing_for("training-a").using("second").finalized()


def a_cache_that_knows(other: NodePoolBuilder, **second: object) -> Cache:
    """Two accounts, an object of each; `second` is special about the second account."""
    cache = Cache(HandClock(NOW))
    for account, spec in ((an_account(), {}), (an_account("second"), second)):
        cache.upsert_account(to_body(account, spec))
    for object_ in (MINE, other):
        cache.upsert_node_pool(object_.body())
    return cache


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
    cache = a_cache_that_knows(other, **second)
    mine = MINE.build()
    assert mine.status.identity is not None
    found = Duplicates(cache).of(mine, mine.status.identity).granted
    assert [twin.metadata.name for twin in found] == (["renamed"] if is_one else [])


def test_an_object_in_an_unknown_namespace_may_be_a_twin_unless_it_is_granted_by_name() -> None:
    by_label = {"grants": [{"namespaceSelector": {"matchLabels": {"team": "blue"}}, "resourcePools": ["*"]}]}
    mine = MINE.build()
    assert mine.status.identity is not None
    cache = a_cache_that_knows(OTHER, **by_label)
    duplicates = Duplicates(cache)
    unplaced = duplicates.of(mine, mine.status.identity).unplaced
    assert unplaced is not None
    assert unplaced.metadata.name == "renamed"
    assert not duplicates.of(mine, mine.status.identity).granted
    cache.upsert_namespace({"metadata": {"name": "team", "labels": {}}})
    assert duplicates.of(mine, mine.status.identity).unplaced is None
    assert Duplicates(a_cache_that_knows(OTHER)).of(mine, mine.status.identity).unplaced is None
    cache.upsert_namespace({"metadata": {"name": "team", "labels": {"team": "blue"}}})
    assert len(duplicates.of(mine, mine.status.identity).granted) == 1
