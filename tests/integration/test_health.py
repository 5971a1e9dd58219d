"""The operator's own HTTP server, over a socket."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest

from modelarts_nodepool.engine.health import STUCK_SECONDS, Health, HealthServer, Heartbeat
from modelarts_nodepool.errors import SettingsError
from tests.support.clocks import HandClock

PAGES = ("livez", "readyz", "metrics")


def says(*problems: str, role: str = "leader") -> Callable[[], Health]:
    return lambda: Health(role, problems)


@asynccontextmanager
async def serving(
    livez: Callable[[], Health], readyz: Callable[[], Health], metrics: Callable[[], str] | None = None
) -> AsyncIterator[HealthServer]:
    server = HealthServer("127.0.0.1", 0, livez=livez, readyz=readyz, metrics=metrics)
    await server.start()
    yield server
    await server.stop()


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await (answer.json() if is_json else answer.text())


async def test_all_well_is_200_and_trouble_503_with_its_words() -> None:
    async with serving(says(), says("the watch is silent", role="standby")) as server:
        assert await get(f"{server.url}/livez") == (200, {"ok": True, "role": "leader", "problems": []})
        assert await get(f"{server.url}/readyz") == (
            503,
            {"ok": False, "role": "standby", "problems": ["the watch is silent"]},
        )


async def test_each_request_asks_anew() -> None:
    problems: list[str] = []
    async with serving(lambda: Health("leader", tuple(problems)), says()) as server:
        assert (await get(f"{server.url}/livez"))[0] == 200
        problems.append("blind")
        assert (await get(f"{server.url}/livez"))[0] == 503


async def test_metrics_are_served_where_there_are_any() -> None:
    async with serving(says(), says(), lambda: "leader 1\n") as server:
        assert await get(f"{server.url}/metrics") == (200, "leader 1\n")
    async with serving(says(), says()) as server:
        assert (await get(f"{server.url}/metrics"))[0] == 404


async def test_the_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(says(), says()) as server:
        assert f"http server listening on {server.url}" in caplog.text
        assert server.url.startswith("http://127.0.0.1:")


async def test_a_port_in_use_names_the_flag_to_change() -> None:
    async with serving(says(), says()) as server:
        port = int(server.url.rpartition(":")[2])
        second = HealthServer("127.0.0.1", port, livez=says(), readyz=says())
        with pytest.raises(SettingsError, match="--http-port"):
            await second.start()
        await second.stop()


async def test_an_address_that_is_not_ours_names_the_flag_to_change() -> None:
    server = HealthServer("192.0.2.1", 0, livez=says(), readyz=says())
    with pytest.raises(SettingsError, match="--http-host"):
        await server.start()


async def test_the_port_is_free_again_after_the_stop() -> None:
    async with serving(says(), says()) as server:
        url = server.url
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(f"{url}/livez")
    again = HealthServer("127.0.0.1", int(url.rpartition(":")[2]), livez=says(), readyz=says())
    await again.start()
    await again.stop()


async def test_all_pages_answer_while_the_event_loop_is_busy() -> None:
    async with serving(says(), says(), lambda: "leader 1\n") as server:

        def ask_all() -> list[int]:
            return [httpx.get(f"{server.url}/{page}", trust_env=False).status_code for page in PAGES]

        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(ask_all)
            # Nothing else gets a turn in this event loop until the answers are in.
            assert answers.result(timeout=10) == [200, 200, 200]


async def test_a_heartbeat_that_stops_is_a_problem_and_one_that_beats_is_none() -> None:
    clock = HandClock()
    heartbeat = Heartbeat(clock)
    beating = asyncio.create_task(heartbeat.run())
    await asyncio.sleep(0)
    clock.seconds += STUCK_SECONDS
    assert heartbeat.problems() == ()
    clock.seconds += 1
    assert heartbeat.problems() == (f"the event loop has not turned for {STUCK_SECONDS + 1:.0f} s",)
    beating.cancel()
