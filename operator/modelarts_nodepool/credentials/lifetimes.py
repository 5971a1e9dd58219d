"""When a temporary key is asked for anew, until when it is used, and how soon a failed refresh is repeated. Pure.

The official SDK asks anew when less than 40 minutes are left, and so at every call where the issuer gives less than
40 minutes to begin with. Here the margin is never more than half of what was given.
"""

from datetime import datetime, timedelta

# So long may an issuer be down before anybody notices: the SDK's margin, where the key lasts long enough for it.
EARLY = timedelta(minutes=40)
# No issuer is asked more often than this for the sake of the margin.
PAUSE = timedelta(seconds=5)
# A request takes its time to arrive, and clocks differ a little.
SPARE = timedelta(seconds=5)
FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=1)
_MOST_DOUBLINGS = 10


def refresh_at(obtained: datetime, expires: datetime) -> datetime:
    """From when on a new key is asked for, while this one goes on being used."""
    early = min(EARLY, (expires - obtained) / 2)
    return max(expires - early, obtained + PAUSE)


def usable_until(obtained: datetime, expires: datetime) -> datetime:
    """Until when a request may be signed with it."""
    return expires - min(SPARE, (expires - obtained) / 10)


def retry_after(failures: int) -> timedelta:
    """The pause after so many refreshes in a row that failed, one at least."""
    return min(FIRST_RETRY * (1 << min(failures - 1, _MOST_DOUBLINGS)), LONGEST_RETRY)
