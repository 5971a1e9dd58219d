"""A TCP proxy on loopback whose connections can die without a word, as behind a firewall that forgot them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from tests.support.limits import HANGING_SECONDS

_CHUNK = 65536


class Proxy:
    """Forwards to one address until told to stop forwarding. It never closes what it has frozen."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._flowing: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_frozen = False
        self.port = 0
        self.accepted = 0

    @classmethod
    @contextmanager
    def to(cls, host: str, port: int) -> Iterator["Proxy"]:
        """Listen until the block ends."""
        proxy = cls(host, port)
        proxy._thread.start()
        server = asyncio.run_coroutine_threadsafe(proxy._listen(), proxy._loop).result(HANGING_SECONDS)
        try:
            yield proxy
        finally:
            asyncio.run_coroutine_threadsafe(proxy._stop(server), proxy._loop).result(HANGING_SECONDS)
            proxy._loop.call_soon_threadsafe(proxy._loop.stop)
            proxy._thread.join(HANGING_SECONDS)
            proxy._loop.close()

    def kubeconfig(self, original: Path, copy: Path) -> Path:
        """The same kubeconfig, through this proxy."""
        content = yaml.safe_load(original.read_text())
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        copy.write_text(yaml.safe_dump(content))
        copy.chmod(0o600)
        return copy

    def freeze_open_ones(self) -> None:
        """Every connection that is open now carries nothing any more, for ever; new ones work."""
        self._tell(self._stop_flowing)

    def freeze(self) -> None:
        """The same, and new ones are accepted and carry nothing either."""
        self._is_frozen = True
        self.freeze_open_ones()

    def thaw(self) -> None:
        """New connections work again."""
        self._is_frozen = False

    def _stop_flowing(self) -> None:
        for flowing in self._flowing:
            flowing.clear()

    def _tell(self, what: Callable[[], None]) -> None:
        async def tell() -> None:
            what()

        asyncio.run_coroutine_threadsafe(tell(), self._loop).result(HANGING_SECONDS)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        flowing = asyncio.Event()
        if not self._is_frozen:
            flowing.set()
        self._flowing.add(flowing)
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection(*self._target)
            await asyncio.gather(_pump(reader, far, flowing), _pump(far_reader, writer, flowing))
        except (OSError, asyncio.CancelledError):
            # Cancelled by `_stop` alone, which waits for this to end.
            pass
        finally:
            self._flowing.discard(flowing)
            self._tasks.discard(task)
            for end in (writer, far):
                if end is not None:
                    with suppress(OSError):
                        end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
    """One direction, until it ends; the end of one direction is passed on like data."""
    while data := await reader.read(_CHUNK):
        await flowing.wait()
        writer.write(data)
        await writer.drain()
    await flowing.wait()
    # Both directions end together: HTTP over TLS has no use for a half-closed connection.
    raise ConnectionResetError
