"""Who an account logs in as: Secret → access key → client. Reads credentials, and reads them again.

Called by engine/clouds.py before each call. The Secret is read again at most one poll interval later, so a rotation
needs no restart. Whether the cloud accepts a key is for engine/breakers.py.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from modelarts_nodepool.credentials.secret import access_key_from_secret
from modelarts_nodepool.errors import ClusterError, CredentialsUnavailable, ObjectGone, SecretNotFound
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock, Cluster, ModelArts
from modelarts_nodepool.resource.account import CredentialsSource
from modelarts_nodepool.resource.objects import Account

ClientFactory = Callable[[Account, Callable[[], AccessKey]], ModelArts]

_SERVER_TROUBLE = 429


@dataclass(slots=True)
class Login:
    """What is kept of one account. `remedy` says what to do about a key that the cloud does not accept."""

    key: AccessKey
    read_at: float
    client: ModelArts
    of: Account
    remedy: str


class Logins:
    """Logins by account, made when first needed."""

    def __init__(self, cluster: Cluster, clock: Clock, operator_namespace: str, build: ClientFactory) -> None:
        """`build` makes a client that asks for the key at each call."""
        self._cluster = cluster
        self._clock = clock
        self._namespace = operator_namespace
        self._build = build
        self._logins: dict[str, Login] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def current(self, account: Account) -> Login:
        """The account's login, its Secret read not too long ago. Raises CredentialsUnavailable."""
        async with self._locks.setdefault(account.metadata.name, asyncio.Lock()):
            return await self._login(account)

    async def aclose(self) -> None:
        """Close all connections."""
        for login in self._logins.values():
            await _close(login.client)
        self._logins.clear()

    async def _login(self, account: Account) -> Login:
        name = account.metadata.name
        login = self._logins.get(name)
        now = self._clock.monotonic()
        if login is not None and _is_same_place(login.of, account):
            is_same_secret = login.of.spec.credentials == account.spec.credentials
            if is_same_secret and now - login.read_at < account.spec.poll_interval.total_seconds() / 2:
                return login
            # The client stays: closing it would cut off a DELETE that waits for its answer.
            login.key = await self._read_key(account, login.key if is_same_secret else None)
            login.read_at, login.of, login.remedy = now, account, self._remedy(account)
            return login
        key = await self._read_key(account)
        if login is not None:
            await _close(login.client)
        client = self._build(account, lambda: self._logins[name].key)
        fresh = Login(key=key, read_at=now, client=client, of=account, remedy=self._remedy(account))
        self._logins[name] = fresh
        return fresh

    def _remedy(self, account: Account) -> str:
        secret = f"{self._namespace}/{account.spec.credentials.secret_name}"
        return f"put a valid one into Secret {secret} and it is used at once"

    async def _read_key(self, account: Account, last: AccessKey | None = None) -> AccessKey:
        credentials = account.spec.credentials
        if credentials.source is not CredentialsSource.SECRET or not credentials.secret_name:
            raise CredentialsUnavailable(
                f"ModelArtsAccount {account.metadata.name} asks for credentials from {credentials.source}, which this "
                "version does not read; use source Secret with secretName"
            )
        name = credentials.secret_name
        try:
            body = await self._cluster.get(paths.secret(self._namespace, name))
        except ObjectGone:
            raise SecretNotFound(
                f"Secret {self._namespace}/{name} does not exist; create it: kubectl create secret generic {name} "
                f"-n {self._namespace} --from-literal=accessKey=… --from-literal=secretKey=… and label it "
                'modelarts.huaweicloud.com/credentials="true"'
            ) from None
        except ClusterError as error:
            if last is not None and (error.status is None or error.status >= _SERVER_TROUBLE):
                # The API server is in trouble, not the Secret: what was read a poll ago still stands.
                return last
            raise CredentialsUnavailable(f"Secret {self._namespace}/{name} could not be read: {error}") from error
        key = access_key_from_secret(body, name)
        for secret in (key.secret, key.security_token):
            redact(secret)
        return key


def _is_same_place(one: Account, other: Account) -> bool:
    """Whether a client of one is good for the other: the same object, region and project."""
    return (one.metadata.uid, one.spec.region, one.spec.project_id) == (
        other.metadata.uid,
        other.spec.region,
        other.spec.project_id,
    )


async def _close(client: ModelArts) -> None:
    close = getattr(client, "aclose", None)
    if close is not None:
        await close()
