"""Who may prepare a DELETE now: of each resource pool only the first few in line, the others wait without a call.

What lets a DELETE pass is good for a minute, and the DELETEs of one resource pool are sent one after the other. If all
looked at once, ten thousand looks would take longer than a minute, the first would be too old by the time the last was
there, and all would look again, for ever. Used by controllers/deletion/reconciler.py; nobody waits in here, so whoever
stands in line still hears news.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

Key = tuple[str, ...]
Wake = Callable[[], None]

# One sends, the others look meanwhile: a look and a DELETE take about as long.
AT_ONCE = 4


@dataclass(slots=True)
class _Line:
    """By uid, in the order of coming."""

    inside: set[str] = field(default_factory=set)
    waiting: dict[str, Wake] = field(default_factory=dict)


class Places:
    """A line for each key."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """So many have a place at once."""
        self._at_once = at_once
        self._lines: dict[Key, _Line] = {}
        self._keys: dict[str, Key] = {}

    def enter(self, key: Key, uid: str, wake: Wake) -> bool:
        """Whether it has a place. Else it stands in line, where it keeps its position, and is woken when it has one."""
        if self._keys.get(uid, key) != key:
            self.leave(uid)
        self._keys[uid] = key
        line = self._lines.setdefault(key, _Line())
        if uid not in line.inside:
            line.waiting[uid] = wake
            self._fill(line, entering=uid)
        return uid in line.inside

    def leave(self, uid: str) -> None:
        """It needs no place any more; nothing where it had none and stood in no line."""
        key = self._keys.pop(uid, None)
        if key is None:
            return
        line = self._lines[key]
        line.inside.discard(uid)
        line.waiting.pop(uid, None)
        self._fill(line)
        if not line.inside:
            del self._lines[key]

    def __len__(self) -> int:
        """How many have a place or stand in line."""
        return len(self._keys)

    def _fill(self, line: _Line, entering: str | None = None) -> None:
        while line.waiting and len(line.inside) < self._at_once:
            uid = next(iter(line.waiting))
            wake = line.waiting.pop(uid)
            line.inside.add(uid)
            if uid != entering:
                wake()
