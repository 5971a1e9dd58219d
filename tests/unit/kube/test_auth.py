"""Tokens are put on each request, read again as they rotate, and sent to no other server."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from aiohttp import ClientRequest, ClientResponse
from multidict import CIMultiDict
from yarl import URL

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.auth import Authenticator
from modelarts_nodepool.kube.kubeconfig import ClientConfig, Exec, User
from modelarts_nodepool.logs import masked

SERVER = "http://kube.example:6443/k8s/clusters/c1"
NEVER, AT_ONCE = timedelta(hours=1), timedelta()
VERSION = "client.authentication.k8s.io/v1"


class Request:
    """The attributes of an aiohttp request that are read or written."""

    def __init__(self, url: str = f"{SERVER}/version") -> None:
        self.url = URL(url)
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.server_hostname: str | None = None


class Response:
    def __init__(self, status: int) -> None:
        self.status = status
        self.is_released = False

    def release(self) -> None:
        self.is_released = True


async def call(
    authenticator: Authenticator, answer: Callable[[str | None], int], request: Request | None = None
) -> tuple[int, list[str | None]]:
    """The status that the caller sees, and the tokens that the server saw."""
    seen: list[str | None] = []

    async def handler(sent: ClientRequest) -> ClientResponse:
        seen.append(sent.headers.get("Authorization"))
        return cast("ClientResponse", Response(answer(seen[-1])))

    response = await authenticator(cast("ClientRequest", request or Request()), handler)
    return response.status, seen


def only(token: str) -> Callable[[str | None], int]:
    return lambda sent: 200 if sent == f"Bearer {token}" else 401


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    write(path, "one")
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


async def reading(user: Mapping[str, object], refresh: timedelta = NEVER, **config: object) -> Authenticator:
    """Without TLS, whatever kubectl does then: what is tested is when something is read."""
    given = ClientConfig(server=SERVER, source="a test", user=User.model_validate(user), **config)  # type: ignore[arg-type]
    authenticator = Authenticator(given, refresh)
    await authenticator.read()
    return authenticator


def a_plugin(folder: Path, *steps: Mapping[str, object] | str) -> Exec:
    """The nth run prints the nth status, or is the nth script; the last one for ever."""
    for number, step in enumerate(steps, 1):
        answer = {"kind": "ExecCredential", "apiVersion": VERSION, "status": step}
        script = step if isinstance(step, str) else f"cat <<'END'\n{json.dumps(answer)}\nEND\n"
        (folder / f"step-{number}").write_text(script)
    script = (
        f"#!/bin/sh\ncd {folder}\necho run >> runs\nn=$(wc -l < runs)\n"
        f"[ $n -gt {len(steps)} ] && n={len(steps)}\n. ./step-$((n))\n"
    )
    (folder / "plugin").write_text(script)
    (folder / "plugin").chmod(0o755)
    command = str(folder / "plugin")
    return Exec.model_validate({"command": command, "apiVersion": VERSION, "interactiveMode": "Never"})


def runs_of(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def started(folder: Path) -> int:
    """The process that the plugin wrote down, 0 before that."""
    path = folder / "pid"
    return int(path.read_text().strip() or 0) if path.exists() else 0


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def test_each_request_carries_the_token_in_hand(token: Path) -> None:
    authenticator = await reading({"tokenFile": str(token)})
    write(token, "two")
    assert await call(authenticator, lambda _: 200) == (200, ["Bearer one"])


async def test_an_old_token_is_read_again_before_the_request(token: Path) -> None:
    authenticator = await reading({"tokenFile": str(token)}, AT_ONCE)
    write(token, "two")
    assert await call(authenticator, only("two")) == (200, ["Bearer two"])


async def test_a_refused_request_is_repeated_once_with_a_new_token(token: Path) -> None:
    authenticator = await reading({"tokenFile": str(token)})
    write(token, "two")
    assert await call(authenticator, only("two")) == (200, ["Bearer one", "Bearer two"])
    write(token, "three")
    assert await call(authenticator, lambda _: 401) == (401, ["Bearer two", "Bearer three"])


async def test_a_refused_request_is_not_repeated_with_the_same_token(token: Path) -> None:
    assert await call(await reading({"tokenFile": str(token)}), lambda _: 401) == (401, ["Bearer one"])


async def test_a_token_that_cannot_be_read_again_stays_in_use(token: Path, caplog: pytest.LogCaptureFixture) -> None:
    authenticator = await reading({"tokenFile": str(token)}, AT_ONCE)
    remove(token)
    assert await call(authenticator, only("one")) == (200, ["Bearer one"])
    assert "stay in use" in caplog.text
    assert str(token) in caplog.text


@pytest.mark.parametrize("url", ["http://other.example:6443/", "https://kube.example:6443/", "http://kube.example/"])
async def test_no_other_server_sees_the_token(url: str) -> None:
    request = Request(url)
    authenticator = await reading({"token": "one"}, impersonation=(("Impersonate-User", "jane"),))
    assert await call(authenticator, lambda _: 200, request) == (200, [None])
    assert request.headers == CIMultiDict()


async def test_without_credentials_no_header_is_sent() -> None:
    assert await call(await reading({}), lambda _: 401) == (401, [None])


async def test_impersonation_is_not_doubled_by_a_repeated_request(token: Path) -> None:
    headers = (("Impersonate-User", "jane"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))
    authenticator, request = await reading({"tokenFile": str(token)}, impersonation=headers), Request()
    write(token, "two")
    assert (await call(authenticator, only("two"), request))[0] == 200
    assert [pair for pair in request.headers.items() if pair[0] != "Authorization"] == list(headers)


async def test_every_token_is_kept_out_of_the_logs(token: Path) -> None:
    write(token, "canary-token-one")
    authenticator = await reading({"tokenFile": str(token)})
    write(token, "canary-token-two")
    await call(authenticator, lambda _: 401)
    assert "canary" not in masked("saw canary-token-one and canary-token-two")


async def test_a_plugin_is_run_again_when_what_it_gave_has_expired_and_not_before(tmp_path: Path) -> None:
    steps = [
        {"token": "one", "expirationTimestamp": in_hours(-1)},
        {"token": "two", "expirationTimestamp": in_hours(1)},
        {"token": "three"},
    ]
    authenticator = await reading({"exec": a_plugin(tmp_path, *steps)}, AT_ONCE)
    for _ in range(3):
        assert await call(authenticator, only("two")) == (200, ["Bearer two"])
    assert runs_of(tmp_path) == 2


async def test_a_plugin_is_run_again_after_a_401(tmp_path: Path) -> None:
    authenticator = await reading({"exec": a_plugin(tmp_path, {"token": "one"}, {"token": "two"})})
    assert await call(authenticator, only("two")) == (200, ["Bearer one", "Bearer two"])


async def test_a_plugin_is_not_run_for_each_of_many_401s(tmp_path: Path) -> None:
    authenticator = await reading({"exec": a_plugin(tmp_path, {"token": "one"})})
    for _ in range(5):
        assert await call(authenticator, only("two")) == (401, ["Bearer one"])
    assert runs_of(tmp_path) == 2


async def test_requests_share_one_run_of_a_plugin(tmp_path: Path) -> None:
    authenticator = await reading({"exec": a_plugin(tmp_path, {"token": "one"}, {"token": "two"})})
    answers = await asyncio.gather(*(call(authenticator, only("two")) for _ in range(5)))
    assert {status for status, _ in answers} == {200}
    assert runs_of(tmp_path) == 2


async def test_a_plugin_that_fails_later_is_named_and_does_not_stop_the_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps = ({"token": "one", "expirationTimestamp": in_hours(-1)}, "exit 7\n")
    authenticator = await reading({"exec": a_plugin(tmp_path, *steps)})
    assert await call(authenticator, only("one")) == (200, ["Bearer one"])
    assert "exit code 7" in caplog.text
    assert await call(authenticator, only("one")) == (200, ["Bearer one"])
    assert runs_of(tmp_path) == 2


async def test_a_plugin_that_hangs_is_ended_with_the_connection(tmp_path: Path) -> None:
    steps = ({"token": "one", "expirationTimestamp": in_hours(-1)}, "echo $$ > pid\nexec sleep 1000\n")
    authenticator = await reading({"exec": a_plugin(tmp_path, *steps)})
    waiting = asyncio.create_task(call(authenticator, only("one")))
    while not (pid := started(tmp_path)):  # noqa: ASYNC110 - another process tells
        await asyncio.sleep(0.01)
    os.kill(pid, 0)
    await authenticator.close()
    await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_plugin_that_fails_at_first_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="exit code 3"):
        await reading({"exec": a_plugin(tmp_path, "exit 3\n")})
