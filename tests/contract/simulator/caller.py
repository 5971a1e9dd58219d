"""Calls a served simulator with signed requests: what the contract tests of this folder speak through."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import httpx

from lab.simulator.clock import HandClock
from lab.simulator.scenario import PROJECT_ID
from lab.simulator.server import Simulator
from tests.support.raw_signer import sdk_date, signed_headers

POOLS = f"/v2/{PROJECT_ID}/pools"
NODE_POOLS = f"{POOLS}/pool-a/nodepools"
TRAINING = f"{NODE_POOLS}/training-a"


def a_world(**changes: object) -> dict[str, Any]:
    """A scenario with one pay-per-use resource pool of two node pools."""
    world: dict[str, Any] = {
        "timings": {"createSeconds": 5, "deleteSeconds": 10},
        "resourcePools": [
            {
                "name": "pool-a",
                "billingMode": "0",
                "nodePools": [{"name": "training-a", "count": 3}, {"name": "training-b", "count": 2}],
            }
        ],
    }
    return world | changes


class Sending(TypedDict, total=False):
    """What a test says about one request. The `sent_…` go over the wire in place of what was signed."""

    access_key: str
    secret_key: str
    late_by: float
    headers: Mapping[str, str]
    unsigned: Mapping[str, str]
    sent_target: str
    body: bytes
    sent_body: bytes


class Caller:
    """A client of one simulator. Its clock stands until a test turns it."""

    def __init__(self, simulator: Simulator, http: httpx.AsyncClient, clock: HandClock) -> None:
        self.simulator = simulator
        self.http = http
        self.clock = clock

    async def get(self, target: str, **sending: Unpack[Sending]) -> httpx.Response:
        """A signed GET."""
        return await self.call("GET", target, **sending)

    async def delete(self, target: str, **sending: Unpack[Sending]) -> httpx.Response:
        """A signed DELETE."""
        return await self.call("DELETE", target, **sending)

    async def counts(self, target: str = TRAINING) -> dict[str, int]:
        """The counts of a node pool by state, as its status shows them."""
        answer = await self.get(target)
        assert answer.status_code == 200, answer.text
        return {state: found["count"] for state, found in answer.json()["status"]["resources"].items()}

    def sign(self, method: str, target: str, **sending: Unpack[Sending]) -> dict[str, str]:
        """The headers of a request with their signature."""
        signed_at = self.clock.now() - sending.get("late_by", 0)
        return signed_headers(
            method,
            target,
            {"X-Sdk-Date": sdk_date(signed_at), **sending.get("headers", {})},
            access_key=sending.get("access_key", "AKSIMULATOR"),
            secret_key=sending.get("secret_key", "SKSIMULATOR"),
            body=sending.get("body", b""),
        )

    async def call(self, method: str, target: str, **sending: Unpack[Sending]) -> httpx.Response:
        """Sign a request and send it."""
        return await self.http.request(
            method,
            sending.get("sent_target", target),
            headers={**self.sign(method, target, **sending), **sending.get("unsigned", {})},
            content=sending.get("sent_body", sending.get("body", b"")),
        )
