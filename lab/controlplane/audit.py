"""The API server's own record of requests, read from its audit log.

Tests and the demo count API calls with it from outside: what a client says about itself proves nothing.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class AuditEvent:
    """One answered request. `name` and `namespace` are empty where the request names none."""

    verb: str
    user: str
    user_agent: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    time: datetime  # when the answer was complete
    received: datetime  # when the request came in

    @property
    def is_write(self) -> bool:
        """Whether the verb changes something."""
        return self.verb in WRITE_VERBS


@dataclass(frozen=True)
class AuditLog:
    """Answered requests in the order of the log, and questions about them that give a smaller log."""

    events: tuple[AuditEvent, ...]

    def __iter__(self) -> Iterator[AuditEvent]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def where(self, accept: Callable[[AuditEvent], bool]) -> "AuditLog":
        """The events that the predicate accepts."""
        return AuditLog(tuple(event for event in self.events if accept(event)))

    def writes(self) -> "AuditLog":
        """Creates, updates, patches and deletes, refused ones included."""
        return self.where(lambda event: event.is_write)

    def by_user(self, user: str) -> "AuditLog":
        """Requests of one user, e.g. `system:serviceaccount:operator-system:operator`."""
        return self.where(lambda event: event.user == user)

    def by_agent(self, prefix: str) -> "AuditLog":
        """Requests whose User-Agent begins like this, e.g. `kubectl/`."""
        return self.where(lambda event: event.user_agent.startswith(prefix))

    def on(self, resource: str, namespace: str | None = None, name: str | None = None) -> "AuditLog":
        """Requests about one resource (plural), and one object of it where it is named."""
        return self.where(
            lambda event: (
                event.resource == resource and namespace in {None, event.namespace} and name in {None, event.name}
            )
        )

    def since(self, moment: datetime) -> "AuditLog":
        """Requests that came in at this moment or later."""
        return self.where(lambda event: event.received >= moment)


class AuditReader:
    """Reads the file as it grows: asking again costs only what is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._events: list[AuditEvent] = []

    def read(self) -> AuditLog:
        """All requests answered until now."""
        if self._path.exists():
            with self._path.open("rb") as log:
                log.seek(self._offset)
                for line in log:
                    if not line.endswith(b"\n"):
                        break  # the server is in the middle of this one
                    self._offset += len(line)
                    self._take(json.loads(line))
        return AuditLog(tuple(self._events))

    def _take(self, raw: dict[str, Any]) -> None:
        if raw["stage"] != "ResponseComplete":
            return
        target = raw.get("objectRef", {})
        self._events.append(
            AuditEvent(
                verb=raw["verb"],
                user=raw["user"].get("username", ""),
                user_agent=raw.get("userAgent", ""),
                group=target.get("apiGroup", ""),
                resource=target.get("resource", ""),
                subresource=target.get("subresource", ""),
                namespace=target.get("namespace", ""),
                name=target.get("name", ""),
                code=raw.get("responseStatus", {}).get("code", 0),
                time=datetime.fromisoformat(raw["stageTimestamp"]),
                received=datetime.fromisoformat(raw["requestReceivedTimestamp"]),
            )
        )
