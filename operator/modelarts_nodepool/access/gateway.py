"""Calls to ModelArts as an account: with its credentials, within its rate limit, behind the circuit breakers.

Called by controllers/, polling.py and commands/. `Gateway` combines access/sessions.py (key and connections),
access/rate_limiter.py, and two circuit breakers:

- KeyBreakers: six bad signatures lock a key at Huawei Cloud. A rejected key is not used for five minutes; a key that
  was never accepted is used by two requests at a time. A wrong clock spoils signatures too, so the key then rests
  until the clock is set.
- CircuitBreakers: five failures in a row open an account's circuit; then one request at a time probes. Failures that
  count say nothing about the request: no connection, no answer, 5xx. A DELETE is never the probe, because its
  outcome would be unknown. An operation that not every region offers is no probe, either, and its failures do not
  count.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from modelarts_nodepool.access.rate_limiter import Lane, Priority, RateLimiters, Slot
from modelarts_nodepool.access.sessions import Connect, Session, Sessions
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.credentials.providers import Providers
from modelarts_nodepool.decide.observed import Evidence
from modelarts_nodepool.errors import (
    CircuitOpen,
    ClockSkew,
    CloudError,
    CredentialsRejected,
    CredentialsUnavailable,
    NoAnswer,
    NotFound,
    PermissionDenied,
    RefusedByModelArts,
    ServerFailure,
    Unreachable,
)
from modelarts_nodepool.lru import LRU
from modelarts_nodepool.ports import Clock, Cluster, ModelArts
from modelarts_nodepool.settings import CloudLimits

logger = logging.getLogger(__name__)

T = TypeVar("T")
Operation = Callable[[ModelArts], Awaitable[T]]

# Six bad signatures in a row lock a key.
REJECTED_FOR = timedelta(minutes=5)
# After a restart all resource pools are polled at once: without this limit a wrong key would be locked before the
# first answer arrives.
TRIALS_AT_ONCE = 2
# Wall clock and monotonic clock drift apart by more than this only if the wall clock is set.
CLOCK_WAS_SET_SECONDS = 60.0
# Temporary keys come and go. A key in use is needed at each poll, an hour apart at most.
_UNUSED_KEY_TTL = timedelta(days=1)

FAILURES_IN_A_ROW = 5
# Between probes.
PROBE_BACKOFF = Backoff(first=timedelta(seconds=5), longest=timedelta(minutes=1))
# The Retry-After of a request that is refused while the probe runs.
PROBE_TAKES = timedelta(seconds=1)
_FAILURES = (Unreachable, NoAnswer, ServerFailure)


@dataclass(frozen=True, slots=True)
class _Rejection:
    """`at` is in monotonic seconds; `clock_offset` is how far the wall clock then was ahead of the monotonic one."""

    at: float
    clock_offset: float
    error: CredentialsRejected | ClockSkew


@dataclass(slots=True)
class _KeyState:
    """What the cloud last said about one key. `trials` bounds the requests with a key that is not accepted yet.

    `rejections` counts: an answer to a request from before the last rejection says nothing about the key.
    """

    is_accepted: bool = False
    rejection: _Rejection | None = None
    rejections: int = 0
    trials: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TRIALS_AT_ONCE))


class RejectedBefore(CredentialsRejected):
    """The cloud rejected this key less than five minutes ago; no request was sent."""


class KeyBreakers:
    """A circuit breaker for each access key, which it knows by digest only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: LRU[str, _KeyState] = LRU(clock.monotonic, _KeyState, _UNUSED_KEY_TTL)

    async def call(self, session: Session, operation: Operation[T]) -> T:
        """Make one call, unless the key was rejected recently; record what the answer says about the key.

        If the cloud rejects the key, fetch another one and call once more with it: a rejected request had no effect.
        Never a third time, so that no key is locked.
        """
        try:
            return await self._attempt(session, operation)
        except RejectedBefore:
            raise
        except CredentialsRejected:
            other = await session.renew()
            if other is None:
                raise
        return await self._attempt(other, operation)

    def check(self, session: Session) -> None:
        """Raise CredentialsRejected or ClockSkew if the key was rejected recently."""
        self._check_state(session, self._state_of(session))

    async def _attempt(self, session: Session, operation: Operation[T]) -> T:
        state = self._state_of(session)
        if state.is_accepted:
            return await self._call(session, state, operation)
        async with state.trials:
            # The key may have been rejected while this call waited.
            self._check_state(session, state)
            if state.rejection is not None:
                # This call is the probe: until its answer arrives, further calls are refused.
                self._reject(state, state.rejection.error)
            return await self._call(session, state, operation)

    async def _call(self, session: Session, state: _KeyState, operation: Operation[T]) -> T:
        rejections = state.rejections
        try:
            answer = await operation(session.client)
        except (CredentialsRejected, ClockSkew) as error:
            self._reject(state, error)
            logger.warning(
                "ModelArts rejected the access key (%s). The key is not used for five minutes; a new key is used at "
                "once: %s",
                error.reason,
                session.remedy,
                extra={"account": session.account.metadata.name, "requestId": error.request_id},
            )
            kind = ClockSkew if isinstance(error, ClockSkew) else CredentialsRejected
            raise kind(
                _key_message(error, session),
                status=error.status,
                code=error.code,
                request_id=error.request_id,
                retry_after=error.retry_after,
                outcome=error.outcome,
            ) from error
        except (NotFound, PermissionDenied, RefusedByModelArts):
            self._accept(state, rejections)
            raise
        self._accept(state, rejections)
        return answer

    def _state_of(self, session: Session) -> _KeyState:
        return self._states.get(session.key.digest)

    @staticmethod
    def _accept(state: _KeyState, rejections: int) -> None:
        if rejections == state.rejections:
            state.is_accepted, state.rejection = True, None

    def _reject(self, state: _KeyState, error: CredentialsRejected | ClockSkew) -> None:
        state.is_accepted = False
        state.rejections += 1
        state.rejection = _Rejection(self._clock.monotonic(), self._clock_offset(), error)

    def _check_state(self, session: Session, state: _KeyState) -> None:
        rejection = state.rejection
        if rejection is None or self._clock.monotonic() - rejection.at >= REJECTED_FOR.total_seconds():
            return
        if isinstance(rejection.error, CredentialsRejected):
            raise RejectedBefore(_key_message(rejection.error, session))
        if abs(self._clock_offset() - rejection.clock_offset) < CLOCK_WAS_SET_SECONDS:
            raise ClockSkew(_key_message(rejection.error, session))

    def _clock_offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()


