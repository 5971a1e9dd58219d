"""Waits that give up."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from lab.harness.failures import LabError

T = TypeVar("T")
LOOK_SECONDS = 0.05


async def until(question: Callable[[], T | None], seconds: float, what: str) -> T:
    """The first answer that is not None; LabError without one in time."""
    deadline = time.monotonic() + seconds
    while (answer := question()) is None:
        if time.monotonic() > deadline:
            raise LabError(f"Not within {seconds:g} s: {what}.")
        await asyncio.sleep(LOOK_SECONDS)
    return answer
