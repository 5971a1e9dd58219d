"""The CRDs say what the design says, and are structural."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from modelarts_nodepool.api.crd import build_account_crd, build_node_pool_crd
from tools.reference import walk

NODE_POOL, ACCOUNT = build_node_pool_crd(), build_account_crd()
BOTH = pytest.mark.parametrize("crd", [NODE_POOL, ACCOUNT], ids=["node pool", "account"])


def version(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    (only,) = crd["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def root(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = version(crd)["schema"]["openAPIV3Schema"]
    assert isinstance(schema, dict)
    return schema


def nodes(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every schema inside a schema, itself included."""
    yield schema
    for part in schema.get("properties", {}).values():
        yield from nodes(part)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key])


def columns(crd: Mapping[str, Any], priority: int) -> list[str]:
    found = version(crd)["additionalPrinterColumns"]
    return [column["name"].upper() for column in found if column.get("priority", 0) == priority]


@BOTH
def test_every_field_has_a_description(crd: Mapping[str, Any]) -> None:
    silent = [
        path
        for path, field, _ in walk(root(crd), "")
        if path != ".metadata" and not field.get("description", "").strip()
    ]
    assert silent == []


@BOTH
def test_the_schema_is_structural(crd: Mapping[str, Any]) -> None:
    for node in nodes(root(crd)):
        assert isinstance(node["type"], str)
        assert not {"title", "nullable", "$ref", "anyOf", "allOf", "oneOf", "const"} & set(node)


@BOTH
def test_every_number_has_a_width(crd: Mapping[str, Any]) -> None:
    widths = {node.get("format") for node in nodes(root(crd)) if node["type"] == "integer"}
    assert widths <= {"int32", "int64"}


@BOTH
def test_everything_that_people_write_is_bounded(crd: Mapping[str, Any]) -> None:
    bounds = {"string": "maxLength", "array": "maxItems"}
    for node in nodes(root(crd)["properties"]["spec"]):
        if node["type"] in bounds and "enum" not in node:
            assert bounds[node["type"]] in node, node


@BOTH
def test_the_api_server_writes_nothing_into_a_status_but_the_first_generation(crd: Mapping[str, Any]) -> None:
    status = root(crd)["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert [field for _, field, _ in walk(status, "") if "default" in field] == []


@BOTH
def test_a_rule_says_what_is_wrong_and_how_to_put_it_right(crd: Mapping[str, Any]) -> None:
    rules = [rule for node in nodes(root(crd)) for rule in node.get("x-kubernetes-validations", ())]
    assert rules
    for rule in rules:
        assert len(rule["message"]) > 40, rule
        assert "\n" not in rule["message"]


def test_root_rules_never_grow_by_a_plain_one() -> None:
    """A plain root rule of a later version would hold the finalizers of old objects for ever."""
    rules = [rule["rule"] for rule in root(NODE_POOL)["x-kubernetes-validations"]]
    assert [rule for rule in rules if "oldSelf" not in rule] == [
        "has(self.spec.nodePoolName) || self.metadata.name.matches('^[A-Za-z0-9]([-._A-Za-z0-9]{0,126}[A-Za-z0-9])?$')"
    ]
    assert "x-kubernetes-validations" not in root(ACCOUNT)


def test_node_pools_have_the_names_of_the_design() -> None:
    spec = NODE_POOL["spec"]
    assert NODE_POOL["metadata"]["name"] == "modelartsnodepools.modelarts.huaweicloud.com"
    assert (spec["group"], spec["scope"]) == ("modelarts.huaweicloud.com", "Namespaced")
    assert (spec["names"]["shortNames"], spec["names"]["categories"]) == (["manp"], ["modelarts"])
    assert version(NODE_POOL)["selectableFields"] == [
        {"jsonPath": ".spec.poolName"},
        {"jsonPath": ".spec.accountRef.name"},
    ]


def test_accounts_have_the_names_of_the_design() -> None:
    spec = ACCOUNT["spec"]
    assert ACCOUNT["metadata"]["name"] == "modelartsaccounts.modelarts.huaweicloud.com"
    assert (spec["group"], spec["scope"]) == ("modelarts.huaweicloud.com", "Cluster")
    assert (spec["names"]["shortNames"], spec["names"]["categories"]) == (["maacct"], ["modelarts"])


def test_columns_stand_in_the_order_of_the_design() -> None:
    assert columns(NODE_POOL, 0) == [
        "POOL",
        "NODEPOOL",
        "READY",
        "REASON",
        "CREATING",
        "AVAILABLE",
        "ABNORMAL",
        "DELETING",
        "AGE",
    ]
    assert columns(NODE_POOL, 1) == ["ACCOUNT", "FLAVOR", "POLICY", "HEALTHY", "BLOCKED", "MESSAGE"]
    assert columns(ACCOUNT, 0) == ["REGION", "PROJECT", "READY", "REASON", "AGE"]
    assert columns(ACCOUNT, 1) == ["WORKSPACE", "SOURCE", "MESSAGE"]


def test_lists_are_merged_as_the_design_says() -> None:
    kinds = {
        path: (field["x-kubernetes-list-type"], field.get("x-kubernetes-list-map-keys"))
        for crd in (NODE_POOL, ACCOUNT)
        for path, field, _ in walk(root(crd), "")
        if field["type"] == "array"
    }
    assert kinds == {
        ".spec.grants": ("atomic", None),
        ".spec.grants[].namespaces": ("atomic", None),
        ".spec.grants[].resourcePools": ("atomic", None),
        ".status.conditions": ("map", ["type"]),
        ".status.nodePool.azs": ("atomic", None),
        ".status.recentDeletions": ("map", ["uid"]),
    }


def test_gitops_tools_are_asked_not_to_prune_the_crds() -> None:
    for crd in (NODE_POOL, ACCOUNT):
        assert crd["metadata"]["annotations"] == {
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
            "helm.sh/resource-policy": "keep",
            "kustomize.toolkit.fluxcd.io/prune": "disabled",
        }
