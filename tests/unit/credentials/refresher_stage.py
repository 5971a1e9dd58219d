"""An issuer, a clock and a refresher, all by hand."""

import asyncio
from datetime import timedelta

from modelarts_nodepool.credentials.refresher import Refresher
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey
from tests.support.clocks import HandClock

HOUR = timedelta(hours=1)


class Issuer:
    """Gives numbered keys that last for `lasting`; raises `failure` where it is set. Answers wait for `gate`."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.lasting = HOUR
        self.failure: Exception | None = None
        self.repeats = False
        self.asked = 0
        self.given = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self) -> AccessKey:
        self.asked += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if not (self.repeats and self.given):
            self.given += 1
        return AccessKey(f"AK{self.given}", f"SK{self.given}", f"token{self.given}", self.clock.now() + self.lasting)


class Stage:
    """A refresher with its issuer."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.issuer = Issuer(self.clock)
        self.refresher = Refresher(self.issuer, self.clock, "the issuer", "mend the agency")

    def fail(self, words: str = "the issuer did not answer within 5 s; look there") -> None:
        self.issuer.failure = CredentialsUnavailable(words)

    async def key(self) -> str:
        found = (await self.refresher.current()).access
        await turns()
        return found


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)
