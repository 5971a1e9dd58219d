"""What the deletions under way must know of each other: records, reserved slots, who waits for the budget.

Filled by controllers/deletion/gather.py and controllers/deletion/send.py, read when a deletion is observed. It can be
lost: the API server holds what counts, and a restart fills this anew. Each question is answered from an index:
ten thousand deletions that each went through all the others would keep the process busy with nothing else.
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

    def note(self, node_pool: NodePool, identity: Identity | None, record: DeletionRecord) -> None:
        """What is known of this deletion now."""
        uid, deleted = node_pool.metadata.uid, node_pool.metadata.deleted
        if deleted is None:
            return
        account = node_pool.spec.account_ref.name
        known = self._known.get(uid) or _One(account, identity, record.sent_time, deleted)
        self._put(uid, replace(known, account=account, identity=identity, sent_time=record.sent_time, deleted=deleted))

    def forget(self, uid: str) -> None:
        """It is over."""
        self._take_out(uid)

    def wait_for_budget(self, uid: str, *, is_waiting: bool) -> None:
        """Whether only the budget is in its way."""
        if uid in self._known:
            self._put(uid, replace(self._known[uid], is_waiting=is_waiting))

    def reserve(self, uid: str, *, is_reserved: bool) -> None:
        """A slot that is taken from the decision until the write-ahead or its failure."""
        if uid in self._known:
            self._put(uid, replace(self._known[uid], is_reserved=is_reserved))

    def release(self, uid: str, *, is_releasing: bool) -> None:
        """Our own patch is about to remove the finalizer, or it was refused."""
        if uid in self._known:
            self._put(uid, replace(self._known[uid], is_releasing=is_releasing))

    def is_releasing(self, uid: str) -> bool:
        """Whether the object's going is our own doing."""
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
        """The account's budget as this deletion sees it."""
        known = self._known.get(uid)
        deleted = known.deleted if known and known.account == account.metadata.name else now
        ours = self._accounts.get(account.metadata.name) or _OfAccount()
        return view_budget(account, (deleted, uid), ours.slots, ours.waiting, now)

    def _put(self, uid: str, one: _One) -> None:
        if self._known.get(uid) == one:
            return
        self._take_out(uid)
        self._known[uid] = one
        ours = self._accounts[one.account]
        if one.has_slot:
            ours.slots[uid] = one.sent_time
            if one.identity is not None:
                self._leaving[_place(one.identity)][uid] = one.identity.node_pool_name
        if one.is_waiting and one.sent_time is None:
            ours.waiting.add((one.deleted, uid))

    def _take_out(self, uid: str) -> None:
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
