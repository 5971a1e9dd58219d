"""Keeps a temporary key fresh: fetches a new one before the old one expires, one fetch at a time.

Built by providers.py, one for each issuer, and shared by all accounts with the same source. Called by
access/sessions.py before each call. The refresh runs in the background: while the key is good, no call waits for the
issuer.

The official SDK refreshes when less than 40 minutes are left, so an issuer whose keys last less than that is asked at
every call. Here the margin is at most half of the key's life.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelarts_nodepool.backoff import Backoff
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock, KeyProvider

logger = logging.getLogger(__name__)

# How long an issuer can be down unnoticed: the SDK's margin.
REFRESH_MARGIN = timedelta(minutes=40)
# An issuer of very short-lived keys is not asked more often than this.
MIN_REFRESH_INTERVAL = timedelta(seconds=5)
# A request takes time to arrive, and clocks differ a little.
EXPIRY_MARGIN = timedelta(seconds=5)
# After a rejection the issuer is asked at once, then not for this time: it can keep issuing a rejected key.
RENEW_INTERVAL = timedelta(minutes=5)
RETRY_BACKOFF = Backoff(first=timedelta(seconds=2), longest=timedelta(minutes=1))
_NEVER = datetime.max.replace(tzinfo=UTC)


def refresh_at(fetched: datetime, expires: datetime) -> datetime:
    """When a new key is fetched; until it arrives the old one stays in use."""
    margin = min(REFRESH_MARGIN, (expires - fetched) / 2)
    return max(expires - margin, fetched + MIN_REFRESH_INTERVAL)


def usable_until(fetched: datetime, expires: datetime) -> datetime:
    """Until when a request may be signed with the key."""
    return expires - min(EXPIRY_MARGIN, (expires - fetched) / 10)


@dataclass(frozen=True, slots=True)
class _Held:
    key: AccessKey
    refresh_at: datetime
    usable_until: datetime


class Refresher:
    """ports.Credentials from one issuer."""

    def __init__(self, provider: KeyProvider, clock: Clock, issuer: str, remedy: str) -> None:
        self._provider = provider
        self._clock = clock
        self._issuer = issuer
        self.remedy = remedy
        self._held: _Held | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._failures = 0
        self._too_short = f"{issuer} gave no credentials that last long enough"
        self._failure = self._too_short
        self._retry_at = float("-inf")
        self._renewed_at = float("-inf")

    async def current(self) -> AccessKey:
        """The key in hand if it is good, else the key that a refresh brings."""
        now = self._clock.now()
        is_due = self._held is None or now >= self._held.refresh_at
        if is_due and self._clock.monotonic() >= self._retry_at:
            self._start_refresh()
        held = self._held
        if held is None or now >= held.usable_until:
            await self._wait_for_refresh()
            held = self._held
        if held is None or self._clock.now() >= held.usable_until:
            raise CredentialsUnavailable(self._failure)
        return held.key

    async def renew(self, rejected: AccessKey) -> AccessKey:
        """Fetch a new key although the old one has not expired, at most once in five minutes."""
        if self._held is not None and self._held.key.is_same(rejected):
            now = self._clock.monotonic()
            if now - self._renewed_at >= RENEW_INTERVAL.total_seconds():
                self._renewed_at = now
                self._start_refresh()
            await self._wait_for_refresh()
        return await self.current()

    async def aclose(self) -> None:
        """Cancel a refresh that runs."""
        if self._refresh is not None:
            self._refresh.cancel()
            await self._wait_for_refresh()

    def _start_refresh(self) -> None:
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._fetch(), name=f"refresh credentials from {self._issuer}")

    async def _wait_for_refresh(self) -> None:
        """Cancelling a caller that waits does not cancel the refresh."""
        if self._refresh is not None:
            await asyncio.wait([self._refresh])

    async def _fetch(self) -> None:
        try:
            key = await self._provider.fetch()
        except CredentialsUnavailable as error:
            self._record_failure(str(error))
        except Exception:
            # A bug of ours must not stop the account for good: it is retried like any other failure.
            logger.exception("credentials could not be refreshed")
            self._record_failure(f"asking {self._issuer} for credentials failed; see the operator's log")
        else:
            self._record_key(key)

    def _record_key(self, key: AccessKey) -> None:
        for secret in (key.secret, key.security_token):
            redact(secret)
        now, expires = self._clock.now(), key.expires or _NEVER
        self._held = _Held(key, refresh_at(now, expires), usable_until(now, expires))
        self._failures, self._retry_at = 0, float("-inf")
        self._failure = self._too_short
        logger.info(
            "credentials refreshed", extra={"issuer": self._issuer, "expires": expires.isoformat(timespec="seconds")}
        )

    def _record_failure(self, message: str) -> None:
        self._failures += 1
        if _without_quote(message) != _without_quote(self._failure):
            # An issuer that quotes a time or a number in each refusal would else cost a status write of every object.
            self._failure = message
        self._retry_at = self._clock.monotonic() + RETRY_BACKOFF.after(self._failures).total_seconds()
        left = self._held.usable_until - self._clock.now() if self._held else timedelta()
        logger.warning(
            "credentials were not refreshed, %s: %s",
            "the last key stays in use" if left > timedelta() else "there is no key to use",
            message,
            extra={
                "issuer": self._issuer,
                "failures": self._failures,
                "secondsLeft": max(int(left.total_seconds()), 0),
            },
        )


def _without_quote(message: str) -> str:
    """A failure up to the issuer's error code: `… gave no credentials: 403 (CODE: quote); …`."""
    before, _, quoted = message.partition(" (")
    return f"{before} ({quoted.partition(': ')[0]}"
