"""The wait after a failure. Pure; used wherever the operator tries again."""

from dataclasses import dataclass
from datetime import timedelta

# 2 ** 16 times one minute is 45 days: every maximum is reached before, and no timedelta overflows.
_MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff: `first` after one failure, twice as long after each further one, at most `longest`."""

    first: timedelta
    longest: timedelta

    def after(self, failures: int) -> timedelta:
        """How long to wait after this many failures in a row; zero failures count as one."""
        return min(self.first * (1 << min(max(failures - 1, 0), _MAX_DOUBLINGS)), self.longest)
