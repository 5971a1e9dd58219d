"""One time of leading, from the Lease taken to the Lease given away or lost. Built by app.py for each.

Whoever acts asks it right before: what is left behind of an earlier time never acts under the Lease of a later one.
"""

from collections.abc import Callable


class Leadership:
    """Begins at once and ends once, for good."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        """`holds`: whether the process holds the Lease right now and is not asked to stop."""
        self._holds = holds
        self._is_over = False

    def may_act(self) -> bool:
        """Whether this very time of leading still lasts."""
        return not self._is_over and self._holds()

    def end(self) -> None:
        """Over, whatever is still running."""
        self._is_over = True
