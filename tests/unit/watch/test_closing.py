"""The end of the event loop that kopf runs in."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from modelarts_nodepool.watch.kopf_runner import close

_kept: list[AsyncGenerator[int]] = []


async def a_stream_that_will_not_end() -> AsyncGenerator[int]:
    try:
        yield 1
    finally:
        yield 2


async def begin() -> None:
    stream = a_stream_that_will_not_end()
    _kept.append(stream)
    assert await anext(stream) == 1


def test_a_stream_that_complains_at_the_end_is_no_error_of_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    with caplog.at_level(logging.DEBUG):
        close(loop)
    assert loop.is_closed()
    told = [record for record in caplog.records if "asynchronous generator" in record.getMessage()]
    assert [record.levelno for record in told] == [logging.DEBUG]
