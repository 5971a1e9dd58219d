"""The inventory as people and machines read it."""

import json

from modelarts_nodepool.commands.inventory.format import to_json, to_text
from modelarts_nodepool.commands.inventory.matching import match
from modelarts_nodepool.commands.inventory.model import Row, SeenWorkspace
from modelarts_nodepool.ports import Billing
from tests.support.builders import a_cloud_node_pool
from tests.unit.commands.inventory.worlds import account, an_object, cluster, pool, workspace

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
