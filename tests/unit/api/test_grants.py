"""Who may name which resource pools."""

import pytest
from pydantic import ValidationError

from modelarts_nodepool.api.account import Grant

BY_NAME = Grant.model_validate({"namespaces": ["ml", "lab"], "resourcePools": ["pool-a", "pool-b"]})
EVERYTHING = Grant.model_validate({"namespaces": ["*"], "resourcePools": ["*"]})
ANY_NAMESPACE = Grant.model_validate({"namespaces": ["*"], "resourcePools": ["pool-a"]})
ANY_POOL = Grant.model_validate({"namespaces": ["ml"], "resourcePools": ["*"]})
BY_LABEL = Grant.model_validate(
    {"namespaceSelector": {"matchLabels": {"team": "blue", "env": "prod"}}, "resourcePools": ["pool-a"]}
)
NOBODY = Grant.model_validate({"resourcePools": ["*"]})

BLUE = {"team": "blue", "env": "prod", "other": "x"}


@pytest.mark.parametrize(
    ("grant", "namespace", "labels", "resource_pool", "allowed"),
    [
        pytest.param(BY_NAME, "ml", {}, "pool-a", True, id="named namespace and pool"),
        pytest.param(BY_NAME, "lab", {}, "pool-b", True, id="the second of each"),
        pytest.param(BY_NAME, "ml", {}, "pool-c", False, id="another pool"),
        pytest.param(BY_NAME, "web", {}, "pool-a", False, id="another namespace"),
        pytest.param(BY_NAME, "ml2", {}, "pool-a", False, id="a longer namespace"),
        pytest.param(BY_NAME, "m", {}, "pool-a", False, id="a part of the namespace"),
        pytest.param(BY_NAME, "*", {}, "pool-a", False, id="an asterisk asks for nothing"),
        pytest.param(EVERYTHING, "web", {}, "pool-z", True, id="everything, explicitly"),
        pytest.param(ANY_NAMESPACE, "web", {}, "pool-a", True, id="any namespace"),
        pytest.param(ANY_NAMESPACE, "web", {}, "pool-b", False, id="any namespace, another pool"),
        pytest.param(ANY_POOL, "ml", {}, "pool-z", True, id="any pool"),
        pytest.param(ANY_POOL, "web", {}, "pool-z", False, id="any pool, another namespace"),
        pytest.param(BY_LABEL, "web", BLUE, "pool-a", True, id="all labels and one more"),
        pytest.param(BY_LABEL, "web", {"team": "blue"}, "pool-a", False, id="one label missing"),
        pytest.param(BY_LABEL, "web", BLUE | {"env": "test"}, "pool-a", False, id="one label different"),
        pytest.param(BY_LABEL, "web", BLUE, "pool-b", False, id="labels fit, another pool"),
        pytest.param(BY_LABEL, "web", {}, "pool-a", False, id="no labels"),
        pytest.param(NOBODY, "ml", BLUE, "pool-a", False, id="a grant to nobody"),
    ],
)
def test_a_grant_allows_what_it_names_and_nothing_else(
    grant: Grant,
    namespace: str,
    labels: dict[str, str],
    resource_pool: str,
    allowed: bool,  # noqa: FBT001 - the expectation of the table
) -> None:
    assert grant.allows(namespace, labels, resource_pool) is allowed


@pytest.mark.parametrize(
    "given",
    [
        {"namespaces": ["ml"]},
        {"namespaces": ["ml"], "resourcePools": []},
        {"namespaces": [], "resourcePools": ["*"]},
        {"namespaces": ["ml*"], "resourcePools": ["*"]},
        {"namespaces": ["ml"], "resourcePools": [".."]},
        {"namespaces": ["ml\n"], "resourcePools": ["*"]},
        {"namespaceSelector": {"matchLabels": {}}, "resourcePools": ["*"]},
        {"namespaceSelector": {}, "resourcePools": ["*"]},
    ],
    ids=repr,
)
def test_a_grant_that_says_too_little_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Grant.model_validate(given)
