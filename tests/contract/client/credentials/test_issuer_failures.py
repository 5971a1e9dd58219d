"""Issuers that hang, lie, break off or send elsewhere: told in words, within bounds, and nothing is given away."""

import asyncio
import gzip
import json
import logging
import os
import ssl
import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from modelarts_nodepool.credentials.oidc import OidcProvider
from modelarts_nodepool.credentials.refresher import Refresher
from modelarts_nodepool.errors import CredentialsUnavailable
from tests.contract.client.credentials.issuers import ID_TOKEN, SHORT, SOURCES, a_provider, environment
from tests.contract.client.raw_server import Reply, Writer, a_reply, raw_server, reset, wait_for_ever
from tests.support.clocks import HandClock
from tests.support.limits import HANGING_SECONDS

TRUTH = {"access": "AK", "secret": "CANARYSECRET", "securitytoken": "CANARYSTS", "expires_at": "2026-01-02T13:00:00Z"}
GOOD = json.dumps({"credential": TRUTH}).encode()
EXPIRED = json.dumps({"credential": TRUTH | {"expires_at": "2026-01-02T11:59:59Z"}}).encode()
HALF = json.dumps({"credential": {"access": "AK", "secret": "CANARYSECRET"}}).encode()
SESSION = "c2Vzc2lvbg.CANARYSESSIONOFTHENODE.dG9rZW4="
# A refusal that repeats most of what was sent.
ECHOES = {
    name: json.dumps({"error_code": "X", "error_msg": f"bad token {token[5:-5]}"}).encode()
    for name, token in {"Metadata": SESSION, "PodIdentity": ID_TOKEN, "OIDC": ID_TOKEN}.items()
}
JSON_TYPE = "Content-Type: application/json"
PATIENT = timedelta(seconds=HANGING_SECONDS)


async def drip(writer: Writer) -> None:
    """A byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def flood(writer: Writer) -> None:
    """Blanks without end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


LIES: dict[str, Reply] = {
    "html": a_reply(200, b"<html>CANARYSECRET</html>", "Content-Type: text/html"),
    "empty": a_reply(200),
    "truncated": a_reply(200, GOOD[:-30], JSON_TYPE),
    "breaks off": a_reply(200, GOOD[:-30], JSON_TYPE, "Connection: close", length=len(GOOD)),
    "keys missing": a_reply(200, HALF, JSON_TYPE),
    "expired": a_reply(200, EXPIRED, JSON_TYPE),
    "null": a_reply(200, b"null", JSON_TYPE),
    "garbage": b"\x00\xff\r\n\r\n",
    "compressed": a_reply(200, gzip.compress(GOOD), JSON_TYPE, "Content-Encoding: gzip"),
    "a bomb": a_reply(200, gzip.compress(b" " * 50_000_000), JSON_TYPE, "Content-Encoding: gzip"),
    "huge": a_reply(200, b" " * 200_000),
    "without end": flood,
    "slow": drip,
    "silent": wait_for_ever,
    "reset": reset,
    "not found": a_reply(404, b"<html>no</html>"),
}


NO_KEY, TOO_MUCH, TOO_LATE = "but not with credentials", "answered with more than 65536 bytes", "within 0.5 s"
WORDS = {
    "breaks off": "cannot be reached (RemoteProtocolError)",
    "keys missing": "without a usable security",
    "expired": "have already expired. Check the clock",
    "garbage": "cannot be reached (RemoteProtocolError)",
    "huge": TOO_MUCH,
    "without end": TOO_MUCH,
    "slow": TOO_LATE,
    "silent": TOO_LATE,
    "reset": "cannot be reached (",
    "not found": "404",
}


def session_of(name: str) -> list[Reply]:
    """The metadata service is asked for a session token first."""
    return [a_reply(200, SESSION.encode())] if name == "Metadata" else []


def limit_for(lie: str) -> timedelta:
    """Short where the limit is what ends it; a busy machine takes a second for any answer."""
    return SHORT if WORDS.get(lie) == TOO_LATE else PATIENT


