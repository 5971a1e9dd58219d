"""Which node pools the accounts' recentDeletions say were deleted lately, written or not."""

from datetime import datetime, timedelta

import pytest

from modelarts_nodepool.api.account import AccountStatus, RecentDeletion
from modelarts_nodepool.api.node_pool import Identity
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.controllers.audit import AuditTrail
from tests.support.builders import NOON, an_account
from tests.support.clocks import HandClock

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
IDENTITY = Identity(
    region="cn-north-4", project_id="0" * 32, workspace="0", pool_name="pool-a", node_pool_name="training-a"
)


def an_entry(sent: datetime | None, finished: datetime | None = None, pool_name: str = "pool-a") -> RecentDeletion:
    return RecentDeletion(
        uid="uid-of-gone",
        namespace="ml",
        name="gone",
        pool_name=pool_name,
        node_pool_name="gone",
        sent_time=sent,
        finished_time=finished,
        outcome="Gone",
    )


def an_account_that_remembers(*entries: RecentDeletion, name: str = "default", region: str = "cn-north-4") -> Account:
    account = an_account(name).in_region(region).build()
    return Account(metadata=account.metadata, spec=account.spec, status=AccountStatus(recent_deletions=entries))


def recently_deleted(trail: AuditTrail, *accounts: Account) -> set[str]:
    identity = IDENTITY.model_copy(update={"project_id": accounts[0].spec.project_id})
    return set(trail.recently_deleted(accounts, identity, NOON))


@pytest.mark.parametrize(
    ("entry", "is_reported"),
    [
        (an_entry(NOON - HOUR, NOON - 3 * MINUTE + SECOND), True),
        (an_entry(NOON - HOUR, NOON + MINUTE), True),
        (an_entry(NOON - HOUR, NOON - 3 * MINUTE), False),
        (an_entry(None, NOON - SECOND), False),
        (an_entry(NOON - 3 * MINUTE + SECOND), True),
        (an_entry(NOON - 3 * MINUTE), False),
        (an_entry(NOON, pool_name="pool-b"), False),
    ],
    ids=["lately", "by another clock", "long ago", "nothing sent", "sent lately", "sent long ago", "elsewhere"],
)
def test_what_left_its_resource_pool_lately_is_remembered(entry: RecentDeletion, *, is_reported: bool) -> None:
    trail = AuditTrail(HandClock())
    # Another account may name the same project.
    accounts = (an_account_that_remembers(), an_account_that_remembers(entry, name="other"))
    assert recently_deleted(trail, *accounts) == ({"gone"} if is_reported else set())
    elsewhere = an_account_that_remembers(entry, name="far", region="cn-east-3")
    assert recently_deleted(trail, elsewhere) == set()


def test_an_entry_counts_before_it_is_written_and_when_it_is_read_back() -> None:
    trail, empty = AuditTrail(HandClock()), an_account_that_remembers()
    assert recently_deleted(trail, empty) == set()
    trail.add("default", an_entry(NOON))
    assert recently_deleted(trail, empty) == {"gone"}
    trail.complete("default", trail.of("default"))
    assert recently_deleted(trail, empty) == set(), "a write that the account does not show is not known"
    assert recently_deleted(trail, an_account_that_remembers(an_entry(NOON))) == {"gone"}
