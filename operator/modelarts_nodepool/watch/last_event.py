"""When the watches last said anything: objects, bookmarks, or that a stream began.

kopf keeps bookmarks to itself, so this listens where they come in: as a middleware of the HTTP session that kopf
was given. Used by watch/kopf_runner.py; asked for by the supervisor and, from the HTTP server's thread, for health
and metrics.
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, StreamReader

from modelarts_nodepool.kube import paths
from modelarts_nodepool.ports import Clock

_WATCHED = (paths.NODE_POOLS, paths.ACCOUNTS, paths.NAMESPACES)


class Hearing:
    """One for all lives of the watch."""

    def __init__(self, clock: Clock) -> None:
        """Nothing was heard yet; silence counts from now."""
        self._clock = clock
        self._heard_at = dict.fromkeys(_WATCHED, clock.monotonic())

    def heard_at(self) -> dict[str, float]:
        """When each of the watches last said anything (monotonic seconds), by the path that it lists."""
        return dict(self._heard_at)

    def silence(self) -> timedelta:
        """How long the quietest of the watches has not said anything. From any thread."""
        return timedelta(seconds=self._clock.monotonic() - min(tuple(self._heard_at.values())))

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Called by aiohttp for every request of kopf's session."""
        response = await handler(request)
        for path in _WATCHED:
            if request.url.path.endswith(path) and response.status == HTTPStatus.OK:
                self._hear(path)
                # The attribute is public, and kopf reads a stream by nothing but its chunks.
                response.content = _Overheard(response.content, lambda path=path: self._hear(path))  # type: ignore[misc,assignment]
        return response

    def _hear(self, path: str) -> None:
        self._heard_at[path] = self._clock.monotonic()


class _Overheard:
    """A stream whose chunks are noticed as they are read."""

    def __init__(self, content: StreamReader, on_chunk: Callable[[], None]) -> None:
        self._content = content
        self._on_chunk = on_chunk

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._content.iter_chunked(size):
            self._on_chunk()
            yield chunk

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a stream can
        return getattr(self._content, name)
