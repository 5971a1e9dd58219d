"""What time it is for the simulator. The world is computed from it whenever somebody looks."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the simulator takes the time from."""

    def now(self) -> float:
        """Seconds since 1970 in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since 1970 in UTC."""
        return time.time()


class HandClock:
    """A clock that stands until somebody turns it: for tests that must not wait."""

    def __init__(self, start: float) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since 1970 in UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
