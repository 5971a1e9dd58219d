"""The simulated cloud as the demo sees it: through the control endpoint, never through the operator.

So what the story claims about the cloud is the cloud's own record. Nothing here is signed or retried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from lab.demo.failures import DemoError

DELETE_NODE_POOL, LIST_NODE_POOLS, SHOW_NODE_POOL = "delete_node_pool", "list_node_pools", "show_node_pool"
VALID = "valid"
HEADER = ("TIME", "OPERATION", "POOL", "NODEPOOL", "STATUS", "SIGNATURE", "REQUEST ID")


@dataclass(frozen=True)
class Call:
    """One request that reached the simulator."""

    number: int
    time: str
    operation: str
    resource_pool: str
    node_pool: str
    status: int
    effect: str
    signature: str
    request_id: str

    @classmethod
    def from_report(cls, report: Mapping[str, Any]) -> Self:
        """An entry of `GET /_simulator/requests`."""
        return cls(
            number=report["number"],
            time=report["time"],
            operation=report["operation"] or "unknown",
            resource_pool=report["pool"] or "",
            node_pool=report["nodePool"] or "",
            status=report["status"] or 0,
            effect=report["effect"],
            signature=report["signature"],
            request_id=report["requestId"],
        )

    @property
    def row(self) -> tuple[str, ...]:
        """The entry below `HEADER`; of the time, the time of day."""
        clock = self.time.partition("T")[2][:12]
        name = self.node_pool or "-"
        status = str(self.status)
        return (clock, self.operation, self.resource_pool, name, status, self.signature, self.request_id)


class CloudView:
    """Looks at the simulator and changes its world."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._client = httpx.AsyncClient(base_url=f"{endpoint}/_simulator/", trust_env=False, timeout=10)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def calls(self, since: int = 0) -> list[Call]:
        """The requests with a higher number than `since`, oldest first."""
        answer = await self._ask("GET", f"requests?since={since}")
        return [Call.from_report(report) for report in answer["requests"]]

    async def last_number(self) -> int:
        """The number of the newest request."""
        last: int = (await self._ask("GET", "requests"))["last"]
        return last

    async def counts(self) -> dict[str, dict[str, int]]:
        """The nodes by state of every node pool that the cloud has."""
        state = await self._ask("GET", "state")
        return {
            node_pool["name"]: {key: int(value) for key, value in node_pool["states"].items()}
            for resource_pool in state["resourcePools"]
            for node_pool in resource_pool["nodePools"]
        }

    async def change(self, change: dict[str, Any]) -> None:
        """Change the world behind everybody's back."""
        await self._ask("PATCH", "state", change)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = await self._client.request(method, path, json=body)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise DemoError(f"The simulator did not answer {method} /_simulator/{path}: {error}") from error
        content: dict[str, Any] = answer.json()
        return content
