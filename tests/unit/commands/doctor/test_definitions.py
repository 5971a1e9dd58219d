"""Differences between an installed CRD and ours, in words."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from modelarts_nodepool.api.crd import build_account_crd, build_node_pool_crd
from modelarts_nodepool.commands.doctor.check import Result
from modelarts_nodepool.commands.doctor.definitions import compare_definitions, judge

Definition = dict[str, Any]


def spec_of(definition: Definition) -> Definition:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return dict(schema["properties"]["spec"])


def installed() -> Definition:
    """As an API server gives it back."""
    definition = copy.deepcopy(build_node_pool_crd())
    definition["spec"]["conversion"] = {"strategy": "None"}
    definition["status"] = {
        "conditions": [{"type": "Established", "status": "True"}],
        "storedVersions": ["v1alpha1"],
    }
    return definition


def without_a_field(definition: Definition) -> None:
    del spec_of(definition)["properties"]["deletionPolicy"]


def with_a_field(definition: Definition) -> None:
    spec_of(definition)["properties"]["replicas"] = {"type": "integer"}


def with_another_pattern(definition: Definition) -> None:
    spec_of(definition)["properties"]["poolName"]["pattern"] = "^.*$"


def without_a_rule(definition: Definition) -> None:
    del spec_of(definition)["properties"]["poolName"]["x-kubernetes-validations"]


def without_a_column(definition: Definition) -> None:
    definition["spec"]["versions"][0]["additionalPrinterColumns"].pop()


def not_served(definition: Definition) -> None:
    definition["spec"]["versions"][0]["served"] = False


def of_another_version(definition: Definition) -> None:
    definition["spec"]["versions"][0]["name"] = "v1"


def with_old_objects(definition: Definition) -> None:
    definition["status"]["storedVersions"] = ["v1alpha0", "v1alpha1"]


def with_another_item(definition: Definition) -> None:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["status"]["properties"]["conditions"]["items"]["properties"]["reason"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_a_field, "it lacks the field spec.deletionPolicy"),
        (with_a_field, "it has an unknown field spec.replicas"),
        (with_another_pattern, "spec.poolName: different pattern"),
        (without_a_rule, "spec.poolName: no validation rules"),
        (without_a_column, "its printer columns differ"),
        (not_served, "v1alpha1 is not served"),
        (of_another_version, "it has no version v1alpha1"),
        (with_old_objects, "objects may still be stored as v1alpha0"),
        (with_another_item, "it lacks the field status.conditions[].reason"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_difference_is_told_in_words(change: Callable[[Definition], None], words: str) -> None:
    definition = installed()
    change(definition)
    assert words in compare_definitions(definition, build_node_pool_crd())
    finding = judge(definition, build_node_pool_crd())
    assert finding.result is Result.FAILED
    assert "kubectl apply --server-side --force-conflicts -f crds/" in finding.remedy


def test_what_the_api_server_gives_back_is_the_same() -> None:
    finding = judge(installed(), build_node_pool_crd())
    assert finding.result is Result.OK, finding.words


def test_other_descriptions_are_a_warning_only() -> None:
    definition = installed()
    spec_of(definition)["properties"]["poolName"]["description"] = "something else"
    assert compare_definitions(definition, build_node_pool_crd()) == []
    assert judge(definition, build_node_pool_crd()).result is Result.WARNING


def test_many_differences_are_counted_and_not_all_told() -> None:
    assert len(compare_definitions(build_account_crd(), build_node_pool_crd())) > 3
    definition = installed()
    named = 3
    differences = len(spec_of(definition)["properties"])
    spec_of(definition)["properties"].clear()
    assert f"and {differences - named} more" in judge(definition, build_node_pool_crd()).words


def test_a_crd_that_is_being_deleted_or_not_established_fails() -> None:
    definition = installed()
    definition["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "being deleted" in judge(definition, build_node_pool_crd()).words
    definition = installed()
    definition["status"]["conditions"] = []
    assert "not established" in judge(definition, build_node_pool_crd()).words
