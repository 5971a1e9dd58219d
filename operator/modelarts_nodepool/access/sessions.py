"""Who an account logs in as: its key from wherever the account says, and the connections to its project.

Called by access/gateway.py before each call, and after one that was rejected. Whether the cloud accepts a key is for
access/circuit_breaker.py.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from modelarts_nodepool.access.secret_keys import SecretKeys
from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.credentials.providers import Sources
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey, Clock, Cluster, Connections, Keys, ModelArts

Connect = Callable[[Account], Connections]


@dataclass(frozen=True, slots=True)
class Login:
    """A key and the project as it sees it.

    `remedy` says what to do about a key that the cloud does not accept; `renewed` asks for another one, and gives
    None where there is none.
    """

    key: AccessKey
    client: ModelArts
    of: Account
    remedy: str
    renewed: Callable[[], Awaitable["Login | None"]]


@dataclass(slots=True)
class _Entry:
    """What is kept of one account."""

    of: Account
    connections: Connections
    keys: Keys


class Logins:
    """Logins by account, made when first needed."""

    def __init__(
        self, cluster: Cluster, clock: Clock, operator_namespace: str, connect: Connect, sources: Sources
    ) -> None:
        """`connect` opens the connections to an account's project."""
        self._cluster = cluster
        self._clock = clock
        self._namespace = operator_namespace
        self._connect = connect
        self._sources = sources
        self._entries: dict[str, _Entry] = {}

    async def current(self, account: Account) -> Login:
        """The account's login with a key that is fresh. Raises CredentialsUnavailable."""
        entry = await self._entry(account)
        return self._login(entry, await entry.keys.current())

    async def keep_only(self, accounts: Collection[str]) -> None:
        """Close and forget what belongs to other accounts than these.

        An account goes when no object names it any more: what is cut off then is at most a poll. Where somebody took
        the account's finalizer away it may be a DELETE, whose outcome is then unknown, which is always looked into.
        """
        gone = [self._entries.pop(name) for name in tuple(self._entries) if name not in accounts]
        for entry in gone:
            await entry.connections.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self.keep_only(())
        await self._sources.aclose()

    def _login(self, entry: _Entry, key: AccessKey) -> Login:
        keys, of = entry.keys, entry.of

        async def renewed() -> Login | None:
            other = await keys.renew(key)
            return None if other.is_same(key) else self._login(entry, other)

        return Login(key, entry.connections.signing_with(key), of, keys.remedy, renewed)

    async def _entry(self, account: Account) -> _Entry:
        name = account.metadata.name
        entry = self._entries.get(name)
        if entry is None or not _is_same_place(entry.of, account):
            keys = self._keys_of(account)
            fresh = _Entry(account, self._connect(account), keys)
            self._entries[name] = fresh
            if entry is not None:
                await entry.connections.aclose()
            return fresh
        if entry.of.spec.credentials != account.spec.credentials:
            # The connections stay: closing them would cut off a DELETE that waits for its answer.
            entry.keys = self._keys_of(account)
        entry.of = account
        return entry

    def _keys_of(self, account: Account) -> Keys:
        name, credentials = account.metadata.name, account.spec.credentials
        if credentials.source is not CredentialsSource.SECRET:
            return self._sources.keys_of(credentials.source, account.spec.region)
        if not credentials.secret_name:
            raise CredentialsUnavailable(
                f"ModelArtsAccount {name} asks for source Secret and names none; add spec.credentials.secretName"
            )
        return SecretKeys(
            self._cluster,
            self._clock,
            self._namespace,
            credentials.secret_name,
            lambda: self._poll_interval(account),
        )

    def _poll_interval(self, account: Account) -> timedelta:
        """As the account says now, or said when it was last there."""
        entry = self._entries.get(account.metadata.name)
        return (entry.of if entry else account).spec.poll_interval


def _is_same_place(one: Account, other: Account) -> bool:
    """Whether connections of one are good for the other: the same object, region and project."""
    return (one.metadata.uid, one.spec.region, one.spec.project_id) == (
        other.metadata.uid,
        other.spec.region,
        other.spec.project_id,
    )


def nobody() -> AccessKey:
    """The key of connections that nobody has logged in through yet: there is none."""
    raise CredentialsUnavailable("nobody is logged in: every call goes through access/gateway.py, which brings a key")
