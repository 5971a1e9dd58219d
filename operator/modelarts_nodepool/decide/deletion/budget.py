"""Row 17: how many DELETEs an account may send in how much time, what is used of it, and whose turn it is. Pure.

The memory of it is in the cluster: the sent_time of objects and the account's recentDeletions. A restart forgets
nothing; a slot that is reserved but not written ahead yet is the only thing kept in the process.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.decide.observed import BudgetView

# (deletionTimestamp, uid): whoever was deleted first has the first slot that frees.
Place = tuple[datetime, str]


@dataclass(slots=True)
class Waiting:
    """The deletions that only the budget holds, in their order. Each counts those before it without visiting them."""

    _ordered: list[Place] = field(default_factory=list)
    _by_uid: dict[str, Place] = field(default_factory=dict)

    @property
    def uids(self) -> tuple[str, ...]:
        """All of them, in their order."""
        return tuple(uid for _, uid in self._ordered)

    def add(self, place: Place) -> None:
        """It waits from now on."""
        self.remove(place[1])
        self._by_uid[place[1]] = place
        insort(self._ordered, place)

    def remove(self, uid: str) -> None:
        """It does not wait any more; nothing where it did not."""
        place = self._by_uid.pop(uid, None)
        if place is not None:
            del self._ordered[bisect_left(self._ordered, place)]

    def __len__(self) -> int:
        """How many wait."""
        return len(self._ordered)

    def before(self, place: Place, apart_from: Iterable[str]) -> int:
        """How many come before this place, some uids left out."""
        others = (self._by_uid[uid] for uid in apart_from if uid in self._by_uid)
        return bisect_left(self._ordered, place) - sum(1 for other in others if other < place)


def view_budget(
    account: Account,
    place: Place,
    sent: Mapping[str, datetime | None],
    waiting: Waiting,
    now: datetime,
) -> BudgetView:
    """What is used by others than the one at `place`, and how many of `waiting` come before it.

    `sent`: uid → sent_time of objects whose DELETE may be in effect, None for a slot that is only reserved.
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
