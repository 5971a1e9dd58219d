"""Looks that deletions share: one at a time for each question, its answer good for all who asked before it was put.

Used by controllers/deletion/fetch.py for what is the same for many objects: the CRD, a namespace, a resource pool. A
thousand objects that are deleted at once would else ask a thousand times.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from modelarts_nodepool.controllers.deletion.turns import Turns
from modelarts_nodepool.decide.observed import Evidence

Question = tuple[str, ...]
Ask = Callable[[], Awaitable[Evidence[Any]]]

# Nobody is content with an older answer.
KEPT_SECONDS = 10.0


class Shared:
    """The newest answer to each question, failed ones included."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._answers: OrderedDict[Question, Evidence[Any]] = OrderedDict()

    async def look(self, question: Question, not_before: float, ask: Ask) -> Evidence[Any]:
        """An answer to a look that began at `not_before` (monotonic seconds) or later; `ask` makes one.

        A cancelled look leaves nothing behind: whoever waited for it makes their own.
        """
        async with self._turns.of(*question):
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
