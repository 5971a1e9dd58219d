"""What the simulator was asked, in order: the witness of every test that counts calls."""

import itertools
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# About 120 MB when full. Older entries fall out; the counts by operation never do.
MAX_ENTRIES = 200_000


@dataclass(slots=True)
class Entry:
    """One request. It is on record when it arrives; status and effect follow."""

    number: int
    time: float
    method: str
    path: str
    request_id: str
    operation: str | None = None
    resource_pool: str = ""
    node_pool: str = ""
    access_key: str | None = None
    signature: str = "unchecked"
    status: int | None = None
    error: str | None = None
    effect: str = "none"
    fault: str | None = None

    def to_report(self) -> dict[str, Any]:
        """The entry as `GET /_simulator/requests` shows it."""
        return {
            "number": self.number,
            "time": datetime.fromtimestamp(self.time, UTC).isoformat(timespec="microseconds"),
            "operation": self.operation,
            "pool": self.resource_pool or None,
            "nodePool": self.node_pool or None,
            "status": self.status,
            "effect": self.effect,
            "requestId": self.request_id,
            "accessKey": self.access_key,
            "signature": self.signature,
            "error": self.error,
            "fault": self.fault,
            "method": self.method,
            "path": self.path,
        }


class RequestLog:
    """The newest entries, and how many requests each operation had in all."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._entries: deque[Entry] = deque(maxlen=max_entries)
        self._numbers = itertools.count(1)
        self.last_number = 0
        self.counts: Counter[str] = Counter()

    def open(self, time: float, method: str, path: str, request_id: str) -> Entry:
        """Put a request on record."""
        self.last_number = next(self._numbers)
        entry = Entry(self.last_number, time, method, path, request_id)
        self._entries.append(entry)
        return entry

    def count(self, operation: str | None) -> None:
        """Count a request under its operation; None is a route that does not exist."""
        self.counts[operation or "unknown"] += 1

    def since(self, number: int = 0, operation: str | None = None) -> list[Entry]:
        """The entries with a higher number, oldest first; only those of an operation where one is given."""
        if not self._entries:
            return []
        skip = max(number + 1 - self._entries[0].number, 0)
        return [
            entry
            for entry in itertools.islice(self._entries, skip, None)
            if operation is None or entry.operation == operation
        ]

    def clear(self) -> None:
        """Forget all entries and counts. Numbers go on, so that `since` keeps its meaning."""
        self._entries.clear()
        self.counts.clear()
