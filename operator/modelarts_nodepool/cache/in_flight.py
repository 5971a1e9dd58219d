"""Deletions in progress, as other deletions see them: records, reserved budget slots, and which wait for the budget.

Filled by controllers/deletion/gather.py and controllers/deletion/send.py, read when a deletion is observed. The API
server holds everything that counts: a restart fills this cache again. Every question is answered from an index,
because ten thousand deletions that each iterate over all others would use the whole CPU.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime

from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.decide.deletion.guards import Waiting, view_budget
from modelarts_nodepool.decide.observed import BudgetView

Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _One:
    """One deletion as the others see it."""

    account: str
    identity: Identity | None
    sent_time: datetime | None
    deleted: datetime
    is_waiting: bool = False
    is_reserved: bool = False
    is_releasing: bool = False

    @property
    def has_slot(self) -> bool:
        """Whether its DELETE may be in effect, or is about to be sent."""
        return self.sent_time is not None or self.is_reserved


@dataclass(slots=True)
class _OfAccount:
    """The deletions of one account: those with a slot, by uid and sent_time, and those that wait for one."""

    slots: dict[str, datetime | None] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)


@dataclass(slots=True)
class InFlight:
    """The deletions of this process, by uid."""

    _known: dict[str, _One] = field(default_factory=dict)
    _accounts: defaultdict[str, _OfAccount] = field(default_factory=lambda: defaultdict(_OfAccount))
    _leaving: defaultdict[Place, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def record(self, node_pool: NodePool, identity: Identity | None, record: DeletionRecord) -> None:
        """Record the current state of this deletion."""
        uid, deleted = node_pool.metadata.uid, node_pool.metadata.deleted
        if deleted is None:
            return
        account = node_pool.spec.account_ref.name
        known = self._known.get(uid) or _One(account, identity, record.sent_time, deleted)
        self._put(uid, replace(known, account=account, identity=identity, sent_time=record.sent_time, deleted=deleted))

    def forget(self, uid: str) -> None:
        """The deletion has ended."""
        self._remove(uid)

    def wait_for_budget(self, uid: str, *, is_waiting: bool) -> None:
        """Record whether only the budget holds this deletion."""
        if uid in self._known:
            self._put(uid, replace(self._known[uid], is_waiting=is_waiting))

    def reserve(self, uid: str, *, is_reserved: bool) -> None:
        """Reserve a budget slot from the decision until the write-ahead is written or has failed."""
        if uid in self._known:
            self._put(uid, replace(self._known[uid], is_reserved=is_reserved))

    def release(self, uid: str, *, is_releasing: bool) -> None:
        """Record whether a patch of ours that removes the finalizer is in progress."""
        if uid in self._known:
            self._put(uid, replace(self._known[uid], is_releasing=is_releasing))

    def is_releasing(self, uid: str) -> bool:
        """Whether a patch of ours may have removed the finalizer."""
        return uid in self._known and self._known[uid].is_releasing

    def leaving(self, uid: str, identity: Identity | None) -> frozenset[str]:
        """Node pools of the same resource pool whose DELETE may be in effect, or is about to be sent."""
        if identity is None:
            return frozenset()
        leaving = self._leaving.get(_place(identity), {})
        return frozenset(name for other, name in leaving.items() if other != uid)

    def waiting(self, account: str) -> tuple[str, ...]:
        """The deletions that only this account's budget holds."""
        ours = self._accounts.get(account)
        return ours.waiting.uids if ours else ()

    def budget(self, account: Account, uid: str, now: datetime) -> BudgetView:
        """The account's budget for this deletion."""
        known = self._known.get(uid)
        deleted = known.deleted if known and known.account == account.metadata.name else now
        ours = self._accounts.get(account.metadata.name) or _OfAccount()
        return view_budget(account, (deleted, uid), ours.slots, ours.waiting, now)

    def _put(self, uid: str, one: _One) -> None:
        if self._known.get(uid) == one:
            return
        self._remove(uid)
        self._known[uid] = one
        ours = self._accounts[one.account]
        if one.has_slot:
            ours.slots[uid] = one.sent_time
            if one.identity is not None:
                self._leaving[_place(one.identity)][uid] = one.identity.node_pool_name
        if one.is_waiting and one.sent_time is None:
            ours.waiting.add((one.deleted, uid))

    def _remove(self, uid: str) -> None:
        one = self._known.pop(uid, None)
        if one is None:
            return
        ours = self._accounts[one.account]
        ours.slots.pop(uid, None)
        ours.waiting.remove(uid)
        if not ours.slots and not ours.waiting:
            del self._accounts[one.account]
        if one.identity is not None:
            place = _place(one.identity)
            self._leaving[place].pop(uid, None)
            if not self._leaving[place]:
                del self._leaving[place]


def _place(identity: Identity) -> Place:
    return (identity.region, identity.project_id, identity.pool_name)
