"""What the API server refuses, and with which words, so that it never reaches the operator."""

import json
from typing import Any

import pytest

from tests.support.crds import NODE_POOL_SPEC, Cluster


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"poolName": "pool-b"}, "poolName is immutable"),
        ({"accountRef": {"name": "other"}}, "accountRef is immutable"),
        ({"accountRef": None, "poolName": None}, "spec.poolName: Required value"),
        ({"nodePoolName": "training-b"}, "nodePoolName is immutable"),
    ],
    ids=repr,
)
def test_what_a_node_pool_object_stands_for_cannot_change(cluster: Cluster, change: dict[str, Any], said: str) -> None:
    cluster.create(cluster.node_pool())
    assert said in cluster.patch_refused("training-a", {"spec": change})


def test_the_effective_name_may_be_written_out_and_left_out_again(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool())
    cluster.patch("training-a", {"spec": {"nodePoolName": "training-a"}})
    assert "nodePoolName" not in cluster.patch("training-a", {"spec": {"nodePoolName": None}})["spec"]


def test_a_name_that_differs_from_the_objects_cannot_be_left_out_later(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool(NODE_POOL_SPEC | {"nodePoolName": "in-the-cloud"}))
    assert "nodePoolName is immutable" in cluster.patch_refused("training-a", {"spec": {"nodePoolName": None}})


def test_the_deletion_policy_may_change(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool())
    assert cluster.patch("training-a", {"spec": {"deletionPolicy": "Retain"}})["spec"]["deletionPolicy"] == "Retain"
    assert "Unsupported value" in cluster.patch_refused("training-a", {"spec": {"deletionPolicy": "Keep"}})


@pytest.mark.parametrize(
    "change", [{"region": "cn-north-9"}, {"projectId": "4567"}, {"workspace": "1"}], ids=lambda change: str(*change)
)
def test_what_an_account_stands_for_cannot_change(cluster: Cluster, change: dict[str, Any]) -> None:
    cluster.create(cluster.account({}))
    said = cluster.refused("patch", "maacct", cluster.namespace, "--type=merge", "-p", json.dumps({"spec": change}))
    assert f"{next(iter(change))} is immutable" in said


