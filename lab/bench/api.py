"""The API server as a person with a script uses it: sixteen requests at a time, and as cheap as can be.

Load and operator share the machine: what is spent here is missing there.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from lab.bench.scale import Place
from lab.controlplane import ControlPlane
from lab.demo.failures import DemoError
from modelarts_nodepool.api.names import (
    ACCOUNT_PLURAL,
    API_VERSION,
    NODE_POOL_KIND,
    NODE_POOL_PLURAL,
    RECONCILE_ANNOTATION,
)

ACCOUNTS = f"/apis/{API_VERSION}/{ACCOUNT_PLURAL}"
NODE_POOLS = f"/apis/{API_VERSION}/{NODE_POOL_PLURAL}"
NAMESPACES = "/api/v1/namespaces"
NOT_FOUND = 404
MERGE_PATCH = "application/merge-patch+json"
AT_ONCE = 16
PAGE = 500

Body = dict[str, Any]


def path_of(place: Place) -> str:
    """Of one object."""
    return f"{objects_in(place.namespace)}/{place.name}"


def objects_in(namespace: str) -> str:
    """Of all objects of a namespace."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{NODE_POOL_PLURAL}"


class Api:
    """An administrator's connection."""

    def __init__(self, plane: ControlPlane) -> None:
        """Needs a running event loop."""
        token = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]["token"]
        authority = plane.folder / "certificates" / "apiserver.crt"
        self._session = aiohttp.ClientSession(
            plane.server,
            connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=ssl.create_default_context(cadata=authority.read_text())),
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=60),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def create(self, path: str, body: Body) -> None:
        """POST; refusals raise."""
        await self._ask("POST", path, json=body)

    async def create_object(self, place: Place) -> None:
        """A ModelArtsNodePool."""
        body = {
            "apiVersion": API_VERSION,
            "kind": NODE_POOL_KIND,
            "metadata": {"name": place.name, "namespace": place.namespace},
            "spec": {"accountRef": {"name": place.account}, "poolName": place.resource_pool},
        }
        await self.create(objects_in(place.namespace), body)

    async def delete_object(self, place: Place) -> None:
        """As kubectl delete does."""
        await self._ask("DELETE", path_of(place))

    async def look_again(self, place: Place, value: str) -> None:
        """As kubectl annotate does: what stands in the way of this deletion is mended. It may be gone meanwhile."""
        body = {"metadata": {"annotations": {RECONCILE_ANNOTATION: value}}}
        headers = {"Content-Type": MERGE_PATCH}
        await self._ask("PATCH", path_of(place), may_be=NOT_FOUND, json=body, headers=headers)

    async def items(self, path: str) -> list[Body]:
        """All items, page by page."""
        found: list[Body] = []
        token = ""
        while True:
            page = await self._ask("GET", path, params={"limit": str(PAGE), "continue": token})
            found += page["items"] or []
            token = page["metadata"].get("continue", "")
            if not token:
                return found

    async def _ask(self, method: str, path: str, *, may_be: int = 0, **options: Any) -> Body:  # noqa: ANN401 - aiohttp's
        async with self._session.request(method, path, **options) as answer:
            if answer.status >= 400 and answer.status != may_be:
                said = (await answer.text())[:300]
                raise DemoError(f"The API server answered {answer.status} to {method} {path}: {said}")
            body: Body = await answer.json()
            return body


async def at_once(work: Callable[[Place], Awaitable[None]], places: Iterable[Place]) -> None:
    """Do it for all, sixteen at a time; the first error ends all."""
    left = iter(places)

    async def worker() -> None:
        for place in left:
            await work(place)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
