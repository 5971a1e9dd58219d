"""The simulator as a process, and its control endpoint: the cloud's own record, and a hand on its world.

Nothing here is signed, and nothing goes through the operator: what a caller learns is the cloud's own word.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from lab.controlplane.child import Child
from lab.harness.failures import LabError

LIST_NODE_POOLS, SHOW_NODE_POOL = "list_node_pools", "show_node_pool"
DELETE_NODE_POOL, DELETE_POOL = "delete_node_pool", "delete_pool"
ACCEPTED, VALID = "accepted", "valid"
REQUEST_SECONDS = 240.0
_HELLO = re.compile(r"^\{.*\}$", re.MULTILINE)

State = dict[tuple[str, str], dict[str, int]]


def start_simulator(folder: Path, scenario: Mapping[str, Any]) -> Child:
    """Start it with this world. It serves as soon as `read_hello` finds its first line."""
    path = folder / "scenario.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(dict(scenario), sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "lab.simulator", "--scenario", str(path)]
    return Child("the simulator", command, folder / "simulator.log", folder)


def read_hello(simulator: Child) -> dict[str, str] | None:
    """Its first line: endpoint, region, projectId, accessKey, secretKey. None where it does not serve yet."""
    simulator.raise_if_ended()
    found = _HELLO.search(simulator.log.read_text(encoding="utf-8"))
    if found is None:
        return None
    hello: dict[str, str] = json.loads(found[0])
    return hello


@dataclass(frozen=True)
class Call:
    """One request that reached the simulator. `time` is in seconds since 1970; `status` 0 means: not answered."""

    number: int
    time: float
    operation: str
    resource_pool: str
    node_pool: str
    status: int
    effect: str
    signature: str = VALID
    error: str = ""
    fault: str = ""
    request_id: str = ""

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
            signature=report["signature"],
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


class CloudControl:
    """Looks at the simulator and changes its world."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            f"{self.endpoint}/_simulator/", timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        )
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def reports(self, since: int = 0, operation: str | None = None) -> list[dict[str, Any]]:
        """The requests after number `since` as the simulator reports them, oldest first."""
        query = f"requests?since={since}" + (f"&operation={operation}" if operation else "")
        found: list[dict[str, Any]] = (await self._ask("GET", query))["requests"]
        return found

    async def calls(self, since: int = 0, operation: str | None = None) -> list[Call]:
        """The requests after number `since`, oldest first."""
        return [Call.from_report(report) for report in await self.reports(since, operation)]

    async def last_number(self) -> int:
        """The number of the newest request."""
        last: int = (await self._ask("GET", "requests?since=1000000000"))["last"]
        return last

    async def state(self) -> dict[str, Any]:
        """The whole world."""
        return await self._ask("GET", "state")

    async def node_pools(self) -> State:
        """The nodes by state of each node pool, by resource pool and name."""
        return {
            (resource_pool["name"], node_pool["name"]): {key: int(value) for key, value in node_pool["states"].items()}
            for resource_pool in (await self.state())["resourcePools"]
            for node_pool in resource_pool["nodePools"]
        }

    async def change(self, change: Mapping[str, Any]) -> None:
        """Merge into the state of the world."""
        await self._ask("PATCH", "state", change)

    async def applied_faults(self) -> int:
        """How many answers the faults that are set have changed."""
        return sum(fault["applied"] for fault in (await self._ask("GET", "faults"))["faults"])

    async def add_fault(self, fault: Mapping[str, Any]) -> None:
        """Behind those that are set."""
        await self._ask("POST", "faults", fault)

    async def clear_faults(self) -> None:
        """From now on each request gets its right answer."""
        await self._ask("DELETE", "faults")

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            async with self._session.request(method, path, json=body) as answer:
                if not answer.ok:
                    said = (await answer.text())[:500]
                    raise LabError(f"The simulator refused {method} /_simulator/{path}: {answer.status} {said}")
                content: dict[str, Any] = await answer.json(content_type=None)
                return content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LabError(f"The simulator did not answer {method} /_simulator/{path}: {error}") from error