def _key_message(error: CredentialsRejected | ClockSkew, session: Session) -> str:
    """True for everything that uses the key: it names the account, not the resource that the request asked for."""
    said = f"a call with the access key of ModelArtsAccount {session.account.metadata.name} {_outcome(error)}"
    if isinstance(error, ClockSkew):
        return (
            f"{said}. To keep the key from being locked, nothing is signed for five minutes or until the clock is set"
        )
    return f"{said}. To keep the key from being locked, it is not used for five minutes; {session.remedy}"


def _outcome(error: CloudError) -> str:
    return error.outcome.rstrip(". ")


@dataclass(slots=True)
class CircuitBreaker:
    """One account's circuit: closed, open until `opens_at` (monotonic seconds), or half-open while a probe runs."""

    account: str
    clock: Clock
    jitter: Callable[[], float]
    failures: int = 0
    probes: int = 0
    opens_at: float = 0.0
    is_probing: bool = False
    last_failure: str = ""

    def check(self, *, is_deletion: bool) -> None:
        """Raise errors.CircuitOpen if nothing may be sent now."""
        if self.failures < FAILURES_IN_A_ROW:
            return
        left = timedelta(seconds=self.opens_at - self.clock.monotonic())
        if left > timedelta() or self.is_probing or is_deletion:
            raise CircuitOpen(
                f"{self.last_failure}. The circuit is open after {self.failures} failed calls in a row: one probe "
                "request at a time; no request was sent",
                retry_after=max(left, PROBE_TAKES),
            )

    @asynccontextmanager
    async def guard(self, *, is_deletion: bool, is_optional: bool = False) -> AsyncIterator[None]:
        """Around one request: refuse it while the circuit is open, count its failure, let one probe through.

        An optional operation is neither counted nor a probe: where only that one fails, all others go on.
        """
        self.check(is_deletion=is_deletion or is_optional)
        is_probe = self.is_probing = self.failures >= FAILURES_IN_A_ROW
        try:
            yield
        except _FAILURES as error:
            if not is_optional:
                self._fail(error, is_probe=is_probe)
            raise
        except CloudError as error:
            if error.status is not None:
                self._close()
            raise
        else:
            self._close()
        finally:
            if is_probe:
                self.is_probing = False

    def _fail(self, error: CloudError, *, is_probe: bool) -> None:
        self.failures += 1
        # Every object of the account shows this: it must not name the resource that the request asked for.
        self.last_failure = f"a call of ModelArtsAccount {self.account} {_outcome(error)}"
        if is_probe:
            self.probes += 1
        elif self.failures != FAILURES_IN_A_ROW:
            # Sent before the circuit opened: it must not lengthen the wait.
            return
        else:
            logger.warning(
                "ModelArts does not answer this account. The circuit is open; one probe request at a time: %s",
                error.message,
                extra={"account": self.account, "requestId": error.request_id},
            )
        wait = PROBE_BACKOFF.after(self.probes + 1).total_seconds()
        self.opens_at = self.clock.monotonic() + wait * (1 + self.jitter()) / 2

    def _close(self) -> None:
        if self.failures >= FAILURES_IN_A_ROW:
            logger.info("ModelArts answers this account again", extra={"account": self.account})
        self.failures, self.probes = 0, 0


