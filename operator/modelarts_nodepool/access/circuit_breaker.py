"""Keeps a wrong key from being locked: a rejected key rests for five minutes, an unknown one is tried by few calls.

A clock that is off spoils signatures as well, so the key rests then too, until somebody sets the clock.

Called by access/gateway.py around each call to the cloud. Knows keys by their digest alone.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from modelarts_nodepool.access.sessions import Login
from modelarts_nodepool.errors import (
    ClockSkew,
    CredentialsRejected,
    NotFound,
    PermissionDenied,
    RefusedByModelArts,
)
from modelarts_nodepool.modelarts.recent import Recent
from modelarts_nodepool.ports import AccessKey, Clock, ModelArts

logger = logging.getLogger(__name__)

T = TypeVar("T")
Operation = Callable[[ModelArts], Awaitable[T]]

# Six bad signatures in a row lock a key.
REJECTED_FOR = timedelta(minutes=5)
# A key that has not been accepted yet is used by so few calls at a time: after a restart all resource pools ask at
# once, and a wrong key would be locked before the first answer is in.
TRIALS_AT_ONCE = 2
# By more than this the two clocks drift apart only when one of them is set.
CLOCK_WAS_SET_SECONDS = 60.0
# Temporary keys come and go. One that is still in use is asked about at each poll, an hour apart at most.
KEPT_UNUSED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Rejection:
    """What was said, when (monotonic seconds), and how far the wall clock was then ahead of the monotonic one."""

    at: float
    clock_offset: float
    error: CredentialsRejected | ClockSkew


@dataclass(slots=True)
class _Standing:
    """What is known of one key. `trials` lets few calls at a time through until it has been accepted."""

    is_accepted: bool = False
    rejection: _Rejection | None = None
    trials: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TRIALS_AT_ONCE))


class RejectedBefore(CredentialsRejected):
    """The cloud rejected the key a while ago; this call was not made."""


class Breakers:
    """What the cloud said about each key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standings: Recent[str, _Standing] = Recent(clock, _Standing, KEPT_UNUSED)

    async def call(self, login: Login, operation: Operation[T]) -> T:
        """Make one call, unless the key was lately rejected; note what it says about the key.

        A key that the cloud rejects now is asked for anew once. Where there is another one the call is made with it:
        a rejected call had no effect. Never more often than that, lest keys be locked.
        """
        try:
            return await self._attempt(login, operation)
        except RejectedBefore:
            raise
        except CredentialsRejected:
            other = await login.renewed()
            if other is None:
                raise
        return await self._attempt(other, operation)

    def check(self, login: Login) -> None:
        """Raise CredentialsRejected or ClockSkew where the key was lately rejected."""
        self._refuse_rejected(login, self._standing_of(login))

    async def _attempt(self, login: Login, operation: Operation[T]) -> T:
        standing = self._standing_of(login)
        if standing.is_accepted:
            return await self._call(login, standing, operation)
        async with standing.trials:
            # Only now: it may have been rejected while this call waited for its turn.
            self._refuse_rejected(login, standing)
            if standing.rejection is not None:
                # One probe: whoever asks next is refused again until its answer is in.
                self._reject(standing, standing.rejection.error)
            return await self._call(login, standing, operation)

    async def _call(self, login: Login, standing: _Standing, operation: Operation[T]) -> T:
        try:
            answer = await operation(login.client)
        except (CredentialsRejected, ClockSkew) as error:
            self._reject(standing, error)
            logger.warning(
                "access key not accepted (%s); it is not used for five minutes, another one is used at once: %s",
                error.reason,
                login.remedy,
                extra={"account": login.of.metadata.name, "requestId": error.request_id},
            )
            kind = ClockSkew if isinstance(error, ClockSkew) else CredentialsRejected
            raise kind(
                _words(error, login),
                status=error.status,
                code=error.code,
                request_id=error.request_id,
                retry_after=error.retry_after,
                outcome=error.outcome,
            ) from error
        except (NotFound, PermissionDenied, RefusedByModelArts):
            self._accept(standing)
            raise
        self._accept(standing)
        return answer

    def _standing_of(self, login: Login) -> _Standing:
        return self._standings.of(_digest(login.key))

    @staticmethod
    def _accept(standing: _Standing) -> None:
        standing.is_accepted, standing.rejection = True, None

    def _reject(self, standing: _Standing, error: CredentialsRejected | ClockSkew) -> None:
        standing.is_accepted = False
        standing.rejection = _Rejection(self._clock.monotonic(), self._clock_offset(), error)

    def _refuse_rejected(self, login: Login, standing: _Standing) -> None:
        found = standing.rejection
        if found is None or self._clock.monotonic() - found.at >= REJECTED_FOR.total_seconds():
            return
        if isinstance(found.error, CredentialsRejected):
            raise RejectedBefore(_words(found.error, login))
        if abs(self._clock_offset() - found.clock_offset) < CLOCK_WAS_SET_SECONDS:
            raise ClockSkew(_words(found.error, login))

    def _clock_offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()


def _words(error: CredentialsRejected | ClockSkew, login: Login) -> str:
    """What is true for all who use the key: it names the account, and not what happened to be asked for."""
    words = f"a call with the access key of ModelArtsAccount {login.of.metadata.name} {error.outcome.rstrip('. ')}"
    if isinstance(error, ClockSkew):
        return f"{words}; nothing is signed for five minutes, or until the clock is set, so that the key is not locked"
    return f"{words}; the key is not used for five minutes, so that it is not locked; {login.remedy}"


def _digest(key: AccessKey) -> str:
    """Tells keys apart without keeping them."""
    text = "\n".join((key.access, key.secret, key.security_token or ""))
    return hashlib.sha256(text.encode()).hexdigest()
