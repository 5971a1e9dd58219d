"""Which fault hits a request, and how often each one did. spoiling.py says what a hit does to the answer."""

from dataclasses import dataclass
from typing import Any

from lab.simulator.routes import Route
from lab.simulator.scenario_faults import Fault


@dataclass(slots=True)
class ArmedFault:
    """A fault with a number and a count of its hits."""

    number: int
    fault: Fault
    applied: int = 0

    def hits(self, route: Route) -> bool:
        """Whether it matches and has times left."""
        fault = self.fault
        return (
            (fault.times is None or self.applied < fault.times)
            and fault.operation in {None, route.operation}
            and fault.resource_pool in {None, route.resource_pool}
            and fault.node_pool in {None, route.node_pool}
        )

    @property
    def label(self) -> str:
        """How the request log names it."""
        return self.fault.name or f"fault-{self.number}"

    def to_report(self) -> dict[str, Any]:
        """The fault as it was written, with its number and its hits."""
        return {"number": self.number, **self.fault.written(), "applied": self.applied}


class FaultList:
    """All faults in the order in which they were given."""

    def __init__(self, faults: list[Fault]) -> None:
        self._next = 1
        self.armed: list[ArmedFault] = []
        self.add(faults)

    def add(self, faults: list[Fault]) -> list[ArmedFault]:
        """Put faults behind those that are there."""
        added = [ArmedFault(number, fault) for number, fault in enumerate(faults, start=self._next)]
        self._next += len(added)
        self.armed.extend(added)
        return added

    def clear(self) -> None:
        """Take all faults away."""
        self.armed.clear()

    def strike(self, route: Route) -> ArmedFault | None:
        """The fault for this request, already counted as applied."""
        for armed in self.armed:
            if armed.hits(route):
                armed.applied += 1
                return armed
        return None
