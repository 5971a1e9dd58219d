"""The implementation of ports.Clock. app.py passes it to all code that needs the time."""

import time
from datetime import UTC, datetime

# A clock that includes suspends, if there is one: after a suspend a leader must not believe that it still leads.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never decrease, including suspends if the system counts them."""
        return time.clock_gettime(_MONOTONIC)
