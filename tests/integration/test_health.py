"""The operator's own HTTP server, over a socket."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.server.http_server import STUCK_SECONDS, HealthServer, Heartbeat, listen_on_any_address
from modelarts_nodepool.settings import DEFAULT_HTTP_HOST
from modelarts_nodepool.watch.supervisor import Health
from tests.support.clocks import HandClock
from tests.support.limits import HANGING_SECONDS

PAGES = ("livez", "readyz", "metrics")


def says(*problems: str, role: str = "leader") -> Callable[[], Health]:
    return lambda: Health(role, problems)


@asynccontextmanager
async def serving(
    livez: Callable[[], Health], readyz: Callable[[], Health], metrics: Callable[[], str] = str
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


async def test_metrics_are_served_as_text() -> None:
    async with serving(says(), says(), lambda: "leader 1\n") as server:
        assert await get(f"{server.url}/metrics") == (200, "leader 1\n")


async def test_the_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(says(), says()) as server:
        assert f"http server listening on {server.url}" in caplog.text
        assert server.url.startswith("http://127.0.0.1:")


async def test_a_port_in_use_names_the_flag_to_change() -> None:
    async with serving(says(), says()) as server:
        port = int(server.url.rpartition(":")[2])
        second = HealthServer("127.0.0.1", port, livez=says(), readyz=says(), metrics=str)
        with pytest.raises(SettingsError, match="--http-port"):
            await second.start()
        await second.stop()


async def test_an_address_that_is_not_ours_names_the_flag_to_change() -> None:
    server = HealthServer("192.0.2.1", 0, livez=says(), readyz=says(), metrics=str)
    with pytest.raises(SettingsError, match="--http-host"):
        await server.start()


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
async def test_by_default_it_answers_over_both_families(address: str) -> None:
    server = HealthServer(DEFAULT_HTTP_HOST, 0, livez=says(), readyz=says(), metrics=lambda: "leader 1\n")
    await server.start()
    port = server.url.rpartition(":")[2]
    try:
        for page in PAGES:
            assert (await get(f"http://{address}:{port}/{page}"))[0] == 200
        # What is logged as its address can be asked as it stands.
        assert (await get(f"{server.url}/livez"))[0] == 200
    finally:
        await server.stop()


@pytest.mark.parametrize(("host", "answers"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])  # noqa: S104
async def test_a_host_that_is_named_is_the_only_one_that_answers(host: str, answers: str) -> None:
    server = HealthServer(host, 0, livez=says(), readyz=says(), metrics=str)
    await server.start()
    port = server.url.rpartition(":")[2]
    (silent,) = {"127.0.0.1", "[::1]"} - {answers}
    try:
        assert (await get(f"http://{answers}:{port}/livez"))[0] == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(f"http://{silent}:{port}/livez")
    finally:
        await server.stop()


def test_where_the_kernel_has_no_ipv6_it_listens_on_ipv4() -> None:
    def without_ipv6(address: tuple[str, int], *, family: int = socket.AF_INET, **more: Any) -> socket.socket:  # noqa: ANN401 - socket's
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return socket.create_server(address, **more)

    with listen_on_any_address(0, without_ipv6) as listening:
        assert listening.family == socket.AF_INET
        with socket.create_connection(("127.0.0.1", listening.getsockname()[1]), timeout=HANGING_SECONDS):
            pass


async def test_a_port_that_is_taken_in_one_family_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HealthServer(DEFAULT_HTTP_HOST, taken.getsockname()[1], livez=says(), readyz=says(), metrics=str)
        with pytest.raises(SettingsError, match="--http-port"):
            await server.start()


async def test_the_port_is_free_again_after_the_stop() -> None:
    async with serving(says(), says()) as server:
        url = server.url
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(f"{url}/livez")
    again = HealthServer("127.0.0.1", int(url.rpartition(":")[2]), livez=says(), readyz=says(), metrics=str)
    await again.start()
    await again.stop()


async def test_all_pages_answer_while_the_event_loop_is_busy() -> None:
    async with serving(says(), says(), lambda: "leader 1\n") as server:

        def ask_all() -> list[int]:
            return [httpx.get(f"{server.url}/{page}", trust_env=False).status_code for page in PAGES]

        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(ask_all)
            # Nothing else gets a turn in this event loop until the answers are in.
            assert answers.result(timeout=HANGING_SECONDS) == [200, 200, 200]


async def test_a_heartbeat_that_stops_is_a_problem_and_one_that_beats_is_none() -> None:
    clock = HandClock()
    heartbeat = Heartbeat(clock)
    beating = asyncio.create_task(heartbeat.run())
    await asyncio.sleep(0)
    clock.seconds += STUCK_SECONDS
    assert heartbeat.problems() == ()
    clock.seconds += 1
    assert heartbeat.problems() == (f"the event loop has been blocked for {STUCK_SECONDS + 1:.0f} s",)
    beating.cancel()
