"""Ctrl-C, SIGTERM and a closed terminal, each of which ends a run cleanly at any moment.

While asyncio runs, a signal cancels the run at its next wait, once; while everything is being stopped it does
nothing more. Before that (binaries are downloaded or built) a signal is a KeyboardInterrupt.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns signals into the cancellation of one task."""

    def __init__(self, on_signal: Callable[[], None]) -> None:
        """Call it in the task that is to be cancelled; `on_signal` tells the person that the signal was heard."""
        self._tell = on_signal
        self._task = asyncio.current_task()
        self._is_over = False
        self._asked = asyncio.Event()
        self._is_expected = False
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)

    def ignore(self) -> None:
        """From here on everything is being stopped anyway."""
        self._is_over = True

    async def expected(self) -> None:
        """Wait for one, as for the end that was announced."""
        self._is_expected = True
        await self._asked.wait()

    def _on_signal(self) -> None:
        if self._is_over or self._asked.is_set():
            return
        self._asked.set()
        self._tell()
        if not self._is_expected and self._task is not None:
            self._task.cancel()


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """While the block runs, each of the signals is a KeyboardInterrupt."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
