"""The life of a control plane as a context manager, plain and asynchronous, safe to cancel at any moment."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar


class Running(Protocol):
    """Something that runs until it is stopped."""

    def raise_if_ended(self) -> None:
        """Raise when it ended by itself."""

    def stop(self) -> None:
        """End it; safe to call again."""


R = TypeVar("R", bound=Running)


class Starting(Generic[R]):
    """Starts on entry and stops on exit. `launch` is given an event that is set when nobody wants it any more."""

    def __init__(self, launch: Callable[[threading.Event], R]) -> None:
        self._launch = launch
        self._running: R | None = None

    def __enter__(self) -> R:
        """Start in this thread and wait until it is ready."""
        self._running = self._launch(threading.Event())
        return self._running

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop; when a server had ended by itself, that is the error to tell."""
        self._finish(error)

    async def __aenter__(self) -> R:
        """Start in a thread; when cancelled meanwhile, nothing is left running."""
        abandoned = threading.Event()
        launching = asyncio.ensure_future(asyncio.to_thread(self._launch, abandoned))
        try:
            await _to_the_end(launching, abandoned.set)
        except asyncio.CancelledError:
            if not launching.exception():
                await _to_the_end(asyncio.ensure_future(asyncio.to_thread(launching.result().stop)))
            raise
        self._running = launching.result()
        return self._running

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop; when a server had ended by itself, that is the error to tell."""
        finishing = asyncio.ensure_future(asyncio.to_thread(self._finish, error))
        await _to_the_end(finishing)
        finishing.result()

    def _finish(self, error: BaseException | None) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        try:
            if error is None or isinstance(error, Exception):
                running.raise_if_ended()
        finally:
            running.stop()


async def _to_the_end(work: asyncio.Future[Any], on_cancel: Callable[[], None] = lambda: None) -> None:
    """Wait for a thread's work even when cancelled, as often as it takes; only then pass the cancelling on.

    Who goes on earlier removes the folder under the servers' feet.
    """
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    if cancelled is not None:
        raise cancelled
