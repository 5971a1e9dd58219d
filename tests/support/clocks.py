"""A clock that a test moves by hand."""

from datetime import datetime, timedelta

from typing_extensions import override

from tests.support.builders import NOON


class HandClock:
    """Wall time and monotonic seconds stand still and move together, unless somebody sets the wall clock."""

    def __init__(self, moment: datetime = NOON, seconds: float = 1000.0) -> None:
        self.moment, self.seconds = moment, seconds

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, span: timedelta) -> None:
        self.moment += span
        self.seconds += span.total_seconds()

    def set_ahead(self, span: timedelta) -> None:
        self.moment += span


class TickingClock(HandClock):
    """Goes on by a tick with each look at its seconds: what happens later is later."""

    def __init__(self, tick: timedelta) -> None:
        super().__init__()
        self._tick = tick

    @override
    def monotonic(self) -> float:
        self.advance(self._tick)
        return super().monotonic()
