"""A clock that a test moves by hand."""

from datetime import datetime, timedelta

from tests.support.builders import NOON


class HandClock:
    """Wall time and monotonic seconds stand still and move together, unless somebody sets the wall clock."""

    def __init__(self) -> None:
        self.moment, self.seconds = NOON, 1000.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, span: timedelta) -> None:
        self.moment += span
        self.seconds += span.total_seconds()

    def set_ahead(self, span: timedelta) -> None:
        self.moment += span
