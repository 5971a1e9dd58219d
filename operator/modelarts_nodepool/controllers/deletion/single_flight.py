"""Single flight: concurrent deletions that need the same fact share one request.

Used for what is the same for many objects: the CRD, a namespace, a resource pool, discovery. Without it a thousand
objects that are deleted at once would ask a thousand times.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from modelarts_nodepool.controllers.workqueue import KeyedLocks
from modelarts_nodepool.decide.observed import Evidence

Question = tuple[str, ...]
Ask = Callable[[], Awaitable[Evidence[Any]]]

# No caller accepts an older answer.
KEPT_SECONDS = 10.0


class SingleFlight:
    """The newest answer to each question, failed ones included."""

    def __init__(self) -> None:
        self._locks = KeyedLocks()
        self._answers: OrderedDict[Question, Evidence[Any]] = OrderedDict()

    async def get(self, question: Question, not_before: float, ask: Ask) -> Evidence[Any]:
        """An answer to a request that began at `not_before` (monotonic seconds) or later; `ask` makes one.

        A request that is cancelled leaves nothing behind: those that waited for it make their own.
        """
        known = self._answers.get(question)
        if known is not None and known.begun >= not_before:
            return known
        async with self._locks.of(*question):
            answer = self._answers.get(question)
            if answer is None or answer.begun < not_before:
                answer = self._answers[question] = await ask()
                self._answers.move_to_end(question)
                self._forget(answer.begun - KEPT_SECONDS)
            return answer

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._answers)

    def _forget(self, oldest: float) -> None:
        while (question := next(iter(self._answers))) and self._answers[question].begun < oldest:
            del self._answers[question]
