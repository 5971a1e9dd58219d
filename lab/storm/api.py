"""The API server as the storm's people use it. Every call is repeated while the server is down.

acting.py changes objects with it, watching.py and performance.py read. Calls can be repeated: creations take
"exists already" for success, deletions "not found".
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from lab.controlplane import ControlPlane
from lab.demo.failures import DemoError
from modelarts_nodepool.api.names import ACCOUNT_PLURAL, API_VERSION, NODE_POOL_PLURAL

Body = dict[str, Any]
GROUP_PATH = f"/apis/{API_VERSION}"
ACCOUNTS = f"{GROUP_PATH}/{ACCOUNT_PLURAL}"
NODE_POOLS = f"{GROUP_PATH}/{NODE_POOL_PLURAL}"
NAMESPACES = "/api/v1/namespaces"
EVENTS = "/api/v1/events"
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.3
MERGE = {"Content-Type": "application/merge-patch+json"}


def node_pool_path(namespace: str, name: str = "") -> str:
    """One object, or all of a namespace."""
    where = f"{GROUP_PATH}/namespaces/{namespace}/{NODE_POOL_PLURAL}"
    return f"{where}/{name}" if name else where


class Api:
    """Reads and writes of an administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        user = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]
        authority = plane.folder / "certificates" / "apiserver.crt"
        self._client = httpx.AsyncClient(
            base_url=plane.server,
            verify=ssl.create_default_context(cadata=authority.read_text()),
            headers={"Authorization": f"Bearer {user['token']}"},
            trust_env=False,
            timeout=10,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Body | None:
        """None where it is not there."""
        return await self._ask("GET", path, fine=HTTPStatus.NOT_FOUND)

    async def items(self, path: str) -> list[Body]:
        """All that a LIST shows."""
        found = await self.get(path)
        return list(found["items"]) if found else []

    async def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Make it, unless it is there."""
        await self._ask("POST", path, body, fine=HTTPStatus.CONFLICT)

    async def merge(self, path: str, patch: Mapping[str, Any]) -> bool:
        """Whether it was there to be patched."""
        return await self._ask("PATCH", path, patch, fine=HTTPStatus.NOT_FOUND, headers=MERGE) is not None

    async def merge_if_unchanged(self, path: str, patch: Mapping[str, Any]) -> bool:
        """The same for a patch that carries a resourceVersion; False where another version stands."""
        return await self._ask("PATCH", path, patch, fine=HTTPStatus.CONFLICT, headers=MERGE) is not None

    async def delete(self, path: str) -> None:
        """Ask for it; it stays while it has finalizers."""
        await self._ask("DELETE", path, fine=HTTPStatus.NOT_FOUND)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        fine: int,
        headers: Mapping[str, str] | None = None,
    ) -> Body | None:
        """None where the answer is the error that is fine."""
        began = time.monotonic()
        while True:
            try:
                answer = await self._client.request(method, path, json=body, headers=headers)
            except httpx.HTTPError as error:
                said = f"no answer ({type(error).__name__})"
            else:
                if answer.status_code == fine:
                    return None
                if answer.is_success:
                    content: Body = answer.json()
                    return content
                said = f"{answer.status_code} {answer.text[:500]}"
                if answer.is_client_error and answer.status_code not in {
                    HTTPStatus.TOO_MANY_REQUESTS,
                    HTTPStatus.UNAUTHORIZED,
                    HTTPStatus.FORBIDDEN,
                }:
                    raise DemoError(f"The API server refused {method} {path}: {said}")
            # A server that has just been started refuses a moment what it will allow.
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise DemoError(f"The API server did not do {method} {path} within {PATIENCE_SECONDS:g} s: {said}")
            await asyncio.sleep(PAUSE_SECONDS)
