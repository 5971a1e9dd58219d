from typing import Any

import yaml

from lab.demo.samples import (
    NODES,
    build_manifests,
    build_scenario,
)
from lab.harness.operator import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE
from lab.simulator.reading import to_scenario
from tests.support.crds import REPOSITORY


def objects() -> list[dict[str, Any]]:
    files = build_manifests("cn-north-4", "0123", "AK", "SK")
    return [yaml.safe_load(text) for text in files.values()]


def test_the_scenario_is_one_that_the_simulator_reads() -> None:
    scenario = to_scenario(build_scenario())
    names = [node_pool.name for pool in scenario.resource_pools for node_pool in pool.node_pools]
    assert sorted(names) == sorted(NODES)


def test_every_object_names_a_node_pool_of_the_scenario_and_is_granted() -> None:
    in_cloud = {
        node_pool.name: pool.name
        for pool in to_scenario(build_scenario()).resource_pools
        for node_pool in pool.node_pools
    }
    (account,) = (body for body in objects() if body["kind"] == "ModelArtsAccount")
    (grant,) = account["spec"]["grants"]
    node_pools = [body for body in objects() if body["kind"] == "ModelArtsNodePool"]
    assert {body["metadata"]["name"]: body["spec"]["poolName"] for body in node_pools} == in_cloud
    assert {body["metadata"]["namespace"] for body in node_pools} == set(grant["namespaces"])
    assert set(in_cloud.values()) == set(grant["resourcePools"])


def test_the_operator_is_the_shipped_service_account() -> None:
    shipped = yaml.safe_load((REPOSITORY / "deploy/kustomize/base/serviceaccount.yaml").read_text())
    assert (shipped["metadata"]["namespace"], shipped["metadata"]["name"]) == (OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
