"""An event loop whose time passes at once: when all tasks wait, the clock moves on to the next timer.

Hours of polling run in milliseconds and the same way each time. No socket works in it.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from typing_extensions import override

from tests.support.builders import NOON

T = TypeVar("T")
BEGINS_AT = 1000.0
# A turn of the loop takes its time, however little: else a wait of less than a clock can show would never end.
TURN_SECONDS = 1e-6


class _Selector(selectors.SelectSelector):
    """Does not wait: tells the loop how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGINS_AT

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits and no timer runs: this would hang for ever")
        self.now += max(timeout, TURN_SECONDS)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._hand = _Selector()
        super().__init__(self._hand)

    @override
    def time(self) -> float:
        return self._hand.now


class VirtualClock:
    """ports.Clock by the loop that runs."""

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.monotonic() - BEGINS_AT)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run_at_once(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it to its end in virtual time, with the same chances each time."""
    random.seed(0)
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main())
