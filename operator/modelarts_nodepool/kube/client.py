"""ports.Cluster over HTTP: lists, reads, JSON patches and creations, each bounded in time.

Called by controllers/ and by the recorder in kube/events.py. It decides nothing and writes only what it is given;
a write is never repeated.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from modelarts_nodepool import settings
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.response import drop_managed_fields, to_error, to_object
from modelarts_nodepool.logs import clean

T = TypeVar("T")
Body = Mapping[str, Any]

_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"
_METADATA = f"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,{_JSON}"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_NO_SUCCESS = 300
_ASKS_FOR_PATIENCE = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class KubeCluster:
    """The API server behind a connection.

    `timeout` bounds each request, its one wait after a 429 included; a list is bounded page by page.
    """

    def __init__(self, connection: Connection, timeout: timedelta = settings.KUBE_TIMEOUT) -> None:
        self._connection = connection
        self._timeout = timeout

    async def get(self, path: str) -> Body:
        """One object. Also /version and the like."""
        return await self._read(path, {}, _JSON)

    async def get_metadata(self, path: str) -> Body:
        """The same with nothing but `metadata`, where the API server can: nobody needs what a Secret holds."""
        return await self._read(path, {}, _METADATA)

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        """All items, without managedFields, as of one moment not before the call.

        Each is converted as its page arrives: whole bodies of 10,000 objects are 100 MB.
        """
        return await self._list(path, convert, _JSON)

    async def list_metadata(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        """The same with nothing but `metadata` in each item: what a sweep needs."""
        return await self._list(path, convert, _METADATA_LIST)

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        """The object after the patch; errors.ObjectChanged where a `test` in it failed."""
        return await self._send("PATCH", path, patch, _JSON_PATCH)

    async def create(self, path: str, body: Body) -> Body:
        """The object created; errors.ObjectChanged where its name is taken."""
        return await self._send("POST", path, body, _JSON)

    async def replace(self, path: str, body: Body) -> Body:
        """Replace the version that `body` carries; errors.ObjectChanged where another stands by now."""
        return await self._send("PUT", path, body, _JSON)

    async def _list(self, path: str, convert: Callable[[Body], T], accept: str) -> list[T]:
        try:
            return await self._list_once(path, convert, accept)
        except ClusterError as error:
            # The continue token outlived etcd's history. What was read so far is of an older moment: begin anew.
            if error.status != HTTPStatus.GONE:
                raise
        return await self._list_once(path, convert, accept)

    async def _list_once(self, path: str, convert: Callable[[Body], T], accept: str) -> list[T]:
        items: list[T] = []
        query = {"limit": str(settings.KUBE_PAGE_SIZE)}
        while True:
            # No resourceVersion: the answer is then as fresh as etcd, never a stale cache.
            page = await self._read(path, query, accept)
            found = page.get("items")
            # Go writes an empty list as null.
            for body in _checked(path, [] if found is None else found):
                drop_managed_fields(body)
                items.append(convert(body))
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    async def _read(self, path: str, query: Mapping[str, str], accept: str) -> Body:
        url = URL(self._connection.server + path, encoded=True).update_query(query)
        return await self._request("GET", path, url, headers={"Accept": accept})

    async def _send(self, method: str, path: str, content: Any, content_type: str) -> Body:  # noqa: ANN401 - JSON
        url = URL(self._connection.server + path, encoded=True)
        headers = {"Accept": _JSON, "Content-Type": content_type}
        return await self._request(method, path, url, headers=headers, json=content)

    async def _request(self, method: str, path: str, url: URL, **options: Any) -> Body:  # noqa: ANN401 - aiohttp's
        call = f"{method} {path.partition('?')[0]}"
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                status, body, retry_after = await self._exchange(method, url, options)
                if status == HTTPStatus.TOO_MANY_REQUESTS and method == "GET":
                    await asyncio.sleep(min(retry_after, settings.KUBE_RETRY_AFTER_LIMIT.total_seconds()))
                    status, body, retry_after = await self._exchange(method, url, options)
        except TimeoutError:
            seconds = self._timeout.total_seconds()
            raise ClusterUnavailable(f"No answer to {call} within {seconds:g} s.") from None
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError is aiohttp's word for a session that was closed meanwhile.
            raise ClusterUnavailable(
                f"The API server at {self._connection.server} did not answer {call} ({_in_words(error)}): "
                "see kubectl cluster-info."
            ) from error
        if status >= _NO_SUCCESS:
            failure = to_error(call, status, body)
            failure.retry_after = timedelta(seconds=retry_after) if status in _ASKS_FOR_PATIENCE else None
            raise failure
        return to_object(call, body)

    async def _exchange(self, method: str, url: URL, options: Any) -> tuple[int, bytes, float]:  # noqa: ANN401 - aiohttp's
        session = self._connection.session
        async with session.request(method, url, allow_redirects=False, **options) as response:
            body = await response.read()
            return response.status, body, _to_seconds(response.headers.get("Retry-After"))


def _in_words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        # Its own words hold the proxy's URL, and that may hold a password.
        return f"the proxy before it answered {error.status} {clean(error.message)}".rstrip()
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy before it, {error.host}:{error.port}, cannot be reached: {clean(str(error.os_error))}"
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its own words name an SSLContext by its address in memory, which no two processes have in common.
        return f"{type(error).__name__}: {clean(str(error.os_error))}"
    return f"{type(error).__name__}: {clean(str(error))}" if str(error) else type(error).__name__


def _checked(path: str, items: Any) -> Sequence[Body]:  # noqa: ANN401 - whatever the answer held
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    raise ClusterUnavailable(f"The API server's answer to GET {path} holds no list of objects.")


def _to_seconds(retry_after: str | None) -> float:
    """The wait that a 429 or 503 asks for; one second where it does not say."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
