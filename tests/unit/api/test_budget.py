"""What a deletion budget is when it is said in part, or not at all."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from modelarts_nodepool.api.account import AccountSpec, DeletionBudget

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("said", "limit", "window"),
    [
        ({}, 10, HOUR),
        ({"max": 5}, 5, HOUR),
        ({"window": "24h"}, 10, timedelta(hours=24)),
        ({"max": 2, "window": "30m"}, 2, timedelta(minutes=30)),
        ({"max": None, "window": None, "unlimited": None}, 10, HOUR),
        ({"unlimited": True}, None, None),
        ({"unlimited": True, "max": 2}, 2, HOUR),
    ],
    ids=repr,
)
def test_what_is_left_out_of_a_budget_has_a_default(
    said: dict[str, object], limit: int | None, window: timedelta | None
) -> None:
    budget = DeletionBudget.model_validate(said)
    assert (budget.max, budget.window) == (limit, window)
    assert bool(budget.unlimited) == (limit is None)


def test_an_account_without_a_budget_has_the_default_one() -> None:
    account = AccountSpec.model_validate(
        {"region": "cn-north-4", "projectId": "0123", "credentials": {"secretName": "key"}, "grants": []}
    )
    assert account.deletion_budget == DeletionBudget(max=10, window=HOUR)


def test_a_budget_that_was_read_back_is_the_same() -> None:
    for budget in (DeletionBudget(), DeletionBudget(max=3), DeletionBudget(unlimited=True)):
        assert DeletionBudget.model_validate(budget.to_wire()) == budget


@pytest.mark.parametrize(
    "said",
    [
        {"max": 0},
        {"max": 101},
        {"unlimited": False},
        {"unlimited": 1},
        {"unlimited": "true"},
        {"window": "1d"},
        "10/1h",
    ],
    ids=repr,
)
def test_a_budget_outside_its_limits_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        DeletionBudget.model_validate(said)
