"""Keeps a temporary key fresh: asks its source before it ends, once at a time, and goes on with it meanwhile.

Built by sources.py, one per issuer, and shared by all accounts that log in the same way. Asked by access/sessions.py
before each call. A refresh runs beside the calls: as long as the key in hand is good, no call waits for an issuer.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelarts_nodepool.credentials import lifetimes
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock, KeySource

logger = logging.getLogger(__name__)

# After a rejection the issuer is asked again at once, and then not for so long: it may keep giving what is rejected.
RENEW_PAUSE = timedelta(minutes=5)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Held:
    key: AccessKey
    refresh_at: datetime
    usable_until: datetime


class Keeper:
    """ports.Keys of one issuer."""

    def __init__(self, source: KeySource, clock: Clock, issuer: str, remedy: str) -> None:
        self._source = source
        self._clock = clock
        self._issuer = issuer
        self.remedy = remedy
        self._held: _Held | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._failures = 0
        self._failure = f"{issuer} gave no credentials that last long enough to be used"
        self._rest_until = float("-inf")
        self._renewed_at = float("-inf")

    async def current(self) -> AccessKey:
        """The key in hand where it is good, else the one that a refresh brings."""
        now = self._clock.now()
        if self._is_due(now) and self._clock.monotonic() >= self._rest_until:
            self._begin()
        held = self._held
        if held is None or now >= held.usable_until:
            await self._finish()
            held = self._held
        if held is None or self._clock.now() >= held.usable_until:
            raise CredentialsUnavailable(self._failure)
        return held.key

    async def renew(self, rejected: AccessKey) -> AccessKey:
        """Ask the issuer once more, whatever is left of the key; not again within five minutes."""
        if self._held is not None and self._held.key.is_same(rejected):
            now = self._clock.monotonic()
            if now - self._renewed_at >= RENEW_PAUSE.total_seconds():
                self._renewed_at = now
                self._begin()
            await self._finish()
        return await self.current()

    async def aclose(self) -> None:
        """End a refresh that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await self._finish()

    def _is_due(self, now: datetime) -> bool:
        return self._held is None or now >= self._held.refresh_at

    def _begin(self) -> None:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name=f"credentials of {self._issuer}")

    async def _finish(self) -> None:
        """Wait for the refresh under way. Whoever is cancelled meanwhile does not take it along."""
        if self._refreshing is not None:
            await asyncio.wait([self._refreshing])

    async def _refresh(self) -> None:
        try:
            key = await self._source.obtain()
        except CredentialsUnavailable as error:
            self._note_failure(str(error))
        except Exception:
            # A fault of ours must not end the account: it is tried again like any other.
            logger.exception("credentials could not be refreshed")
            self._note_failure(f"asking {self._issuer} for credentials failed; see the operator's log")
        else:
            self._take(key)

    def _take(self, key: AccessKey) -> None:
        for secret in (key.secret, key.security_token):
            redact(secret)
        now, expires = self._clock.now(), key.expires or _NEVER
        self._held = _Held(key, lifetimes.refresh_at(now, expires), lifetimes.usable_until(now, expires))
        self._failures, self._rest_until = 0, float("-inf")
        self._failure = f"{self._issuer} gave no credentials that last long enough to be used"
        logger.info(
            "credentials refreshed", extra={"issuer": self._issuer, "expires": expires.isoformat(timespec="seconds")}
        )

    def _note_failure(self, words: str) -> None:
        self._failures += 1
        if _head(words) != _head(self._failure):
            # Else an issuer that quotes a time or a number in each refusal would cost every object a write each time.
            self._failure = words
        self._rest_until = self._clock.monotonic() + lifetimes.retry_after(self._failures).total_seconds()
        left = self._held.usable_until - self._clock.now() if self._held else timedelta()
        logger.warning(
            "credentials were not refreshed, %s: %s",
            "the last ones are still used" if left > timedelta() else "there are none to use",
            words,
            extra={
                "issuer": self._issuer,
                "failures": self._failures,
                "secondsLeft": max(int(left.total_seconds()), 0),
            },
        )


def _head(words: str) -> str:
    """A failure without what the issuer says beside its code: `… gave no credentials: 403 (CODE: words); …`."""
    before, _, quoted = words.partition(" (")
    return f"{before} ({quoted.partition(': ')[0]}"
