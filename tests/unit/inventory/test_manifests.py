"""Manifests adopt what is unmanaged, retain it, and never share a name."""

from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.inventory.manifests import Adoption, adopt, choose_names, to_yaml
from modelarts_nodepool.inventory.matching import match
from modelarts_nodepool.inventory.seen import SeenPool
from modelarts_nodepool.ports import Billing
from modelarts_nodepool.resource.node_pool import DeletionPolicy
from modelarts_nodepool.resource.objects import Account, NodePool
from tests.unit.inventory.worlds import account, an_object, cluster, pool, workspace

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
    ],
)
def test_names_are_chosen_so_that_nobody_means_another(
    node_pools: list[tuple[str, str]], taken: list[str], names: list[str]
) -> None:
    assert choose_names(node_pools, taken) == names


WORDS = st.sampled_from(["a", "b", "a-p", "a-p-2", "p", "q", "a-a"])


@given(st.lists(st.tuples(WORDS, WORDS), unique=True), st.sets(WORDS))
def test_no_name_is_ever_given_twice_or_taken(node_pools: list[tuple[str, str]], taken: set[str]) -> None:
    names = choose_names(node_pools, taken)
    assert len(names) == len(node_pools)
    assert len(set(names)) == len(names)
    assert not set(names) & taken


def test_the_account_that_grants_is_chosen_and_a_missing_grant_is_told() -> None:
    narrow = account("alpha", {"namespaces": ["other"], "resourcePools": ["*"]})
    granting = account("beta", {"namespaces": ["ml"], "resourcePools": ["pool-a"]})
    granted, not_granted = adoption(pool("pool-a", "a"), pool("pool-b", "b"), accounts=(narrow, granting)).manifests
    assert granted.body["spec"]["accountRef"]["name"] == "beta"
    assert granted.grant_needed == ""
    assert not_granted.grant_needed == "account alpha has to grant pool-b to namespace ml"


def test_the_yaml_is_the_manifest_whatever_a_name_looks_like() -> None:
    found = adoption(pool("null", "yes", "on", "e5", billing=Billing.YEARLY_MONTHLY)).manifests
    text = to_yaml(found)
    assert list(yaml.safe_load_all(text)) == [manifest.body for manifest in found]
    assert "# 2 available, modelarts.vm.gpu.t4u8, yearly/monthly\n" in text
    assert all(one["metadata"]["name"] < two["metadata"]["name"] for one, two in pairwise(yaml.safe_load_all(text)))


def test_a_name_that_would_change_a_url_is_left_out_and_said() -> None:
    found = adoption(pool("pool-a", "..", "Upper", "fine"))
    assert [manifest.body["metadata"]["name"] for manifest in found.manifests] == ["fine"]
    assert "'..'" in found.left_out[0]
    assert "'Upper'" in found.left_out[1]
