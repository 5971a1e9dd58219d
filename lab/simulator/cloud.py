"""All state of one simulator in one place. gateway.py and control.py work on it, server.py builds it."""

import itertools
import secrets

from lab.simulator.clock import Clock
from lab.simulator.faults import FaultList
from lab.simulator.issuers import IssuedKeys
from lab.simulator.keyring import Keyring
from lab.simulator.requestlog import RequestLog
from lab.simulator.scenario import Scenario
from lab.simulator.world import World


class Cloud:
    """The world, who may call, what goes wrong, and what was asked."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.clock = clock
        self.world = World(scenario, clock)
        self.keyring = Keyring(scenario.keys, scenario.tokens)
        self.issued = IssuedKeys(scenario.issuers, self.keyring, clock.now)
        self.faults = FaultList(scenario.faults)
        self.log = RequestLog()
        self._prefix = secrets.token_hex(10)
        self._numbers = itertools.count(1)

    def new_request_id(self) -> str:
        """32 hex digits, never the same twice, cheap to make."""
        return f"{self._prefix}{next(self._numbers):012x}"
