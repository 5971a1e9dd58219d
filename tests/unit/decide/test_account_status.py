"""What an account says of its credentials, and that a cloud out of reach says nothing about them."""

import pytest

from modelarts_nodepool.api.account import AccountStatus
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.decide.status import decide_account_status
from modelarts_nodepool.errors import (
    ClockSkew,
    CredentialsRejected,
    CredentialsUnavailable,
    NotFound,
    PermissionDenied,
    RefusedByModelArts,
    SecretNotFound,
    ServerFailure,
)
from tests.support.builders import NOON, an_account
from tests.unit.decide.situations import HOUR

FRESH = an_account().build()
WORKED = {"Ready": ("True", "CredentialsValid")}
UNUSED = {"Reconciling": ("True", "NotYetUsed"), "Ready": ("Unknown", "NotYetUsed")}


def broken(reason: str) -> dict[str, tuple[str, str]]:
    return {"Stalled": ("True", reason), "Ready": ("False", reason)}


def said(status: AccountStatus) -> dict[str, tuple[str, str]]:
    return {condition.type.value: (condition.status.value, condition.reason) for condition in status.conditions}


def having(status: AccountStatus) -> Account:
    return Account(metadata=FRESH.metadata, spec=FRESH.spec, status=status)


@pytest.mark.parametrize(
    ("was_used", "failure", "expected"),
    [
        (False, None, UNUSED),
        (True, None, WORKED),
        (True, NotFound("404"), WORKED),
        (True, RefusedByModelArts("400"), WORKED),
        (True, CredentialsRejected("401"), broken("CredentialsRejected")),
        (False, CredentialsUnavailable("no Secret"), broken("CredentialsUnavailable")),
        (True, SecretNotFound("no Secret"), broken("SecretNotFound")),
        (True, PermissionDenied("403"), broken("PermissionDenied")),
        (True, ClockSkew("401"), broken("ClockSkew")),
        (True, ServerFailure("503"), UNUSED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_account_says_whether_its_credentials_worked(
    was_used: bool,  # noqa: FBT001 - a case of the table
    failure: Failure | None,
    expected: dict[str, tuple[str, str]],
) -> None:
    status = decide_account_status(FRESH, was_used=was_used, failure=failure, now=NOON)
    assert said(status) == expected
    assert status.observed_generation == 1
    again = decide_account_status(having(status), was_used=was_used, failure=failure, now=NOON + HOUR)
    assert again == status


def test_a_cloud_out_of_reach_leaves_the_last_word() -> None:
    status = decide_account_status(FRESH, was_used=True, failure=None, now=NOON)
    away = decide_account_status(having(status), was_used=True, failure=ServerFailure("503"), now=NOON + HOUR)
    assert away == status


def test_a_restart_leaves_the_last_word_until_there_is_news() -> None:
    for failure in (None, CredentialsRejected("401")):
        status = decide_account_status(FRESH, was_used=True, failure=failure, now=NOON)
        restarted = decide_account_status(having(status), was_used=False, failure=None, now=NOON + HOUR)
        assert restarted == status
        gone = decide_account_status(having(status), was_used=False, failure=CredentialsUnavailable("x"), now=NOON)
        assert said(gone) == broken("CredentialsUnavailable")


def test_credentials_that_work_again_are_news() -> None:
    rejected = decide_account_status(FRESH, was_used=True, failure=CredentialsRejected("401"), now=NOON)
    assert said(decide_account_status(having(rejected), was_used=True, failure=None, now=NOON + HOUR)) == WORKED


def test_words_that_only_repeat_themselves_stay() -> None:
    status = decide_account_status(FRESH, was_used=True, failure=CredentialsRejected("401 at noon"), now=NOON)
    again = decide_account_status(having(status), was_used=True, failure=CredentialsRejected("breaker"), now=NOON)
    assert again == status
