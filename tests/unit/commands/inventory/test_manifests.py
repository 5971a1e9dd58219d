"""Manifests adopt what is unmanaged, retain it, and never share a name."""

import re
from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.api.names import NODE_POOL_NAME_PATTERN
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.commands.inventory.manifests import Adoption, adopt, choose_names, to_yaml
from modelarts_nodepool.commands.inventory.matching import match
from modelarts_nodepool.commands.inventory.model import SeenPool
from modelarts_nodepool.ports import Billing
from tests.unit.commands.inventory.worlds import account, an_object, cluster, pool, workspace

DEFAULT = account()


def adoption(
    *pools: SeenPool,
    objects: tuple[NodePool, ...] = (),
    accounts: tuple[Account, ...] = (DEFAULT,),
    policy: str = "Retain",
) -> Adoption:
    there = cluster(accounts, *objects)
    return adopt(match([workspace(accounts, *pools)], there), there, "ml", DeletionPolicy(policy))


def test_a_manifest_names_everything_and_retains() -> None:
    (manifest,) = adoption(pool("pool-a", "a")).manifests
    assert manifest.body == {
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1",
        "kind": "ModelArtsNodePool",
        "metadata": {"name": "a", "namespace": "ml"},
        "spec": {"accountRef": {"name": "default"}, "poolName": "pool-a", "deletionPolicy": "Retain"},
    }


def test_delete_has_to_be_asked_for() -> None:
    (manifest,) = adoption(pool("pool-a", "a"), policy="Delete").manifests
    assert manifest.body["spec"]["deletionPolicy"] == "Delete"


def test_only_what_is_unmanaged_is_adopted() -> None:
    found = adoption(pool("pool-a", "a", "b"), pool("pool-b", listed=False), objects=(an_object("a"),))
    assert [manifest.body["metadata"]["name"] for manifest in found.manifests] == ["b"]


def test_a_name_that_another_object_has_is_not_taken_from_it() -> None:
    (manifest,) = adoption(pool("pool-a", "a"), objects=(an_object("a", pool="pool-z"),)).manifests
    assert manifest.body["metadata"]["name"] == "a-pool-a"
    assert manifest.body["spec"]["nodePoolName"] == "a"


@pytest.mark.parametrize(
    ("node_pools", "taken", "names"),
    [
        ([("p", "a"), ("p", "b")], [], ["a", "b"]),
        ([("p", "a"), ("q", "a")], [], ["a-p", "a-q"]),
        ([("p", "a"), ("q", "a"), ("r", "a-p")], [], ["a-p-2", "a-q", "a-p"]),
        ([("p", "a")], ["a"], ["a-p"]),
        ([("p", "a")], ["a", "a-p", "a-p-2"], ["a-p-3"]),
        ([("p", "modelarts.bm.npu.arm.8snt9b3-default")], [], ["modelarts.bm.npu.arm.8snt9b3-default"]),
        ([("p", "nodePool-1")], [], ["nodepool-1-de642504"]),
        ([("p", "nodePool-1"), ("p", "other")], [], ["nodepool-1-de642504", "other"]),
        ([("p", "nodePool-1"), ("q", "nodePool-1")], [], ["nodepool-1-p-de642504", "nodepool-1-q-1fc3aeca"]),
        ([("p", "A_b"), ("p", "a-b")], [], ["a-b-p-8ab410b0", "a-b-p"]),
        ([("p", "a..b")], [], ["a.b-43342713"]),
    ],
)
def test_names_are_chosen_so_that_nobody_means_another(
    node_pools: list[tuple[str, str]], taken: list[str], names: list[str]
) -> None:
    assert choose_names(node_pools, taken) == names


WORDS = st.sampled_from(["a", "b", "a-p", "a-p-2", "p", "q", "a-a", "A", "a_p", "A-P"])
ANY_NAME = st.from_regex(re.compile(NODE_POOL_NAME_PATTERN[1:-1]), fullmatch=True)


@given(st.lists(st.tuples(WORDS, WORDS), unique=True), st.sets(WORDS))
def test_no_name_is_ever_given_twice_or_taken(node_pools: list[tuple[str, str]], taken: set[str]) -> None:
    names = choose_names(node_pools, taken)
    assert len(names) == len(node_pools)
    assert len(set(names)) == len(names)
    assert not set(names) & taken


@given(ANY_NAME, ANY_NAME, ANY_NAME)
def test_every_name_of_the_cloud_gets_a_name_that_kubernetes_takes(pool: str, name: str, other: str) -> None:
    (alone,) = choose_names([(pool, name)], ())
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", alone)
    assert len(alone) <= 253
    if other != name:
        # It is the same whatever else is there, as long as nothing is there that it could be confused with.
        beside = choose_names([(pool, other), (pool, name)], ())[1]
        assert beside == alone or other.lower().replace("_", "-") == name.lower().replace("_", "-")


def test_the_account_that_grants_is_chosen_and_a_missing_grant_is_told() -> None:
    narrow = account("alpha", {"namespaces": ["other"], "resourcePools": ["*"]})
    granting = account("beta", {"namespaces": ["ml"], "resourcePools": ["pool-a"]})
    granted, not_granted = adoption(pool("pool-a", "a"), pool("pool-b", "b"), accounts=(narrow, granting)).manifests
    assert granted.body["spec"]["accountRef"]["name"] == "beta"
    assert granted.grant_needed == ""
    assert not_granted.grant_needed == "account alpha must grant pool-b to namespace ml"


def test_the_yaml_is_the_manifest_whatever_a_name_looks_like() -> None:
    names = sorted(["null", "yes", "on", "e5", "1e3", "0o17", "y", "123", "2026-11-28", "0x1f", "1.5"])
    found = adoption(pool("null", *names, billing=Billing.YEARLY_MONTHLY)).manifests
    text = to_yaml(found)
    assert list(yaml.safe_load_all(text)) == [manifest.body for manifest in found]
    assert "# 2 available, modelarts.vm.gpu.t4u8, yearly/monthly\n" in text
    assert all(one["metadata"]["name"] < two["metadata"]["name"] for one, two in pairwise(yaml.safe_load_all(text)))


@pytest.mark.parametrize("name", ["1e3", "12E5", "0o17", "0b11", "y", "N", "123", "1_000", "2026-11-28", "0x1f"])
def test_a_name_that_a_reader_of_yaml_takes_for_something_else_is_quoted(name: str) -> None:
    (manifest,) = adoption(pool("pool-a", name)).manifests
    lines = to_yaml([manifest]).splitlines()
    assert f"  nodePoolName: '{name}'" in lines or f"  name: '{name}'" in lines


def test_a_name_that_no_call_can_carry_is_shown_and_not_adopted() -> None:
    found = adoption(pool("pool-a", "..", "größe", "fine"))
    assert [manifest.body["metadata"]["name"] for manifest in found.manifests] == ["fine"]
    assert "node pool '..' of pool-a: no object can refer to it" in found.left_out[0]
    assert "'gr\\xf6\\xdfe'" in found.left_out[1]
    text = to_yaml(found.manifests, found.left_out)
    assert "# Not adopted: node pool '..' of pool-a: no object can refer to it" in text
    assert len(list(yaml.safe_load_all(text))) == 1
