"""What the operator has done until now, counted as the audit log grows.

Each request is read once: load and operator share the machine, and a count that went through the whole log twice a
second would take a tenth of a core from both at ten thousand objects.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.bench.counting import Key, by_operator
from lab.controlplane import AuditLog


@dataclass(slots=True)
class Tally:
    """The objects that `found_in` finds in the operator's requests from now on, each with its latest time."""

    read: Callable[[], AuditLog]
    found_in: Callable[[AuditLog], Mapping[Key, float]]
    _found: dict[Key, float] = field(default_factory=dict)
    _seen: int = field(init=False)

    def __post_init__(self) -> None:
        """What was answered before is not counted."""
        self._seen = len(self.read())

    def look(self) -> Mapping[Key, float]:
        """By namespace and name, until now."""
        log = self.read()
        new = AuditLog(log.events[self._seen :])
        self._seen = len(log)
        self._found |= self.found_in(by_operator(new))
        return self._found
