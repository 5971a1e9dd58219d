"""A client of ModelArts for each account, with credentials in hand and no more calls than are good for it.

Called by the pollers and deletions. Joins engine/logins.py (who we are) and engine/breakers.py (whether to ask).
"""

from typing import TypeVar

from modelarts_nodepool.credentials.sources import Sources
from modelarts_nodepool.engine.breakers import Breakers, Operation
from modelarts_nodepool.engine.logins import Connect, Logins
from modelarts_nodepool.ports import Clock, Cluster, ModelArts
from modelarts_nodepool.resource.objects import Account

T = TypeVar("T")


class Clouds:
    """Clients by account, made when first needed."""

    def __init__(
        self, cluster: Cluster, clock: Clock, operator_namespace: str, connect: Connect, sources: Sources
    ) -> None:
        """`connect` opens the connections to an account's project; `sources` issue keys that are in no Secret."""
        self._logins = Logins(cluster, clock, operator_namespace, connect, sources)
        self._breakers = Breakers(clock)

    async def call(self, account: Account, operation: Operation[T]) -> T:
        """Make one call with credentials in hand. Raises CloudError or CredentialsUnavailable."""
        return await self._breakers.call(await self._logins.current(account), operation)

    async def ready(self, account: Account) -> ModelArts:
        """The account's client, its key fresh and not lately rejected."""
        login = await self._logins.current(account)
        self._breakers.check(login)
        return login.client

    async def aclose(self) -> None:
        """Close all connections."""
        await self._logins.aclose()
