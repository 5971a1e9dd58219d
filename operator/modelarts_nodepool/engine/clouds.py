"""A client of ModelArts for each account: Secret → access key → client, with a breaker for rejected keys.

Called by the pollers and deletions. The Secret is read again at most one poll interval later, so a rotation
needs no restart. A rejected key is not used again for five minutes: six bad signatures in a row lock it.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from modelarts_nodepool.credentials.secret import access_key_from_secret
from modelarts_nodepool.errors import (
    ClusterError,
    CredentialsRejected,
    CredentialsUnavailable,
    NotFound,
    ObjectGone,
    PermissionDenied,
    RefusedByModelArts,
    SecretNotFound,
)
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock, Cluster, ModelArts
from modelarts_nodepool.resource.account import CredentialsSource
from modelarts_nodepool.resource.objects import Account

logger = logging.getLogger(__name__)

T = TypeVar("T")
ClientFactory = Callable[[Account, Callable[[], AccessKey]], ModelArts]

_SERVER_TROUBLE = 429
REJECTED_FOR = timedelta(minutes=5)
# A key that has not been accepted yet is used by so few calls at a time: after a restart all resource pools ask at
# once, and a wrong key would be locked before the first answer is in.
TRIALS_AT_ONCE = 2


@dataclass(slots=True)
class _Login:
    """What is kept of one account."""

    key: AccessKey
    read_at: float
    client: ModelArts
    of: Account


class Clouds:
    """Clients by account, made when first needed."""

    def __init__(self, cluster: Cluster, clock: Clock, operator_namespace: str, build: ClientFactory) -> None:
        """`build` makes a client that asks for the key at each call."""
        self._cluster = cluster
        self._clock = clock
        self._namespace = operator_namespace
        self._build = build
        self._logins: dict[str, _Login] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._rejected: dict[str, tuple[float, str]] = {}
        self._accepted: set[str] = set()
        self._trials: dict[str, asyncio.Semaphore] = {}

    async def call(self, account: Account, operation: Callable[[ModelArts], Awaitable[T]]) -> T:
        """Make one call with credentials in hand. Raises CloudError or CredentialsUnavailable."""
        login = await self._current(account)
        digest = _digest(login.key)
        if digest in self._accepted:
            return await self._call(account, digest, login.client, operation)
        async with self._trials.setdefault(digest, asyncio.Semaphore(TRIALS_AT_ONCE)):
            # Only now: it may have been rejected while this call waited for its turn.
            self._refuse_rejected(account, digest)
            if digest in self._rejected:
                # One probe: whoever asks next is refused again until its answer is in.
                self._rejected[digest] = (self._clock.monotonic(), self._rejected[digest][1])
            return await self._call(account, digest, login.client, operation)

    async def _call(
        self, account: Account, digest: str, client: ModelArts, operation: Callable[[ModelArts], Awaitable[T]]
    ) -> T:
        try:
            answer = await operation(client)
        except CredentialsRejected as error:
            self._accepted.discard(digest)
            self._rejected[digest] = (self._clock.monotonic(), error.message)
            logger.warning(
                "access key rejected; it is not used for five minutes, a new one in the Secret is used at once",
                extra={"account": account.metadata.name, "requestId": error.request_id},
            )
            raise
        except (NotFound, PermissionDenied, RefusedByModelArts):
            self._note_accepted(digest)
            raise
        self._note_accepted(digest)
        return answer

    def _note_accepted(self, digest: str) -> None:
        self._rejected.pop(digest, None)
        self._accepted.add(digest)

    async def ready(self, account: Account) -> ModelArts:
        """The account's client, its Secret read not too long ago and its key not lately rejected."""
        login = await self._current(account)
        self._refuse_rejected(account, _digest(login.key))
        return login.client

    async def aclose(self) -> None:
        """Close all connections."""
        for login in self._logins.values():
            await _close(login.client)
        self._logins.clear()

    async def _current(self, account: Account) -> _Login:
        async with self._locks.setdefault(account.metadata.name, asyncio.Lock()):
            return await self._login(account)

    async def _login(self, account: Account) -> _Login:
        name = account.metadata.name
        login = self._logins.get(name)
        now = self._clock.monotonic()
        if login is not None and _is_same_place(login.of, account):
            is_same_secret = login.of.spec.credentials == account.spec.credentials
            if is_same_secret and now - login.read_at < account.spec.poll_interval.total_seconds() / 2:
                return login
            # The client stays: closing it would cut off a DELETE that waits for its answer.
            login.key = await self._read_key(account, login.key if is_same_secret else None)
            login.read_at, login.of = now, account
            return login
        key = await self._read_key(account)
        if login is not None:
            await _close(login.client)
        fresh = _Login(key=key, read_at=now, client=self._build(account, lambda: self._logins[name].key), of=account)
        self._logins[name] = fresh
        return fresh

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

    def _refuse_rejected(self, account: Account, digest: str) -> None:
        since, words = self._rejected.get(digest, (float("-inf"), ""))
        if self._clock.monotonic() - since >= REJECTED_FOR.total_seconds():
            return
        raise CredentialsRejected(
            f"{words}; the key is not used for five minutes, lest it be locked; put a valid one into Secret "
            f"{self._namespace}/{account.spec.credentials.secret_name} and it is used at once"
        )


def _is_same_place(one: Account, other: Account) -> bool:
    """Whether a client of one is good for the other: the same object, region and project."""
    return (one.metadata.uid, one.spec.region, one.spec.project_id) == (
        other.metadata.uid,
        other.spec.region,
        other.spec.project_id,
    )


def _digest(key: AccessKey) -> str:
    """Tells keys apart without keeping them."""
    text = "\n".join((key.access, key.secret, key.security_token or ""))
    return hashlib.sha256(text.encode()).hexdigest()


async def _close(client: ModelArts) -> None:
    close = getattr(client, "aclose", None)
    if close is not None:
        await close()
