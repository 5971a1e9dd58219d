"""Every node pool and every object has one row, and its state is true."""

from modelarts_nodepool.commands.inventory.matching import match
from modelarts_nodepool.commands.inventory.model import Row, State
from tests.support.builders import PROJECT, an_unreadable_node_pool
from tests.unit.commands.inventory.worlds import account, an_object, cluster, pool, workspace

DEFAULT = account()
PINNED = {"region": "cn-north-4", "projectId": PROJECT, "workspace": "0", "poolName": "pool-a"}


def states(rows: list[Row]) -> dict[str, State]:
    found = {f"{row.pool_name}/{row.node_pool_name}": row.state for row in rows}
    assert len(found) == len(rows)
    return found


def test_what_has_an_object_is_managed_what_has_none_is_not() -> None:
    rows = match(
        [workspace([DEFAULT], pool("pool-a", "a", "b"), pool("pool-b", "a"))],
        cluster([DEFAULT], an_object("a"), an_object("other", pool="pool-b", nodePoolName="c")),
    )
    assert states(rows) == {
        "pool-a/a": State.MANAGED,
        "pool-a/b": State.UNMANAGED,
        "pool-b/a": State.UNMANAGED,
        "pool-b/c": State.MISSING,
    }


def test_two_objects_for_one_node_pool_are_a_duplicate() -> None:
    rows = match(
        [workspace([DEFAULT], pool("pool-a", "a"))],
        cluster([DEFAULT], an_object("a"), an_object("x", namespace="other", nodePoolName="a")),
    )
    (row,) = rows
    assert row.state is State.DUPLICATE
    assert [each.title for each in row.objects] == ["ml/a", "other/x"]


def test_an_object_of_another_account_of_the_same_project_manages_it_too() -> None:
    other = account("other")
    rows = match(
        [workspace([DEFAULT, other], pool("pool-a", "a"))],
        cluster([DEFAULT, other], an_object("a", accountRef={"name": "other"})),
    )
    assert states(rows) == {"pool-a/a": State.MANAGED}


def test_an_object_of_another_workspace_of_the_project_manages_it_too() -> None:
    other = account("other", workspace_id="7")
    rows = match(
        [workspace([DEFAULT], pool("pool-a", "a")), workspace([other])],
        cluster([DEFAULT, other], an_object("a", accountRef={"name": "other"})),
    )
    assert states(rows) == {"pool-a/a": State.MANAGED}


def test_an_object_of_another_project_manages_nothing_here() -> None:
    other = account("other", project="another")
    rows = match(
        [workspace([DEFAULT], pool("pool-a", "a"))],
        cluster([DEFAULT, other], an_object("a", accountRef={"name": "other"})),
    )
    assert states(rows) == {"pool-a/a": State.UNMANAGED}


def test_what_could_not_be_listed_is_unknown_and_never_missing() -> None:
    objects = an_object("a"), an_object("b", pool="pool-b"), an_object("c", accountRef={"name": "nobody"})
    rows = match([workspace([DEFAULT], pool("pool-a", listed=False), pool("pool-b"))], cluster([DEFAULT], *objects))
    assert states(rows) == {"pool-a/a": State.UNKNOWN, "pool-b/b": State.MISSING, "pool-a/c": State.UNKNOWN}
    rows = match([workspace([DEFAULT], listed=False)], cluster([DEFAULT], *objects))
    assert set(states(rows).values()) == {State.UNKNOWN}


def test_a_resource_pool_that_is_not_there_is_named() -> None:
    (row,) = match([workspace([DEFAULT], pool("pool-b"))], cluster([DEFAULT], an_object("a")))
    assert row.state is State.MISSING
    assert row.notes == ("there is no resource pool pool-a in workspace 0",)


def test_a_pinned_object_stands_for_what_it_is_pinned_to() -> None:
    moved = account(project="another")
    pinned = an_object("a", status={"identity": PINNED | {"nodePoolName": "a"}})
    (row,) = match([workspace([moved], pool("pool-a", "a"))], cluster([moved], pinned))[:1]
    assert (row.state, row.objects) == (State.UNKNOWN, (pinned,))
    assert PROJECT in row.notes[0]


def test_what_is_odd_about_an_object_is_said() -> None:
    narrow = account("default", {"namespaces": ["other"], "resourcePools": ["*"]})
    (row,) = match(
        [workspace([narrow], pool("pool-a", an_unreadable_node_pool("a")))],
        cluster([narrow], an_object("a", deleted=True)),
    )
    assert row.state is State.MANAGED
    assert row.notes == (
        "its counts cannot be read: available is -1",
        "ml/a is being deleted",
        "account default does not grant pool-a to namespace ml: the operator ignores ml/a",
    )
