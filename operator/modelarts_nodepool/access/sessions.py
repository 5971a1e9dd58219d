"""Sessions: the access key of an account and the connections to its project.

Called by access/gateway.py before each call, and again after a key was rejected. KeyBreakers there know whether the
cloud accepts a key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.credentials.providers import Providers
from modelarts_nodepool.credentials.secret import access_key_from_secret
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, CredentialsUnavailable, ObjectGone, SecretNotFound
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock, Cluster, Connections, Credentials, ModelArts

Connect = Callable[[Account], Connections]


@dataclass(frozen=True, slots=True)
class Session:
    """A key, and the project as this key sees it.

    `remedy` says what to do if the cloud rejects the key. `renew` fetches another key; None if there is no other.
    """

    key: AccessKey
    client: ModelArts
    account: Account
    remedy: str
    renew: Callable[[], Awaitable["Session | None"]]


@dataclass(slots=True)
class _Entry:
    """What is kept for one account."""

    account: Account
    connections: Connections
    credentials: Credentials
    session: Session | None = None


class Sessions:
    """Sessions by account, opened at first use."""

    def __init__(
        self, cluster: Cluster, clock: Clock, operator_namespace: str, connect: Connect, providers: Providers
    ) -> None:
        """`connect` opens the connections to an account's project."""
        self._cluster = cluster
        self._clock = clock
        self._namespace = operator_namespace
        self._connect = connect
        self._providers = providers
        self._entries: dict[str, _Entry] = {}

    async def current(self, account: Account) -> Session:
        """The account's session with a fresh key. Raises CredentialsUnavailable."""
        entry = await self._entry(account)
        key, session = await entry.credentials.current(), entry.session
        if session is None or session.key is not key or session.account is not entry.account:
            session = entry.session = self._session(entry, key)
        return session

    async def keep_only(self, accounts: Collection[str]) -> None:
        """Close and drop the connections of all other accounts.

        An account goes when no object names it any more, so this cuts off a poll at most. If a user removed the
        account's finalizer by hand it can cut off a DELETE; its outcome is then unknown and is observed as such.
        """
        gone = [self._entries.pop(name) for name in tuple(self._entries) if name not in accounts]
        for entry in gone:
            await entry.connections.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self.keep_only(())
        await self._providers.aclose()

    def _session(self, entry: _Entry, key: AccessKey) -> Session:
        credentials, account = entry.credentials, entry.account

        async def renew() -> Session | None:
            other = await credentials.renew(key)
            return None if other.is_same(key) else self._session(entry, other)

        return Session(key, entry.connections.with_key(key), account, credentials.remedy, renew)

    async def _entry(self, account: Account) -> _Entry:
        name = account.metadata.name
        entry = self._entries.get(name)
        if entry is None or not _has_same_project(entry.account, account):
            credentials = self._credentials_of(account)
            fresh = _Entry(account, self._connect(account), credentials)
            self._entries[name] = fresh
            if entry is not None:
                await entry.connections.aclose()
            return fresh
        if entry.account.spec.credentials != account.spec.credentials:
            # The connections stay open: closing them would cut off a DELETE that waits for its answer.
            entry.credentials = self._credentials_of(account)
        entry.account = account
        return entry

    def _credentials_of(self, account: Account) -> Credentials:
        name, credentials = account.metadata.name, account.spec.credentials
        if credentials.source is not CredentialsSource.SECRET:
            return self._providers.credentials_from(credentials.source, account.spec.region)
        if not credentials.secret_name:
            raise CredentialsUnavailable(
                f"ModelArtsAccount {name} has credentials source Secret without a name; set spec.credentials.secretName"
            )
        return SecretCredentials(
            self._cluster,
            self._clock,
            self._namespace,
            credentials.secret_name,
            lambda: self._poll_interval(account),
        )

    def _poll_interval(self, account: Account) -> timedelta:
        """The interval in the account as last seen."""
        entry = self._entries.get(account.metadata.name)
        return (entry.account if entry else account).spec.poll_interval


def _has_same_project(one: Account, other: Account) -> bool:
    """Whether both can use the same connections: the same object, region and project."""
    return (one.metadata.uid, one.spec.region, one.spec.project_id) == (
        other.metadata.uid,
        other.spec.region,
        other.spec.project_id,
    )


class SecretCredentials:
    """ports.Credentials from a Secret, which is read again twice a poll: a rotated key needs no restart.

    credentials/secret.py says what the Secret must look like.
    """

    def __init__(
        self, cluster: Cluster, clock: Clock, namespace: str, name: str, poll_interval: Callable[[], timedelta]
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._poll_interval = poll_interval
        self._key: AccessKey | None = None
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self.remedy = f"put a valid key into Secret {namespace}/{name}; it is used at once"

    async def current(self) -> AccessKey:
        """The key, read half a poll interval ago at most."""
        async with self._lock:
            oldest = self._clock.monotonic() - self._poll_interval().total_seconds() / 2
            if self._key is None or self._read_at <= oldest:
                return await self._read()
            return self._key

    async def renew(self, rejected: AccessKey) -> AccessKey:
        """Read the Secret now: the old key may have been disabled as soon as the new one was in the Secret."""
        async with self._lock:
            if self._key is None or self._key.is_same(rejected):
                return await self._read()
            return self._key

    async def aclose(self) -> None:
        """Nothing runs in the background."""

    async def _read(self) -> AccessKey:
        begun = self._clock.monotonic()
        title = f"Secret {self._namespace}/{self._name}"
        try:
            body = await self._cluster.get(paths.secret(self._namespace, self._name))
        except ObjectGone:
            self._key = None
            raise SecretNotFound(
                f"{title} does not exist; create it: {remedies.create_secret(self._namespace, self._name)}"
            ) from None
        except ClusterError as error:
            if self._key is not None and (error.status is None or error.status >= HTTPStatus.TOO_MANY_REQUESTS):
                # The API server fails, not the Secret: the key stays in use. Its age counts from now, not from the
                # start of the request, so that the calls in the queue do not each wait for a time-out.
                self._read_at = self._clock.monotonic()
                return self._key
            self._key = None
            raise CredentialsUnavailable(f"{title} could not be read: {error}") from error
        self._key = None
        key = access_key_from_secret(body, self._name)
        for secret in (key.secret, key.security_token):
            redact(secret)
        self._key, self._read_at = key, begun
        return key
