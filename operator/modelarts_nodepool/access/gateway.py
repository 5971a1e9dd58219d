"""Calls to ModelArts as an account: with its credentials, within its rate limit, behind the circuit breakers.

Called by controllers/, polling/ and commands/. Combines access/sessions.py (key and connections),
access/circuit_breaker.py (rejected keys, clouds that are down) and access/rate_limiter.py.
"""

from collections.abc import Collection
from typing import TypeVar

from modelarts_nodepool.access.circuit_breaker import CircuitBreakers, KeyBreakers, Operation
from modelarts_nodepool.access.rate_limiter import Lane, Priority, RateLimiter, RateLimiters, Slot
from modelarts_nodepool.access.sessions import Connect, Session, Sessions
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.credentials.providers import Providers
from modelarts_nodepool.errors import CloudError, Throttled
from modelarts_nodepool.ports import Clock, Cluster, ModelArts
from modelarts_nodepool.settings import CloudLimits

T = TypeVar("T")


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
        self._sessions = Sessions(cluster, clock, operator_namespace, connect, providers)
        self._key_breakers = KeyBreakers(clock)
        self._circuit_breakers = CircuitBreakers(clock)
        self._limiters = RateLimiters(clock, limits.rate, limits.burst)

    async def call(self, account: Account, operation: Operation[T], priority: Priority | None = None) -> T:
        """Wait for a slot, then make one call. `priority` is Lane.READ by default.

        Raises CloudError or CredentialsUnavailable.
        """
        priority = priority or Priority(Lane.READ)
        session = await self._open_session(account, priority.lane)
        slot = await self._limiters.of(session.key).acquire(priority)
        try:
            return await self._send(slot, priority.lane, session, operation)
        finally:
            slot.release()

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

    async def _send(self, slot: Slot, lane: Lane, session: Session, operation: Operation[T]) -> T:
        limiter, breaker = self._limiters.of(session.key), self._circuit_breakers.of(session.account)

        async def guarded(client: ModelArts) -> T:
            # The call may have waited for a trial of its key: the circuit is checked again.
            async with breaker.guard(is_deletion=lane is Lane.DELETION):
                slot.use()
                return await _report_throttling(limiter, client, operation)

        return await self._key_breakers.call(session, guarded)


async def _report_throttling(limiter: RateLimiter, client: ModelArts, operation: Operation[T]) -> T:
    try:
        answer = await operation(client)
    except Throttled as error:
        limiter.on_throttled(error)
        raise
    except CloudError as error:
        if error.status is not None:
            limiter.on_answer()
        raise
    limiter.on_answer()
    return answer
