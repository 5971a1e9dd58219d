"""The inventory as people and machines read it."""

import json
from dataclasses import replace

from modelarts_nodepool.commands.inventory.format import to_json, to_text
from modelarts_nodepool.commands.inventory.matching import match
from modelarts_nodepool.commands.inventory.model import Row, SeenWorkspace
from modelarts_nodepool.ports import Billing
from tests.support.builders import a_cloud_node_pool, an_unreadable_node_pool
from tests.unit.commands.inventory.worlds import a_held, account, an_object, cluster, pool, workspace

ACCOUNT = account("default", {"namespaces": ["ml"], "resourcePools": ["pool-a"]})
LABELLED = account("labelled", {"namespaceSelector": {"matchLabels": {"team": "ml"}}, "resourcePools": ["pool-a"]})


def world() -> tuple[list[Row], list[SeenWorkspace]]:
    seen = [
        workspace(
            [ACCOUNT, LABELLED],
            pool("pool-a", a_cloud_node_pool("a", available=3, abnormal=1), a_cloud_node_pool("b", asked_for=0)),
            pool("pool-e"),
            pool("pool-u", listed=False),
            pool("pool-y", "y", billing=Billing.YEARLY_MONTHLY),
        )
    ]
    return match(seen, cluster([ACCOUNT, LABELLED], an_object("a"), an_object("gone"))), seen


def test_the_table_has_a_row_for_each_node_pool_and_each_resource_pool_without() -> None:
    lines = to_text(*world(), wide=False).splitlines()
    assert [line.split("   ")[0:1] + line.split()[1:4] for line in lines[1:7]] == [
        ["default,labelled", "pool-a", "a", "Managed"],
        ["default,labelled", "pool-a", "b", "Unmanaged"],
        ["default,labelled", "pool-a", "gone", "Missing"],
        ["default,labelled", "pool-e", "-", "Empty"],
        ["default,labelled", "pool-u", "-", "Unknown"],
        ["default,labelled", "pool-y", "y", "Unmanaged"],
    ]
    assert "3 available, 1 abnormal" in lines[1]
    assert "no nodes" in lines[2]
    assert "yearly/monthly" in lines[6]
    assert "Resource pools: 4. Node pools: 1 Managed, 2 Unmanaged, 1 Missing." in lines
    assert "inventory -o yaml" in lines[-1]


def test_wide_says_who_may_name_it() -> None:
    heading, first, *others = to_text(*world(), wide=True).splitlines()
    column = heading.index("GRANTED TO")
    assert first[column:].startswith("ml team=ml")
    assert others[4][column:].startswith("no namespace")


def test_an_empty_inventory_says_so() -> None:
    assert to_text([], [], wide=False) == "Resource pools: 0. Node pools: none."


def test_the_json_has_counts_flavor_and_billing() -> None:
    rows, seen = world()
    found = json.loads(to_json(rows, seen, ["something"]))
    first = found["nodePools"][0]
    assert first["counts"] == {"creating": 0, "available": 3, "abnormal": 1, "deleting": 0}
    assert (first["flavor"], first["billing"], first["grantedTo"]) == (
        "modelarts.vm.gpu.t4u8",
        "pay-per-use",
        ["ml", "team=ml"],
    )
    assert first["objects"][0]["deletionPolicy"] == "Delete"
    assert [each["nodePools"] for each in found["resourcePools"]] == [2, 0, None, 1]
    assert found["states"] == {"Managed": 1, "Duplicate": 0, "Unmanaged": 2, "Missing": 1, "Unknown": 0}
    assert found["problems"] == ["something"]


def world_of_holds() -> tuple[list[Row], list[SeenWorkspace]]:
    unreadable = an_unreadable_node_pool("u")
    pools = [
        pool("pool-a", a_cloud_node_pool("a", available=3, abnormal=1, deleting=1), "b", unreadable, "living"),
        pool("pool-u", listed=False),
    ]
    objects = [
        a_held("a", 2.5),
        a_held("x", 4, nodePoolName="b"),
        a_held("y", 10, nodePoolName="b"),
        a_held("u", 1, {"available": 7}),
        a_held("gone", 100, {"available": 7}),
        a_held("hidden", 3, pool="pool-u"),
        a_held("ahead", -1, {"available": 7}, pool="pool-u"),
        an_object("living"),
    ]
    seen = [workspace([ACCOUNT], *pools)]
    return match(seen, cluster([ACCOUNT], *objects)), seen


def test_a_held_deletion_shows_what_it_has_cost() -> None:
    rows, seen = world_of_holds()
    found = {row["nodePoolName"]: row["held"] for row in json.loads(to_json(rows, seen, []))["nodePools"]}
    since = {"reason": "LastNodePool", "since": "2026-01-02T09:30:00Z"}
    assert found["a"] == since | {"nodes": 5, "nodeHours": 12.5}
    costs = {name: held and (held["nodes"], held["nodeHours"]) for name, held in found.items()}
    assert costs == {
        "a": (5, 12.5),
        "b": (2, 20.0),  # by the older hold
        "u": (7, 7.0),  # by the status, because the LIST is unreadable
        "gone": (0, 0.0),
        "hidden": (None, None),
        "ahead": (7, 0.0),  # the clock of the operator is ahead
        "living": None,
    }


def test_the_table_names_each_hold_and_their_sum() -> None:
    rows, seen = world_of_holds()
    lines = to_text(rows, seen, wide=False).splitlines()
    held = "its deletion is held since 2026-01-02T09:30:00Z (LastNodePool); nodes: 5, node-hours so far: 12.5"
    assert f"a of pool-a: {held}" in lines
    assert any(line.startswith("hidden of") and "nodes: unknown, node-hours so far: unknown" in line for line in lines)
    assert "Held deletions: 6. Their nodes: 21. Node-hours so far: 39.5." in lines
    heading, *others = to_text(rows, seen, wide=True).splitlines()
    first = next(line for line in others if " a " in line)
    assert first[heading.index("HELD SINCE") :].split() == ["2026-01-02T09:30:00Z", "12.5"]


def test_what_another_finalizer_keeps_costs_nothing_by_our_hold() -> None:
    held = a_held("a", 5)
    released = replace(held, metadata=replace(held.metadata, finalizers=("example.com/held",)))
    seen = [workspace([ACCOUNT], pool("pool-a", "a"))]
    (row,) = match(seen, cluster([ACCOUNT], released))
    assert row.held is None


def test_a_node_pool_that_no_object_can_stand_for_is_shown_with_the_reason() -> None:
    seen = [workspace([ACCOUNT], pool("pool-a", a_cloud_node_pool("gr/öße", available=4)), pool("x y", listed=False))]
    rows = match(seen, cluster([ACCOUNT]))
    text = to_text(rows, seen, wide=False)
    assert "gr/öße" in text.splitlines()[1]
    assert "4 available" in text.splitlines()[1]
    assert "gr/öße of pool-a: no object can refer to it, because its name is not safe" in text
    assert "1 Unmanaged" in text
    assert "Adopt" not in text, "there is nothing that could be adopted"
    document = json.loads(to_json(rows, seen, []))
    (shown,) = document["nodePools"]
    assert (shown["nodePoolName"], shown["state"], shown["counts"]["available"]) == ("gr/öße", "Unmanaged", 4)
    assert shown["obstacle"] in shown["notes"]
    assert [each["problem"] for each in document["resourcePools"]] == [None, "no"]
