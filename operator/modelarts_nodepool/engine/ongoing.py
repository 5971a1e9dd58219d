"""What the deletions under way must know of each other: records, reserved slots, who waits for the budget.

Filled by engine/facts.py and engine/send.py, read when a deletion is observed. All of it can be lost: the API
server holds what counts, and a restart fills this anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelarts_nodepool.decide.budget import BudgetView, view_budget
from modelarts_nodepool.resource.node_pool import DeletionRecord, Identity
from modelarts_nodepool.resource.objects import Account, NodePool


@dataclass(slots=True)
class _One:
    """One deletion as the others see it."""

    account: str
    identity: Identity | None
    sent_time: datetime | None
    deleted: datetime
    is_waiting: bool = False
    is_reserved: bool = False
    is_releasing: bool = False


@dataclass(slots=True)
class Ongoing:
    """The deletions of this process, by uid."""

    _known: dict[str, _One] = field(default_factory=dict)

    def note(self, node_pool: NodePool, identity: Identity | None, record: DeletionRecord) -> None:
        """What is known of this deletion now."""
        uid, deleted = node_pool.metadata.uid, node_pool.metadata.deleted
        if deleted is None:
            return
        before = self._known.get(uid)
        self._known[uid] = _One(
            account=node_pool.spec.account_ref.name,
            identity=identity,
            sent_time=record.sent_time,
            deleted=deleted,
            is_waiting=before.is_waiting if before else False,
            is_reserved=before.is_reserved if before else False,
            is_releasing=before.is_releasing if before else False,
        )

    def forget(self, uid: str) -> None:
        """It is over."""
        self._known.pop(uid, None)

    def wait_for_budget(self, uid: str, *, is_waiting: bool) -> None:
        """Whether only the budget is in its way."""
        if uid in self._known:
            self._known[uid].is_waiting = is_waiting

    def reserve(self, uid: str, *, is_reserved: bool) -> None:
        """A slot that is taken from the decision until the write-ahead or its failure."""
        if uid in self._known:
            self._known[uid].is_reserved = is_reserved

    def release(self, uid: str, *, is_releasing: bool) -> None:
        """Our own patch is about to remove the finalizer, or it was refused."""
        if uid in self._known:
            self._known[uid].is_releasing = is_releasing

    def is_releasing(self, uid: str) -> bool:
        """Whether the object's going is our own doing."""
        return uid in self._known and self._known[uid].is_releasing

    def leaving(self, uid: str, identity: Identity | None) -> frozenset[str]:
        """Node pools of the same resource pool whose DELETE may be in effect, or is about to be sent."""
        if identity is None:
            return frozenset()
        return frozenset(
            other.identity.node_pool_name
            for key, other in self._known.items()
            if key != uid
            and other.identity is not None
            and (other.sent_time is not None or other.is_reserved)
            and _place(other.identity) == _place(identity)
        )

    def budget(self, account: Account, uid: str, now: datetime) -> BudgetView:
        """The account's budget as this deletion sees it."""
        name = account.metadata.name
        ours = {key: one for key, one in self._known.items() if one.account == name}
        sent: Mapping[str, datetime | None] = {
            key: one.sent_time for key, one in ours.items() if one.sent_time is not None or one.is_reserved
        }
        waiting = [(one.deleted, key) for key, one in ours.items() if one.is_waiting and one.sent_time is None]
        deleted = ours[uid].deleted if uid in ours else now
        return view_budget(account, (deleted, uid), sent, waiting, now)


def _place(identity: Identity) -> tuple[str, str, str]:
    return (identity.region, identity.project_id, identity.pool_name)
