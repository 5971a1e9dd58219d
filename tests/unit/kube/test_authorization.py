"""Tokens are put on each request, read again as they rotate, and sent to no other server."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest
from aiohttp import ClientRequest, ClientResponse
from multidict import CIMultiDict
from yarl import URL

from modelarts_nodepool.kube.authorization import Authorization
from modelarts_nodepool.logs import masked

SERVER = URL("https://kube.example:6443/k8s/clusters/c1")


class Request:
    """The three attributes of an aiohttp request that are read or written."""

    def __init__(self, url: str = "https://kube.example:6443/k8s/clusters/c1/version") -> None:
        self.url = URL(url)
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.server_hostname: str | None = None


class Response:
    def __init__(self, status: int) -> None:
        self.status = status
        self.is_released = False

    def release(self) -> None:
        self.is_released = True


class Source:
    """Where tokens come from: each reload gives the next one, the last for ever."""

    def __init__(self, *tokens: str | None) -> None:
        self.tokens: Sequence[str | None] = tokens
        self.reloads = 0

    def header(self) -> str | None:
        return self.tokens[min(self.reloads, len(self.tokens) - 1)]

    async def reload(self) -> None:
        self.reloads += 1


async def call(
    authorization: Authorization, answer: Callable[[str | None], int], request: Request | None = None
) -> tuple[int, list[str | None]]:
    """The status that the caller sees, and the tokens that the server saw."""
    seen: list[str | None] = []

    async def handler(sent: ClientRequest) -> ClientResponse:
        seen.append(sent.headers.get("Authorization"))
        return cast("ClientResponse", Response(answer(seen[-1])))

    response = await authorization(cast("ClientRequest", request or Request()), handler)
    return response.status, seen


def only(token: str) -> Callable[[str | None], int]:
    return lambda sent: 200 if sent == token else 401


def an_authorization(source: Source, refresh_seconds: float = 60, tls_server_name: str | None = None) -> Authorization:
    return Authorization(
        SERVER,
        source.header,
        source.reload,
        tls_server_name=tls_server_name,
        refresh_seconds=refresh_seconds,
    )


async def test_each_request_carries_the_token_in_hand() -> None:
    source = Source("Bearer one")
    assert await call(an_authorization(source), only("Bearer one")) == (200, ["Bearer one"])
    assert source.reloads == 0


async def test_an_old_token_is_read_again_before_the_request() -> None:
    source = Source("Bearer one", "Bearer two")
    authorization = an_authorization(source, refresh_seconds=0)
    assert await call(authorization, only("Bearer two")) == (200, ["Bearer two"])


async def test_a_refused_request_is_repeated_once_with_a_new_token() -> None:
    source = Source("Bearer one", "Bearer two", "Bearer three")
    assert await call(an_authorization(source), only("Bearer two")) == (200, ["Bearer one", "Bearer two"])
    assert await call(an_authorization(Source("Bearer 1", "Bearer 2")), lambda _: 401) == (
        401,
        ["Bearer 1", "Bearer 2"],
    )


async def test_a_refused_request_is_not_repeated_with_the_same_token() -> None:
    source = Source("Bearer one")
    assert await call(an_authorization(source), lambda _: 401) == (401, ["Bearer one"])
    assert source.reloads == 1


async def test_a_token_that_cannot_be_read_again_stays_in_use(caplog: pytest.LogCaptureFixture) -> None:
    source = Source("Bearer one")

    async def fail() -> None:
        raise OSError("token file is gone")

    authorization = Authorization(SERVER, source.header, fail, refresh_seconds=0)
    assert await call(authorization, only("Bearer one")) == (200, ["Bearer one"])
    assert "stays in use" in caplog.text


@pytest.mark.parametrize("url", ["https://other.example:6443/", "http://kube.example:6443/", "https://kube.example/"])
async def test_no_other_server_sees_the_token(url: str) -> None:
    authorization = an_authorization(Source("Bearer one"))
    assert await call(authorization, lambda _: 200, Request(url)) == (200, [None])


async def test_without_credentials_no_header_is_sent() -> None:
    assert await call(an_authorization(Source(None)), lambda _: 401) == (401, [None])


async def test_the_tls_server_name_of_the_kubeconfig_is_used() -> None:
    request = Request()
    authorization = an_authorization(Source("Bearer one"), tls_server_name="inner.example")
    await call(authorization, lambda _: 200, request)
    assert request.server_hostname == "inner.example"


async def test_every_token_is_kept_out_of_the_logs() -> None:
    source = Source("Bearer canary-token-one", "Bearer canary-token-two")
    await call(an_authorization(source), lambda _: 401)
    assert "canary" not in masked("saw canary-token-one and canary-token-two")
