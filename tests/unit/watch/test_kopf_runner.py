"""Importing kopf, and closing its event loop."""

import asyncio
import logging
import subprocess
import sys
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


def test_the_official_client_is_not_loaded_with_kopf() -> None:
    code = (
        "import sys\n"
        "from modelarts_nodepool.watch import kopf_runner\n"
        "assert 'kopf' in sys.modules and kopf_runner\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'kubernetes']\n"
        "import kubernetes\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stderr
