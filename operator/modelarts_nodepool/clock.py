"""The implementation of ports.Clock. app.py passes it to all code that needs the time."""

import time
from datetime import UTC, datetime
from functools import partial

# A clock that includes suspends, if there is one: after a suspend a leader must not believe that it still leads.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """Wall time in UTC, and seconds that never decrease, including suspends if the system counts them.

    One deletion reads the clocks three hundred times: no Python function stands in between.
    """

    now = staticmethod(partial(datetime.now, UTC))
    monotonic = staticmethod(partial(time.clock_gettime, _MONOTONIC))
