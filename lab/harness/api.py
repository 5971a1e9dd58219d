"""The API server as an administrator uses it: less than kubectl costs, which is a process a call.

aiohttp, because load and operator share the machine in the bench: what the load spends is missing there.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from lab.controlplane import ControlPlane
from lab.harness.failures import ApiError
from modelarts_nodepool.api.names import ACCOUNT_PLURAL, API_VERSION, NODE_POOL_PLURAL

Body = dict[str, Any]

GROUP_PATH = f"/apis/{API_VERSION}"
ACCOUNTS = f"{GROUP_PATH}/{ACCOUNT_PLURAL}"
NODE_POOLS = f"{GROUP_PATH}/{NODE_POOL_PLURAL}"
NAMESPACES = "/api/v1/namespaces"
EVENTS = "/api/v1/events"

MERGE, JSON_PATCH, APPLY = (
    f"application/{kind}" for kind in ("merge-patch+json", "json-patch+json", "apply-patch+yaml")
)
REQUEST_SECONDS = 60.0
# The API server answers 429 while it builds the storage of a kind anew, as it does when a CRD has changed.
BUSY_SECONDS = 240.0
PAUSE_SECONDS = 0.3
PAGE = 500
# A server that has just been started refuses for a moment what it allows later.
_WHILE_STARTING = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


def node_pools_in(namespace: str) -> str:
    """All node pool objects of a namespace."""
    return f"{GROUP_PATH}/namespaces/{namespace}/{NODE_POOL_PLURAL}"


def secrets_in(namespace: str) -> str:
    """All Secrets of a namespace."""
    return f"{NAMESPACES}/{namespace}/secrets"


def events_in(namespace: str) -> str:
    """All Events of a namespace."""
    return f"{NAMESPACES}/{namespace}/events"


class Api:
    """Reads and writes. A refusal raises ApiError, where the method does not say otherwise.

    With `outage_seconds`, a call is repeated for so long while the server is down or starting. A creation then takes
    "exists already" for success: the call before may have done it. `at_once` limits the connections.
    """

    def __init__(self, plane: ControlPlane, outage_seconds: float = 0.0, at_once: int = 100) -> None:
        self._server = plane.server
        self._token = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]["token"]
        self._authority = (plane.folder / "certificates" / "apiserver.crt").read_text()
        self._outage = outage_seconds
        self._at_once = at_once
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        tls = ssl.create_default_context(cadata=self._authority)
        self._session = aiohttp.ClientSession(
            self._server,
            connector=aiohttp.TCPConnector(limit=self._at_once, ssl=tls),
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
        )
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> Body | None:
        """None where it is not there."""
        return await self._ask("GET", path, but=HTTPStatus.NOT_FOUND)

    async def items(self, path: str, page: int = PAGE) -> list[Body]:
        """All that a LIST shows, page by page; nothing where the kind is not served."""
        found: list[Body] = []
        token = ""
        mark = "&" if "?" in path else "?"
        while (read := await self.get(f"{path}{mark}limit={page}&continue={token}")) is not None:
            found += read["items"] or []
            token = read["metadata"].get("continue", "")
            if not token:
                break
        return found

    async def create(self, path: str, body: Mapping[str, Any]) -> Body | None:
        """The object as it was stored; None where it exists already and outages are survived."""
        return await self._ask("POST", path, body, but=HTTPStatus.CONFLICT if self._outage else None)

    async def replace(self, path: str, body: Mapping[str, Any]) -> Body:
        """PUT."""
        return _required(await self._ask("PUT", path, body))

    async def merge(self, path: str, patch: Mapping[str, Any]) -> Body | None:
        """None where it is not there to be patched."""
        return await self._ask("PATCH", path, patch, but=HTTPStatus.NOT_FOUND, kind=MERGE)

    async def merge_if_unchanged(self, path: str, patch: Mapping[str, Any]) -> bool:
        """For a patch that carries a resourceVersion; False where another version is stored."""
        return await self._ask("PATCH", path, patch, but=HTTPStatus.CONFLICT, kind=MERGE) is not None

    async def json_patch(self, path: str, patches: list[dict[str, Any]], manager: str) -> Body:
        """With a field manager."""
        return _required(await self._ask("PATCH", f"{path}?fieldManager={manager}", patches, kind=JSON_PATCH))

    async def apply(self, path: str, body: Mapping[str, Any], manager: str) -> Body:
        """Server-side apply with force, as GitOps tools do it."""
        return _required(await self._ask("PATCH", f"{path}?fieldManager={manager}&force=true", body, kind=APPLY))

    async def delete(self, path: str) -> None:
        """An object with finalizers stays. Nothing happens where it is not there."""
        await self._ask("DELETE", path, but=HTTPStatus.NOT_FOUND)

    async def _ask(
        self, method: str, path: str, body: object = None, *, but: HTTPStatus | None = None, kind: str | None = None
    ) -> Body | None:
        """None where the answer is the refusal that is expected."""
        began = time.monotonic()
        headers = {"Content-Type": kind} if kind else None
        while True:
            try:
                async with self._session.request(method, path, json=body, headers=headers) as answer:
                    if answer.status == but:
                        return None
                    if answer.ok:
                        content: Body = await answer.json()
                        return content
                    text = await answer.text()
                    said = f"{answer.status} {text[:1000]}"
                    seconds = self._patience_with(answer.status)
            except (aiohttp.ClientError, TimeoutError) as error:
                text, said, seconds = "", f"no answer ({type(error).__name__}: {error})", self._outage
            if time.monotonic() - began >= seconds:
                raise ApiError(f"The API server did not do {method} {path}: {said}", text)
            await asyncio.sleep(PAUSE_SECONDS)

    def _patience_with(self, status: int) -> float:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return max(BUSY_SECONDS, self._outage)
        is_starting = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WHILE_STARTING
        return self._outage if is_starting else 0.0


def _required(body: Body | None) -> Body:
    if body is None:
        raise ApiError("The API server answered with nothing.")
    return body
