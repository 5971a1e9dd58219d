"""Keeps an account from asking a cloud that does not answer: after five failures in a row one call at a time probes.

Called by access/gateway.py around each call. Failures are those that say nothing about what was asked: no
connection, no answer, 5xx. A DELETE is never the probe: what came of it would not be known either.
"""

import logging
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.errors import CircuitOpen, CloudError, NoAnswer, ServerFailure, Unreachable
from modelarts_nodepool.ports import Clock

logger = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 5
# Between probes; doubles with each one that fails.
FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=1)
# For who is refused while the probe is under way.
PROBE_TAKES = timedelta(seconds=1)
_SAY_NOTHING = (Unreachable, NoAnswer, ServerFailure)


@dataclass(slots=True)
class Circuit:
    """One account's line to the cloud: closed, open until a moment, or half-open while a probe is under way."""

    account: str
    clock: Clock
    jitter: Callable[[], float]
    failures: int = 0
    probes: int = 0
    opens_at: float = 0.0
    is_probing: bool = False
    words: str = ""

    def check(self, *, is_deletion: bool) -> None:
        """Raise errors.CircuitOpen where nothing may be sent now."""
        if self.failures < FAILURES_IN_A_ROW:
            return
        left = timedelta(seconds=self.opens_at - self.clock.monotonic())
        if left > timedelta() or self.is_probing or is_deletion:
            raise CircuitOpen(
                f"{self.words.rstrip('. ')}; nothing was sent now: {self.failures} calls in a row were not answered "
                "well, so one at a time is tried",
                retry_after=max(left, PROBE_TAKES),
            )

    @asynccontextmanager
    async def passing(self, *, is_deletion: bool) -> AsyncIterator[None]:
        """Around one request: refused while open, counted while closed, the probe where it is time for one."""
        self.check(is_deletion=is_deletion)
        is_probe = self.is_probing = self.failures >= FAILURES_IN_A_ROW
        try:
            yield
        except _SAY_NOTHING as error:
            self._fail(error, is_probe=is_probe)
            raise
        except CloudError as error:
            if error.status is not None:
                self._recover()
            raise
        else:
            self._recover()
        finally:
            if is_probe:
                self.is_probing = False

    def _fail(self, error: CloudError, *, is_probe: bool) -> None:
        self.failures += 1
        # Without what it was that was asked for: every object of the account is told.
        self.words = f"a call of ModelArtsAccount {self.account} {error.outcome}"
        if is_probe:
            self.probes += 1
        elif self.failures != FAILURES_IN_A_ROW:
            # Sent before it opened: it tells nothing new.
            return
        else:
            logger.warning(
                "ModelArts does not answer this account: asked one call at a time until it does: %s",
                error.message,
                extra={"account": self.account, "requestId": error.request_id},
            )
        rest = min(FIRST_REST * (1 << min(self.probes, 10)), LONGEST_REST).total_seconds()
        self.opens_at = self.clock.monotonic() + rest * (1 + self.jitter()) / 2

    def _recover(self) -> None:
        if self.failures >= FAILURES_IN_A_ROW:
            logger.info("ModelArts answers this account again", extra={"account": self.account})
        self.failures, self.probes = 0, 0


@dataclass(slots=True)
class Outages:
    """Circuits by account."""

    clock: Clock
    jitter: Callable[[], float] = random.random
    _circuits: dict[str, tuple[str, Circuit]] = field(default_factory=dict)

    def of(self, account: Account) -> Circuit:
        """The circuit of this very account: one created again begins anew."""
        name, uid = account.metadata.name, account.metadata.uid
        known, circuit = self._circuits.get(name, ("", None))
        if circuit is None or known != uid:
            circuit = Circuit(name, self.clock, self.jitter)
            self._circuits[name] = (uid, circuit)
        return circuit

    def keep_only(self, accounts: Collection[str]) -> None:
        """Forget the circuits of all accounts but these."""
        self._circuits = {name: known for name, known in self._circuits.items() if name in accounts}