async def failure_of(name: str, endpoint: str, token_file: Path, limit: timedelta = PATIENT) -> CredentialsUnavailable:
    async with asyncio.timeout(HANGING_SECONDS):
        with pytest.raises(CredentialsUnavailable) as caught:
            await a_provider(name, endpoint, token_file, limit=limit).fetch()
    return caught.value


def is_free_of_secrets(error: BaseException, *more: str) -> bool:
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    everything = " ".join([shown, repr(error), repr(error.__context__), repr(error.__cause__), *more])
    return "CANARY" not in everything


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", SOURCES)
async def test_a_lie_is_told_in_words_without_a_secret(name: str, lie: str, token_file: Path) -> None:
    replies = [*session_of(name), LIES[lie]]
    async with raw_server(*replies) as server:
        error = await failure_of(name, server.endpoint, token_file, limit_for(lie))
        assert len(server.heads) == len(replies), "asked again within one attempt"
    assert WORDS.get(lie, NO_KEY) in str(error)
    assert error.__context__ is None
    assert is_free_of_secrets(error)


@pytest.mark.parametrize("lie", ["html", "empty", "huge", "silent", "reset", "garbage", "compressed"])
async def test_a_session_token_that_is_none_is_told_and_no_key_is_asked_for(lie: str, token_file: Path) -> None:
    async with raw_server(LIES[lie]) as server:
        error = await failure_of("Metadata", server.endpoint, token_file, limit_for(lie))
        assert len(server.heads) == 1
    assert "the instance metadata service" in str(error)
    assert is_free_of_secrets(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
@pytest.mark.parametrize("name", SOURCES)
async def test_a_refusal_that_repeats_the_token_is_told_by_its_status_alone(
    name: str, status: int, token_file: Path
) -> None:
    replies = [*session_of(name), a_reply(status, ECHOES[name], JSON_TYPE)]
    async with raw_server(*replies, *replies) as server:
        error = await failure_of(name, server.endpoint, token_file)
        if name != "OIDC":
            assert any("CANARY" in head for head in server.heads)
    assert str(status) in str(error)
    assert is_free_of_secrets(error)


@pytest.mark.parametrize("name", SOURCES)
async def test_the_words_of_a_refusal_are_told_as_one_line_of_plain_text(name: str, token_file: Path) -> None:
    words = json.dumps({"error_code": "STS5.1", "error_msg": "no\u202e such\n\tagency" + "!" * 5000}).encode()
    async with raw_server(*session_of(name), a_reply(403, words, JSON_TYPE)) as server:
        error = await failure_of(name, server.endpoint, token_file)
    assert "403 (STS5.1: no such agency!!" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 800


@pytest.mark.parametrize("status", [202, 400, 401, 403, 429, 500, 502])
async def test_a_service_that_refuses_a_session_token_is_asked_for_no_key(status: int, token_file: Path) -> None:
    async with raw_server(a_reply(status, SESSION.encode())) as server:
        error = await failure_of("Metadata", server.endpoint, token_file)
        assert len(server.heads) == 1
    assert f"refused a session token: {status};" in str(error)
    assert is_free_of_secrets(error)


@pytest.mark.parametrize("status", [404, 405, 503])
async def test_a_service_that_knows_no_tokens_is_asked_without_one(status: int, token_file: Path) -> None:
    async with raw_server(a_reply(status), a_reply(200, GOOD, JSON_TYPE)) as server:
        key = await a_provider("Metadata", server.endpoint, token_file).fetch()
    assert key.access == "AK"
    assert "x-metadata-token:" not in server.heads[1].lower()


async def test_a_refused_session_token_is_replaced_once_and_no_more(token_file: Path) -> None:
    token, refusal = a_reply(200, b"a-session-token"), a_reply(401, b"{}")
    async with raw_server(token, refusal, token, refusal) as server:
        error = await failure_of("Metadata", server.endpoint, token_file)
        assert [head.split()[0] for head in server.heads] == ["PUT", "GET", "PUT", "GET"]
    assert is_free_of_secrets(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", SOURCES)
async def test_a_redirect_is_never_followed(name: str, status: int, token_file: Path) -> None:
    async with raw_server(a_reply(200, GOOD)) as elsewhere:
        redirect = a_reply(status, b"", f"Location: {elsewhere.endpoint}/openstack/latest/securitykey")
        async with raw_server(redirect) as server:
            error = await failure_of(name, server.endpoint, token_file)
        assert elsewhere.heads == []
    assert "redirect" in str(error)


@pytest.mark.parametrize("name", SOURCES)
async def test_nobody_there_is_told(name: str, token_file: Path) -> None:
    async with raw_server(a_reply(200)) as server:
        endpoint = server.endpoint
    error = await failure_of(name, endpoint, token_file)
    assert "cannot be reached (ConnectError" in str(error)


@pytest.mark.parametrize("name", SOURCES)
async def test_no_proxy_ever_sees_a_request_to_an_issuer_nearby(
    name: str, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(a_reply(200, GOOD)) as proxy, raw_server(a_reply(200, GOOD)) as server:
        for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, proxy.endpoint)
        server.replies = [*session_of(name), a_reply(200, GOOD)]
        assert (await a_provider(name, server.endpoint, token_file).fetch()).access == "AK"
        assert len(server.heads) == len(server.replies)
        assert proxy.heads == []


async def test_the_token_service_is_reached_through_the_proxy_of_the_environment(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    async with raw_server(a_reply(503)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        error = await failure_of("OIDC", "https://sts.invalid", token_file)
        assert proxy.heads[0].startswith("CONNECT sts.invalid:443")
    assert is_free_of_secrets(error)


async def test_the_token_service_is_believed_by_its_certificate_alone(
    token_file: Path, server_side: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with raw_server(a_reply(200, GOOD, JSON_TYPE), tls=server_side) as server:
        variables = environment(server.endpoint, token_file)
        assert (await OidcProvider(server.endpoint, variables, HandClock(), trust).fetch()).access == "AK"
        with pytest.raises(CredentialsUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await OidcProvider(server.endpoint, variables, HandClock()).fetch()
        assert len(server.heads) == 1


@pytest.mark.parametrize("name", ["PodIdentity", "OIDC"])
async def test_a_token_file_that_is_none_is_told_and_nothing_is_sent(name: str, tmp_path: Path) -> None:
    pipe, folder, missing = tmp_path / "pipe", tmp_path / "folder", tmp_path / "missing"
    os.mkfifo(pipe)
    folder.mkdir()
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("CANARY TOKENS")
    (tmp_path / "binary").write_bytes(b"CANARY\xff\x00")
    async with raw_server(a_reply(200, GOOD)) as server:
        for path in (pipe, folder, missing, *(tmp_path / kind for kind in ("empty", "two", "binary"))):
            error = await failure_of(name, server.endpoint, path)
            assert "TOKEN_FILE" in str(error)
            assert error.__context__ is None
            assert is_free_of_secrets(error)
        assert server.heads == []


@pytest.mark.parametrize("name", SOURCES)
async def test_no_log_holds_a_secret_at_any_level(
    name: str, token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = HandClock()
    replies = [*session_of(name), a_reply(200, GOOD, JSON_TYPE), a_reply(403, ECHOES[name], JSON_TYPE)]
    async with raw_server(*replies) as server:
        refresher = Refresher(a_provider(name, server.endpoint, token_file, clock), clock, "the issuer", "mend it")
        assert (await refresher.current()).secret == "CANARYSECRET"
        clock.advance(timedelta(hours=1))
        with pytest.raises(CredentialsUnavailable) as caught:
            await refresher.current()
        assert any("CANARY" in head for head in server.heads) or name == "OIDC"
    assert is_free_of_secrets(caught.value, repr(refresher), repr(vars(refresher)))
    # httpx names URLs and statuses at this level, and headers as bytes: all of it is filtered by the real handler.
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("modelarts_nodepool"))
    assert "credentials refreshed" in ours
    assert "CANARY" not in ours