@dataclass(slots=True)
class CircuitBreakers:
    """Circuit breakers by account."""

    clock: Clock
    jitter: Callable[[], float] = random.random
    _by_account: dict[str, tuple[str, CircuitBreaker]] = field(default_factory=dict)

    def of(self, account: Account) -> CircuitBreaker:
        """The circuit of this account. An account that was created again starts with a closed circuit."""
        name, uid = account.metadata.name, account.metadata.uid
        known_uid, breaker = self._by_account.get(name, ("", None))
        if breaker is None or known_uid != uid:
            breaker = CircuitBreaker(name, self.clock, self.jitter)
            self._by_account[name] = (uid, breaker)
        return breaker

    def keep_only(self, accounts: Collection[str]) -> None:
        """Drop the circuits of all other accounts."""
        self._by_account = {name: known for name, known in self._by_account.items() if name in accounts}


class Gateway:
    """The only way from the operator to ModelArts. Opens an account's connections when they are first needed."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        operator_namespace: str,
        connect: Connect,
        providers: Providers,
        limits: CloudLimits = CloudLimits(),  # noqa: B008 - frozen
    ) -> None:
        """`connect` opens the connections of an account; `providers` issue keys that are in no Secret."""
        self._clock = clock
        self._sessions = Sessions(cluster, clock, operator_namespace, connect, providers)
        self._key_breakers = KeyBreakers(clock)
        self._circuit_breakers = CircuitBreakers(clock)
        self._limiters = RateLimiters(clock, limits.rate, limits.burst)

    async def call(
        self,
        account: Account,
        operation: Operation[T],
        priority: Priority | None = None,
        *,
        is_optional: bool = False,
    ) -> T:
        """Wait for a slot, then make one call. `priority` is Lane.READ by default.

        `is_optional`: not every region offers the operation, so its failures do not open the account's circuit. Raises
        CloudError or CredentialsUnavailable.
        """
        priority = priority or Priority(Lane.READ)
        session = await self._open_session(account, priority.lane)
        slot = await self._limiters.of(session.key).acquire(priority)
        try:
            return await self._send(slot, priority.lane, session, operation, is_optional=is_optional)
        finally:
            slot.release()

    async def observe(
        self,
        account: Account,
        operation: Operation[T],
        priority: Priority | None = None,
        *,
        is_optional: bool = False,
    ) -> Evidence[T]:
        """As `call`, with the failure as a fact, and when the request began."""
        begun = self._clock.monotonic()

        async def timed(client: ModelArts) -> T:
            nonlocal begun
            # Waiting for a slot does not count: what was asked for in that time is answered, too.
            begun = self._clock.monotonic()
            return await operation(client)

        try:
            value = await self.call(account, timed, priority, is_optional=is_optional)
        except (CloudError, CredentialsUnavailable) as failure:
            # A copy has no traceback: that would keep the call and its answer for as long as the evidence stands.
            return Evidence(begun, failure=copy(failure))
        return Evidence(begun, value=value)

    async def acquire_slot(self, account: Account) -> Slot:
        """A slot for one DELETE. Credentials and circuit breakers are checked first.

        Release the slot if it is not used. Raises CloudError or CredentialsUnavailable.
        """
        session = await self._open_session(account, Lane.DELETION)
        return await self._limiters.of(session.key).acquire(Priority(Lane.DELETION))

    async def delete(self, account: Account, operation: Operation[T], slot: Slot) -> T:
        """Make the call that `slot` was acquired for; waits for no limit. Raises as `call` does."""
        session = await self._open_session(account, Lane.DELETION)
        return await self._send(slot, Lane.DELETION, session, operation)

    async def keep_only(self, accounts: Collection[str]) -> None:
        """Drop every account with another name, and close its connections."""
        self._circuit_breakers.keep_only(accounts)
        await self._sessions.keep_only(accounts)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._sessions.aclose()

    async def _open_session(self, account: Account, lane: Lane) -> Session:
        """The account's session, if neither its key nor its cloud is known to fail."""
        session = await self._sessions.current(account)
        self._key_breakers.check(session)
        self._circuit_breakers.of(account).check(is_deletion=lane is Lane.DELETION)
        return session

    async def _send(
        self, slot: Slot, lane: Lane, session: Session, operation: Operation[T], *, is_optional: bool = False
    ) -> T:
        breaker = self._circuit_breakers.of(session.account)

        async def guarded(client: ModelArts) -> T:
            # The call may have waited for a trial of its key: the circuit is checked again.
            async with breaker.guard(is_deletion=lane is Lane.DELETION, is_optional=is_optional):
                return await slot.use(operation(client))

        return await self._key_breakers.call(session, guarded)
