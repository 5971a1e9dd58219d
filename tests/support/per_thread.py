"""An httpx.Client for each thread: one that is shared now and then reads from a connection another thread closed."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx


class PerThread:
    """Makes a client where a thread has none yet; closes all of them in the end."""

    def __init__(self, make: Callable[[], httpx.Client]) -> None:
        self._make = make
        self._local = threading.local()
        self._made: list[httpx.Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._made:
            client.close()

    def __call__(self) -> httpx.Client:
        client: httpx.Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._make()
            self._made.append(client)
        return client
