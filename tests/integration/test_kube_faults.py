"""kube/ against an API server in trouble: a small stand-in on loopback that answers what the real one rarely does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import REQUESTS_AT_ONCE, Connection
from modelarts_nodepool.kube.kubeconfig import ClientConfig, User

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKEN = "stand-in-token"


@asynccontextmanager
async def answering(answer: Answer, patience: timedelta = timedelta(seconds=5)) -> AsyncIterator[KubeCluster]:
    """A cluster whose every request gets this answer."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with Connection(an_access(f"http://{host}:{port}"), "0") as connection:
        yield KubeCluster(connection, patience)
    await runner.cleanup()


def an_access(server: str) -> ClientConfig:
    return ClientConfig(server=server, source="a test", user=User.model_validate({"token": TOKEN}))


def a_status(code: int, reason: str, **headers: str) -> web.Response:
    body = {"kind": "Status", "message": reason, "reason": reason, "code": code}
    return web.json_response(body, status=code, headers=headers)


async def test_a_list_begins_anew_once_when_its_continue_token_has_expired() -> None:
    asked: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query.get("continue"))
        if len(asked) == 2:
            return a_status(410, "Expired")
        token = {"continue": "next page+/="} if asked[-1] is None else {}
        return web.json_response({"metadata": token, "items": [{"metadata": {"name": str(len(asked))}}]})

    async with answering(answer) as cluster:
        found = await cluster.list_as("/things", dict)
    assert asked == [None, "next page+/=", None, "next page+/="]
    assert [body["metadata"]["name"] for body in found] == ["3", "4"]


async def test_a_list_that_expires_twice_is_given_up() -> None:
    async def answer(_: web.Request) -> web.Response:
        return a_status(410, "Expired")

    async with answering(answer) as cluster:
        with pytest.raises(ClusterUnavailable, match="410"):
            await cluster.list_as("/things", dict)


@pytest.mark.parametrize("items", [None, []])
async def test_an_empty_list_may_be_null(items: list[object] | None) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": items})

    async with answering(answer) as cluster:
        assert await cluster.list_as("/things", dict) == []


@pytest.mark.parametrize("items", ["text", {"a": 1}, [1], [None]])
async def test_a_list_of_something_else_is_no_answer(items: object) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": items})

    async with answering(answer) as cluster:
        with pytest.raises(ClusterUnavailable, match="no list of objects"):
            await cluster.list_as("/things", dict)


async def throttling(method: str, retry_after: str = "0", times: int = 1) -> tuple[int, bool]:
    """How often a call is sent to a server that throttles it so many times, and whether it succeeds."""
    sent = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal sent
        sent += 1
        if sent <= times:
            return a_status(429, "TooManyRequests", **{"Retry-After": retry_after})
        return web.json_response({"metadata": {}})

    async with answering(answer, timedelta(seconds=1)) as cluster:
        try:
            await (cluster.get("/x") if method == "GET" else cluster.json_patch("/x", []))
        except ClusterUnavailable:
            return sent, False
    return sent, True


async def test_a_throttled_read_is_repeated_once() -> None:
    assert await throttling("GET") == (2, True)
    assert await throttling("GET", times=2) == (2, False)


async def test_a_throttled_write_is_never_repeated() -> None:
    assert await throttling("PATCH") == (1, False)


async def test_the_wait_that_a_throttling_server_asks_for_stays_within_the_deadline() -> None:
    assert await throttling("GET", retry_after="3600") == (1, False)


async def test_no_answer_in_time_is_unavailable() -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with answering(answer, timedelta(seconds=0.1)) as cluster:
        with pytest.raises(ClusterUnavailable, match=r"No answer to GET /x within 0.1 s") as failure:
            await cluster.get("/x?labelSelector=hidden")
    assert failure.value.status is None
    assert "hidden" not in str(failure.value)


async def test_waiting_for_earlier_requests_does_not_count_as_no_answer() -> None:
    at_once, most = 0, 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.1)
        at_once -= 1
        return web.json_response({"metadata": {}})

    # The last of them waits for three times as long as its own answer may take.
    async with answering(answer, timedelta(seconds=2)) as cluster:
        answers = await asyncio.gather(*(cluster.get(f"/{number}") for number in range(REQUESTS_AT_ONCE * 60)))
    assert len(answers) == REQUESTS_AT_ONCE * 60
    assert most == REQUESTS_AT_ONCE


async def test_a_broken_answer_is_unavailable() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"metadata":')
        assert request.transport
        request.transport.close()
        return response

    async with answering(answer) as cluster:
        with pytest.raises(ClusterUnavailable, match="kubectl cluster-info"):
            await cluster.json_patch("/x", [])


async def test_a_page_of_a_proxy_is_never_gone() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404, text="<html>nothing here</html>", content_type="text/html")

    async with answering(answer) as cluster:
        with pytest.raises(ClusterUnavailable, match="proxy"):
            await cluster.get("/x")


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with answering(answer) as cluster:
        with pytest.raises(ClusterUnavailable, match="307"):
            await cluster.json_patch("/x", [])
    assert asked == ["/x"]


async def test_no_server_at_all_is_unavailable(unused_tcp_port: int) -> None:
    async with Connection(an_access(f"http://127.0.0.1:{unused_tcp_port}"), "0") as connection:
        with pytest.raises(ClusterUnavailable, match="did not answer GET /version"):
            await KubeCluster(connection).get("/version")


async def test_what_is_said_of_a_server_that_is_not_there_names_no_object_in_memory(unused_tcp_port: int) -> None:
    async with Connection(an_access(f"https://127.0.0.1:{unused_tcp_port}"), "0") as connection:
        with pytest.raises(ClusterUnavailable, match="Connect call failed") as unavailable:
            await KubeCluster(connection).get("/version")
    assert "0x" not in str(unavailable.value)


async def test_a_closed_connection_is_unavailable(unused_tcp_port: int) -> None:
    connection = Connection(an_access(f"http://127.0.0.1:{unused_tcp_port}"), "0")
    await connection.close()
    with pytest.raises(ClusterUnavailable):
        await KubeCluster(connection).get("/version")


async def test_the_token_and_our_name_are_on_each_request() -> None:
    seen: list[tuple[str | None, str | None, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((headers.get("Authorization"), headers.get("User-Agent"), headers.get("Content-Type")))
        return web.json_response({})

    async with answering(answer) as cluster:
        await cluster.json_patch("/x", [])
    assert seen == [(f"Bearer {TOKEN}", "modelarts-nodepool-operator/0", "application/json-patch+json")]
