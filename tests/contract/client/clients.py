"""Builders of the client under test: against any endpoint, with short bounds and a clock that can be shifted."""

import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from lab.simulator.server import Simulator
from modelarts_nodepool.modelarts.client import CallReport, ModelArtsClient
from modelarts_nodepool.modelarts.endpoints import parse_endpoint
from modelarts_nodepool.modelarts.tls import build_trust
from modelarts_nodepool.modelarts.transport import Bounds
from modelarts_nodepool.ports import AccessKey, Clock

PROJECT = "0123456789abcdef0123456789abcdef"
KEY = AccessKey("AKSIMULATOR", "SKSIMULATOR")
# For answers that never come, and only for those: on a busy machine others may take longer than this.
SHORT = Bounds(
    connecting=timedelta(seconds=2),
    deletion=timedelta(seconds=0.5),
    reading=timedelta(seconds=0.5),
    side_body=timedelta(seconds=0.1),
)
SMALL = Bounds(body_bytes=256 * 1024)


@cache
def usual_trust() -> ssl.SSLContext:
    """Reading some hundred certificates takes long enough to be done once."""
    return build_trust()


@dataclass
class ShiftedClock:
    shift: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class Reports:
    seen: list[CallReport] = field(default_factory=list)

    @property
    def outcomes(self) -> list[str]:
        return [report.outcome for report in self.seen]


@asynccontextmanager
async def a_client(
    endpoint: str,
    *,
    key: AccessKey = KEY,
    project_id: str = PROJECT,
    clock: Clock | None = None,
    reports: Reports | None = None,
    bounds: Bounds | None = None,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[ModelArtsClient]:
    client = ModelArtsClient(
        endpoint=parse_endpoint(f"cn-north-4={endpoint}"),
        project_id=project_id,
        key=key,
        clock=clock or ShiftedClock(),
        trust=trust or usual_trust(),
        on_call=reports.seen.append if reports else None,
        bounds=bounds,
    )
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def a_cloud(
    scenario: Mapping[str, Any] | None = None, *, reports: Reports | None = None
) -> AsyncIterator[tuple[Simulator, ModelArtsClient]]:
    """A simulator and a client of it."""
    async with (
        Simulator.serving(None if scenario is None else dict(scenario)) as simulator,
        a_client(simulator.endpoint, reports=reports) as client,
    ):
        yield simulator, client
