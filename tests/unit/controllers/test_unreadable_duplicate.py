"""An object that cannot be read holds the deletion of others that name the same node pool, where it may name it."""

import pytest

from modelarts_nodepool.watch.resync import kinds_of
from tests.support.builders import a_node_pool, an_account
from tests.support.clocks import HandClock
from tests.support.unreadable import an_unreadable_body
from tests.unit.controllers.unreadable_stage import DELETING, IDENTITY, LIVING, Body, Stage, a_strange

MINE = a_node_pool("mine").finalized().being_deleted().standing_for("training-a")
GRANTED = [{"namespaceSelector": {"matchLabels": {"team": "blue"}}, "resourcePools": ["*"]}]


@pytest.mark.parametrize(
    ("body", "spec", "labels", "holds"),
    [
        (a_strange(), {}, None, True),
        (a_strange(DELETING), {}, None, True),
        (a_strange(a_node_pool()), {}, None, True),
        (a_strange(LIVING.using("unknown")), {}, None, True),
        (an_unreadable_body(LIVING, accountRef="default"), {}, None, True),
        (a_strange(), {"workspace": "another"}, None, True),
        (a_strange(), {"region": "cn-east-3"}, None, False),
        (a_strange(), {"projectId": "f" * 32}, None, False),
        (a_strange(LIVING.standing_for("training-b")), {}, None, False),
        (an_unreadable_body(LIVING, poolName="pool-b", deletionPolicy="Archive"), {}, None, False),
        (an_unreadable_body(LIVING, poolName=5), {}, None, False),
        (a_strange(a_node_pool().being_deleted().with_finalizer("other/one")), {}, None, False),
        (a_strange(), {"grants": GRANTED}, None, True),
        (a_strange(), {"grants": GRANTED}, {"team": "blue"}, True),
        (a_strange(), {"grants": GRANTED}, {}, False),
        (an_unreadable_body(MINE, deletionPolicy="Archive"), {}, None, False),
    ],
    ids=[
        "living",
        "being deleted",
        "not protected",
        "account unknown",
        "account not to be read",
        "another workspace",
        "another region",
        "another project",
        "another node pool",
        "another resource pool",
        "resource pool not to be read",
        "out of our hands",
        "namespace unknown",
        "granted",
        "not granted",
        "itself",
    ],
)
def test_who_names_the_same_node_pool_and_cannot_be_read_holds_its_deletion(
    body: Body, spec: dict[str, object], labels: dict[str, str] | None, *, holds: bool
) -> None:
    stage = Stage(body, HandClock())
    account = an_account().body()
    stage.cache.upsert_account({**account, "spec": {**account["spec"], **spec}})
    if labels is not None:
        stage.cache.upsert_namespace({"metadata": {"name": "ml", "labels": labels}})
    found = stage.parts.duplicates.unreadable(MINE.build(), IDENTITY)
    assert (found is not None) is holds


def test_an_account_that_cannot_be_read_is_no_object() -> None:
    stage = Stage(a_strange(), HandClock())
    account = an_account().body()
    stage.cache.upsert_account({**account, "spec": {**account["spec"], "region": 5}})
    stage.cache.drop_node_pool("uid-of-training-a")
    assert [found.is_node_pool for found in stage.cache.unreadable.values()] == [False]
    assert "uid-of-default" in kinds_of(stage.cache)[1].kept()
    assert stage.parts.duplicates.unreadable(MINE.build(), IDENTITY) is None
    assert not stage.cache.is_used("default")
