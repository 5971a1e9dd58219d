"""What reached the stand-in cloud, asked of it by HTTP, and questions about it."""

from collections.abc import Iterable
from typing import NamedTuple

import aiohttp

from lab.bench.scale import PROJECT_ID

LIST, DELETE = "list_node_pools", "delete_node_pool"


class Call(NamedTuple):
    """One call. `time` is wall time in seconds when it came in; `status` is what was answered."""

    time: float
    operation: str
    resource_pool: str
    node_pool: str
    status: int


class CloudLog:
    """The calls until now; asking again fetches what is new."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._calls: list[Call] = []

    async def read(self) -> list[Call]:
        """All calls in the order in which they came."""
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            url = f"{self._endpoint}/_bench/calls?from={len(self._calls)}"
            async with session.get(url) as answer:
                self._calls += [Call(*call) for call in await answer.json(content_type=None)]
        return list(self._calls)

    async def put_node_pool(self, resource_pool: str, name: str) -> None:
        """Let a node pool be there, with all its nodes available."""
        await self._put(f"node-pools/{resource_pool}/{name}")

    async def fail(self, operation: str, status: int, times: int) -> None:
        """Let the next calls of this operation fail."""
        await self._put(f"faults/{operation}/{status}/{times}")

    async def delete_node_pool(self, resource_pool: str, name: str) -> None:
        """Delete a node pool as somebody else would; its nodes are deleting at once."""
        url = f"{self._endpoint}/v2/{PROJECT_ID}/pools/{resource_pool}/nodepools/{name}"
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.delete(url):
            return

    async def _put(self, path: str) -> None:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.put(f"{self._endpoint}/_bench/{path}"),
        ):
            return


def since(calls: Iterable[Call], moment: float) -> list[Call]:
    """Those that came at this moment or later."""
    return [call for call in calls if call.time >= moment]
