"""A client of ModelArts for each account, with credentials in hand and no more calls than are good for it.

Called by the pollers and deletions. Joins access/sessions.py (who we are), access/circuit_breaker.py (is the key good),
access/outages.py (does the cloud answer) and access/rate_limiter.py (whose turn it is).
"""

from collections.abc import Collection
from typing import TypeVar

from modelarts_nodepool.access.circuit_breaker import Breakers, Operation
from modelarts_nodepool.access.outages import Outages
from modelarts_nodepool.access.rate_limiter import Lane, Limiter, Limiters, Slot, Urgency
from modelarts_nodepool.access.sessions import Connect, Login, Logins
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.credentials.providers import Sources
from modelarts_nodepool.errors import CloudError, Throttled
from modelarts_nodepool.ports import Clock, Cluster, ModelArts
from modelarts_nodepool.settings import CloudLimits

T = TypeVar("T")


class Clouds:
    """Clients by account, made when first needed."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        operator_namespace: str,
        connect: Connect,
        sources: Sources,
        limits: CloudLimits = CloudLimits(),  # noqa: B008 - frozen
    ) -> None:
        """`connect` opens the connections to an account's project; `sources` issue keys that are in no Secret."""
        self._logins = Logins(cluster, clock, operator_namespace, connect, sources)
        self._breakers = Breakers(clock)
        self._outages = Outages(clock)
        self._limiters = Limiters(clock, limits.rate, limits.burst)

    async def call(self, account: Account, operation: Operation[T], urgency: Urgency | None = None) -> T:
        """Make one call when it is its turn. Raises CloudError or CredentialsUnavailable.

        A deletion's look unless `urgency` says otherwise.
        """
        urgency = urgency or Urgency(Lane.LOOK)
        login = await self._checked(account, urgency.lane)
        slot = await self._limiters.of(login.key).slot(urgency)
        try:
            return await self._with(slot, urgency.lane, login, operation)
        finally:
            slot.give_back()

    async def ready(self, account: Account) -> Slot:
        """A slot for one DELETE, once the credentials are in hand and nothing is known that would refuse it.

        To be given back if it is not used. Raises CloudError or CredentialsUnavailable.
        """
        login = await self._checked(account, Lane.DELETION)
        return await self._limiters.of(login.key).slot(Urgency(Lane.DELETION))

    async def delete(self, account: Account, operation: Operation[T], slot: Slot) -> T:
        """Make the call that `slot` was taken for: no limit is waited for any more. Raises as `call` does."""
        login = await self._checked(account, Lane.DELETION)
        return await self._with(slot, Lane.DELETION, login, operation)

    async def keep_only(self, accounts: Collection[str]) -> None:
        """Forget every account whose name is not among these, and close its connections."""
        self._outages.keep_only(accounts)
        await self._logins.keep_only(accounts)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._logins.aclose()

    async def _checked(self, account: Account, lane: Lane) -> Login:
        """The login, where neither its key nor its cloud is known to be in trouble."""
        login = await self._logins.current(account)
        self._breakers.check(login)
        self._outages.of(account).check(is_deletion=lane is Lane.DELETION)
        return login

    async def _with(self, slot: Slot, lane: Lane, login: Login, operation: Operation[T]) -> T:
        limiter, circuit = self._limiters.of(login.key), self._outages.of(login.of)

        async def watched(client: ModelArts) -> T:
            # The key may have been tried by others first: whether the cloud answers is asked once more.
            async with circuit.passing(is_deletion=lane is Lane.DELETION):
                slot.use()
                return await _watched(limiter, client, operation)

        return await self._breakers.call(login, watched)


async def _watched(limiter: Limiter, client: ModelArts, operation: Operation[T]) -> T:
    try:
        answer = await operation(client)
    except Throttled as error:
        limiter.throttled(error)
        raise
    except CloudError as error:
        if error.status is not None:
            limiter.answered()
        raise
    limiter.answered()
    return answer
