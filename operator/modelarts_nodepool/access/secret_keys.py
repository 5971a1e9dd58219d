"""The access key in an account's Secret, read again twice a poll, so that a rotation needs no restart.

Built and asked by access/sessions.py. What a Secret has to look like is for credentials/secret.py.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from modelarts_nodepool.credentials.secret import access_key_from_secret
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, CredentialsUnavailable, ObjectGone, SecretNotFound
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock, Cluster

_SERVER_TROUBLE = 429


class SecretKeys:
    """ports.Keys of one Secret."""

    def __init__(
        self, cluster: Cluster, clock: Clock, namespace: str, name: str, poll_interval: Callable[[], timedelta]
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._poll_interval = poll_interval
        self._held: AccessKey | None = None
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self.remedy = f"put a valid one into Secret {namespace}/{name} and it is used at once"

    async def current(self) -> AccessKey:
        """The key, read no more than half a poll ago."""
        async with self._lock:
            oldest = self._clock.monotonic() - self._poll_interval().total_seconds() / 2
            if self._held is None or self._read_at <= oldest:
                return await self._read()
            return self._held

    async def renew(self, rejected: AccessKey) -> AccessKey:
        """Read it at once: the old key may have been disabled as soon as the new one stood in the Secret."""
        async with self._lock:
            if self._held is None or self._held.is_same(rejected):
                return await self._read()
            return self._held

    async def aclose(self) -> None:
        """Nothing is under way."""

    async def _read(self) -> AccessKey:
        begun = self._clock.monotonic()
        title = f"Secret {self._namespace}/{self._name}"
        try:
            body = await self._cluster.get(paths.secret(self._namespace, self._name))
        except ObjectGone:
            self._held = None
            raise SecretNotFound(
                f"{title} does not exist; create it: {remedies.create_secret(self._namespace, self._name)}"
            ) from None
        except ClusterError as error:
            if self._held is not None and (error.status is None or error.status >= _SERVER_TROUBLE):
                # The API server is in trouble, not the Secret: what was read a poll ago still stands. From now on, not
                # from the beginning: those who wait for the same answer must not each wait for another time-out.
                self._read_at = self._clock.monotonic()
                return self._held
            self._held = None
            raise CredentialsUnavailable(f"{title} could not be read: {error}") from error
        self._held = None
        key = access_key_from_secret(body, self._name)
        for secret in (key.secret, key.security_token):
            redact(secret)
        self._held, self._read_at = key, begun
        return key