BAD_NAMES = [
    "", ".", "..", "a/b", "../a", "%2e", "%2e%2e", "a%2fb", "a?b", "a#b", "a\\b", "a b", "a\n", "\na", "a\r", "a\x00",
    "-a", "a-", ".a", "a.", "_a", "a_", "a~b", "é", "a" * 129,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_the_api_server_refuses_a_name_that_would_change_a_url(dry_cluster: Cluster, name: str) -> None:
    for field in ("poolName", "nodePoolName"):
        said = dry_cluster.would_refuse(dry_cluster.node_pool(NODE_POOL_SPEC | {field: name}))
        assert f"spec.{field}: " in said


GOOD_NAMES = [
    "nodePool-1", "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default", "Upper", "1", "1a", "a.b", "a..b", "a_b", "a" * 63,
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_the_api_server_takes_every_name_that_modelarts_gives(dry_cluster: Cluster, name: str) -> None:
    dry_cluster.would_create(dry_cluster.node_pool(NODE_POOL_SPEC | {"poolName": name, "nodePoolName": name}))
    grants = [{"namespaces": ["ml"], "resourcePools": [name]}]
    dry_cluster.would_create(dry_cluster.account({"grants": grants}))


def test_a_node_pools_name_may_be_twice_as_long_as_a_resource_pools(dry_cluster: Cluster) -> None:
    dry_cluster.would_create(dry_cluster.node_pool(NODE_POOL_SPEC | {"nodePoolName": "a" * 128}))
    said = dry_cluster.would_refuse(dry_cluster.node_pool(NODE_POOL_SPEC | {"poolName": "a" * 64}))
    assert "spec.poolName: " in said


@pytest.mark.parametrize("name", ["a.b", "1a", "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default", "a" * 128])
def test_an_objects_own_name_is_its_node_pools_where_it_fits(dry_cluster: Cluster, name: str) -> None:
    dry_cluster.would_create(dry_cluster.node_pool(name=name))


def test_an_object_whose_name_is_too_long_for_a_node_pool_has_to_give_one(dry_cluster: Cluster) -> None:
    said = dry_cluster.would_refuse(dry_cluster.node_pool(name="a" * 129))
    assert "spec.nodePoolName: Required value: metadata.name is too long for the name of a node pool" in said
    dry_cluster.would_create(dry_cluster.node_pool(NODE_POOL_SPEC | {"nodePoolName": "a"}, name="a" * 129))


def test_an_effective_name_with_capitals_and_dots_is_immutable_too(cluster: Cluster) -> None:
    cluster.create(cluster.node_pool(NODE_POOL_SPEC | {"nodePoolName": "nodePool-1"}))
    assert "nodePoolName is immutable" in cluster.patch_refused("training-a", {"spec": {"nodePoolName": "nodepool-1"}})


@pytest.mark.parametrize("region", ["cn-north-4", "eu-de", "eu-ch2", "private", "1", "a" * 63])
def test_a_region_is_any_dns_label(dry_cluster: Cluster, region: str) -> None:
    dry_cluster.would_create(dry_cluster.account({"region": region}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"region": "a" * 64}, "spec.region: ", id="region too long"),
        pytest.param({"region": "Eu-de"}, "spec.region: Invalid value", id="region with a capital"),
        pytest.param({"region": "eu.de"}, "spec.region: Invalid value", id="region with a dot"),
        pytest.param({"region": "-eu"}, "spec.region: Invalid value", id="region with a hyphen in front"),
        pytest.param({"region": "cn_north"}, "spec.region: Invalid value", id="region"),
        pytest.param({"region": "cn-north-4\n"}, "spec.region: Invalid value", id="region with a line feed"),
        pytest.param({"region": "x-y-1.evil.example/"}, "spec.region: Invalid value", id="region with a host"),
        pytest.param({"projectId": "../x"}, "spec.projectId: Invalid value", id="project"),
        pytest.param({"credentials": {}}, "secretName is required for source Secret", id="no secret"),
        pytest.param(
            {"credentials": {"source": "OIDC", "secretName": "key"}},
            "secretName is for source Secret only",
            id="secret",
        ),
        pytest.param({"credentials": {"source": "Env"}}, "Unsupported value", id="unknown source"),
        pytest.param(
            {"grants": [{"resourcePools": ["*"]}]}, "either namespaces or namespaceSelector", id="grant to nobody"
        ),
        pytest.param(
            {
                "grants": [
                    {
                        "namespaces": ["ml"],
                        "namespaceSelector": {"matchLabels": {"a": "b"}},
                        "resourcePools": ["*"],
                    }
                ]
            },
            "either namespaces or namespaceSelector",
            id="grant in two ways",
        ),
        pytest.param({"grants": None}, "spec.grants: Required value", id="no grants"),
        pytest.param({"deletionBudget": {"unlimited": True, "max": 5}}, "either unlimited: true or", id="two budgets"),
        pytest.param({"deletionBudget": {"unlimited": False}}, "Unsupported value", id="limited by a negation"),
        pytest.param({"deletionBudget": {"max": 101}}, "less than or equal to 100", id="budget too large"),
        pytest.param({"deletionBudget": {"max": 0}}, "greater than or equal to 1", id="budget of nothing"),
        pytest.param({"deletionBudget": {"window": "59s"}}, "between 1m and 168h", id="window too short"),
        pytest.param({"deletionBudget": {"window": "169h"}}, "between 1m and 168h", id="window too long"),
        pytest.param({"runningWorkloads": "hold"}, "Unsupported value", id="jobs in another case"),
        pytest.param({"pollInterval": "0s"}, "between 1s and 1h", id="interval of nothing"),
        pytest.param({"pollInterval": "61m"}, "between 1s and 1h", id="interval too long"),
        pytest.param({"activePollInterval": "99999h99999h99999h"}, "between 1s and 1h", id="interval without end"),
        pytest.param({"pollInterval": "1m\n"}, "should match", id="interval with a line feed"),
        pytest.param({"pollInterval": "1d"}, "should match", id="interval in days"),
        pytest.param({"pollInterval": 60}, "must be of type string", id="interval as a number"),
    ],
)
def test_an_account_that_says_too_little_or_too_much_is_refused(
    dry_cluster: Cluster, change: dict[str, Any], said: str
) -> None:
    assert said in dry_cluster.would_refuse(dry_cluster.account(change))


@pytest.mark.parametrize(
    "change",
    [
        {"credentials": {"source": "Metadata"}},
        {"credentials": {"source": "PodIdentity"}},
        {"deletionBudget": {"unlimited": True}},
        {"deletionBudget": {"max": 5}},
        {"deletionBudget": {"window": "1m"}},
        {"deletionBudget": {"max": 100, "window": "168h"}},
        {"pollInterval": "1s", "activePollInterval": "1h"},
        {"pollInterval": "1m30s"},
        {"runningWorkloads": "Hold"},
        {"runningWorkloads": "Ignore"},
        {"grants": []},
        {"grants": [{"namespaceSelector": {"matchLabels": {"team": "blue"}}, "resourcePools": ["pool-a"]}]},
    ],
    ids=repr,
)
def test_an_account_within_the_rules_is_accepted(dry_cluster: Cluster, change: dict[str, Any]) -> None:
    dry_cluster.would_create(dry_cluster.account(change))


@pytest.mark.parametrize("how", [("apply",), ("apply", "--server-side")], ids=" ".join)
def test_an_account_applied_without_a_budget_can_become_unlimited(cluster: Cluster, how: tuple[str, ...]) -> None:
    """A budget that the API server had filled in would stay beside the new one and be refused."""
    cluster.run(*how, "-f", "-", stdin=cluster.account({}))
    cluster.run(*how, "-f", "-", stdin=cluster.account({"deletionBudget": {"unlimited": True}}))
    cluster.run(*how, "-f", "-", stdin=cluster.account({"deletionBudget": {"max": 3}}))
    assert cluster.get("maacct", cluster.namespace)["spec"]["deletionBudget"] == {"max": 3}
