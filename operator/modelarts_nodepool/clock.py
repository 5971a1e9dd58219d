"""The machine's clocks, as ports.Clock wants them. Handed to whoever needs the time; nobody else reads it."""

import time
from datetime import UTC, datetime

# One that goes on while the machine sleeps, where there is one: a leader that slept must not think it still leads.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow, also across suspends where the system counts them."""
        return time.clock_gettime(_MONOTONIC)
