"""The simulator's control endpoint: the cloud's own record, and the storm's hand on it. Nothing here is signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from lab.demo.failures import DemoError

DELETE_NODE_POOL, DELETE_POOL = "delete_node_pool", "delete_pool"
ACCEPTED = "accepted"


@dataclass(frozen=True)
class Call:
    """One request that reached the simulator. `status` 0: not answered."""

    number: int
    time: float
    operation: str
    resource_pool: str
    node_pool: str
    status: int
    effect: str
    error: str
    fault: str
    request_id: str

    @classmethod
    def from_report(cls, report: Mapping[str, Any]) -> Self:
        """An entry of `GET /_simulator/requests`."""
        return cls(
            number=report["number"],
            time=datetime.fromisoformat(report["time"]).timestamp(),
            operation=report["operation"] or "unknown",
            resource_pool=report["pool"] or "",
            node_pool=report["nodePool"] or "",
            status=report["status"] or 0,
            effect=report["effect"],
            error=report["error"] or "",
            fault=report["fault"] or "",
            request_id=report["requestId"],
        )

    @property
    def place(self) -> tuple[str, str]:
        """Resource pool and node pool."""
        return (self.resource_pool, self.node_pool)

    @property
    def words(self) -> str:
        """The request in one line."""
        parts = (str(self.status or "no answer"), f"effect {self.effect}", self.error, self.fault)
        return f"cloud: {self.operation} → {' · '.join(part for part in parts if part)}"


State = dict[tuple[str, str], dict[str, int]]


class CloudControl:
    """Looks at the simulator and changes its world."""

    def __init__(self, endpoint: str) -> None:
        self._client = httpx.AsyncClient(base_url=f"{endpoint}/_simulator/", trust_env=False, timeout=20)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def calls(self, operation: str | None = None) -> list[Call]:
        """All requests, oldest first; only those of an operation where one is given."""
        query = f"?operation={operation}" if operation else ""
        answer = await self._ask("GET", f"requests{query}")
        return [Call.from_report(report) for report in answer["requests"]]

    async def node_pools(self) -> State:
        """The nodes by state of every node pool there is, by resource pool and name."""
        state = await self._ask("GET", "state")
        return {
            (resource_pool["name"], node_pool["name"]): {key: int(value) for key, value in node_pool["states"].items()}
            for resource_pool in state["resourcePools"]
            for node_pool in resource_pool["nodePools"]
        }

    async def applied_faults(self) -> int:
        """How often a fault of those that are set was met."""
        return sum(fault["applied"] for fault in (await self._ask("GET", "faults"))["faults"])

    async def change(self, change: Mapping[str, Any]) -> None:
        """Change the world behind everybody's back."""
        await self._ask("PATCH", "state", change)

    async def add_fault(self, fault: Mapping[str, Any]) -> None:
        """Set a fault behind those that are there."""
        await self._ask("POST", "faults", fault)

    async def clear_faults(self) -> None:
        """From now on everything is answered as it should be."""
        await self._ask("DELETE", "faults")

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = await self._client.request(method, path, json=body)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            said = error.response.text[:500]
            raise DemoError(f"The simulator refused {method} /_simulator/{path}: {said}") from error
        except httpx.HTTPError as error:
            raise DemoError(f"The simulator did not answer {method} /_simulator/{path}: {error}") from error
        content: dict[str, Any] = answer.json()
        return content
