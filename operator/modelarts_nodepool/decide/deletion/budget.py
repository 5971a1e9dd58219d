"""The deletion budget: how many DELETEs an account may send in a time window, and in which order.

The cluster keeps the record: sent_time of the objects, and recentDeletions of the account. A restart loses nothing.
Only a slot that is reserved but not written ahead yet is kept in memory.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from modelarts_nodepool.api.model import to_timestamp
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import HELD, Decision, Hold
from modelarts_nodepool.decide.observed import BudgetView, DeletionObserved
from modelarts_nodepool.ports import Moment

# (deletionTimestamp, uid): the oldest deletion gets the first slot that frees.
Place = tuple[datetime, str]


def budget_exhausted(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Hold until a slot frees. Nothing on the object lifts it."""
    budget = observed.budget
    if budget is None or not budget.is_used_up:
        return None
    name = observed.node_pool.spec.account_ref.name
    command = remedies.edit_account(name)
    change = remedies.by_hand(observed.account.account.metadata, command) if observed.account else f": {command}"
    frees_at = budget.frees_at or moment.utc + budget.window
    words = (
        f"the deletion budget of ModelArtsAccount {name} is used up: {budget.used} of {budget.limit} DELETEs in the "
        f"last {_describe_window(budget.window)}; the next slot frees at {to_timestamp(frees_at)}; the operator then "
        f"continues automatically, oldest deletion first ({budget.ahead} ahead); an administrator can raise "
        f"spec.deletionBudget{change}; {remedies.way_out(observed.node_pool)}"
    )
    left = min(max(frees_at - moment.utc, timedelta(seconds=1)), HELD)
    return Hold(Reason.DELETION_BUDGET_EXHAUSTED, words, left)


def _describe_window(window: timedelta) -> str:
    hours, rest = divmod(int(window.total_seconds()), 3600)
    return f"{hours} h" if hours and not rest else f"{int(window.total_seconds()) // 60} min"


@dataclass(slots=True)
class Waiting:
    """The deletions that only the budget holds, in order. Each counts those before it without visiting them."""

    _ordered: list[Place] = field(default_factory=list)
    _by_uid: dict[str, Place] = field(default_factory=dict)

    @property
    def uids(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(uid for _, uid in self._ordered)

    def add(self, place: Place) -> None:
        """Start to wait, or wait at another place."""
        self.remove(place[1])
        self._by_uid[place[1]] = place
        insort(self._ordered, place)

    def remove(self, uid: str) -> None:
        """Stop to wait; no effect if it does not wait."""
        place = self._by_uid.pop(uid, None)
        if place is not None:
            del self._ordered[bisect_left(self._ordered, place)]

    def __len__(self) -> int:
        """How many wait."""
        return len(self._ordered)

    def before(self, place: Place, apart_from: Iterable[str]) -> int:
        """How many wait before this place, without these uids."""
        others = (self._by_uid[uid] for uid in apart_from if uid in self._by_uid)
        return bisect_left(self._ordered, place) - sum(1 for other in others if other < place)


def view_budget(
    account: Account,
    place: Place,
    sent: Mapping[str, datetime | None],
    waiting: Waiting,
    now: datetime,
) -> BudgetView:
    """What others than the deletion at `place` use, and how many of `waiting` come before it.

    `sent`: uid → sent_time of objects whose DELETE may be in effect; None for a slot that is only reserved.
    """
    budget = account.spec.deletion_budget
    if budget.unlimited or budget.max is None or budget.window is None:
        return BudgetView(limit=None)
    times: dict[str, datetime] = {
        entry.uid: entry.sent_time for entry in account.status.recent_deletions if entry.sent_time is not None
    }
    times |= {other: moment or now for other, moment in sent.items()}
    times.pop(place[1], None)
    inside = sorted(moment for moment in times.values() if now - moment < budget.window)
    ahead = waiting.before(place, apart_from=times)
    frees_at = inside[len(inside) - budget.max] + budget.window if len(inside) >= budget.max else None
    return BudgetView(limit=budget.max, window=budget.window, used=len(inside), ahead=ahead, frees_at=frees_at)
