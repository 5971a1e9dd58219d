"""Canaries: key, secret, token and signature show up nowhere but on the wire."""

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modelarts_nodepool.errors import CloudError, CredentialsUnavailable
from modelarts_nodepool.logs import redact, set_up_logging
from modelarts_nodepool.ports import AccessKey
from tests.contract.client.clients import SHORT, Reports, a_client
from tests.contract.client.raw_server import Reply, a_reply, raw_server, reset, wait_for_ever

KEY = AccessKey("CANARYACCESS", "CANARYSECRET", "CANARYTOKEN")
ECHO = b'{"error_code": "APIG.0301", "error_msg": "CANARYACCESS CANARYSECRET CANARY\\u0000TOKEN"}'
# What a cloud, or whatever stands in its place, may give back where: in each place that we show.
ECHOES: dict[str, Reply] = {
    "words": a_reply(401, ECHO),
    "words of a refusal": a_reply(400, ECHO),
    "words of a failure": a_reply(500, ECHO),
    "words of a success": a_reply(200, ECHO),
    "code": a_reply(400, b'{"error_code": "CANARYTOKEN", "error_msg": "no"}'),
    "code of ModelArts": a_reply(400, b'{"error_code": "ModelArts.CANARYSECRET", "error_msg": "no"}'),
    "request id": a_reply(400, b'{"error_code": "ModelArts.1", "request_id": "CANARYSECRET"}'),
    "request id in a header": a_reply(500, b"{}", "X-Request-Id: CANARYTOKEN"),
    "kind": a_reply(200, b'{"kind": "CANARYSECRET"}', "X-Request-Id: CANARYTOKEN"),
    "name": a_reply(200, b'{"kind": "NodePool", "metadata": {"name": ["CANARYSECRET", {"CANARYTOKEN": 1}]}}'),
    "header": a_reply(500, b"{}", "Authorization: CANARYSECRET", "Set-Cookie: x=CANARYTOKEN; Path=/"),
    "page": a_reply(502, b"<html>Signature=0123456789abcdef X-Security-Token: CANARYTOKEN</html>"),
    "policy": a_reply(403, b'{"error_code": "ModelArts.1", "encoded_authorization_message": "CANARYSECRET"}'),
    "encoding": a_reply(200, b"", "Content-Encoding: CANARYTOKEN"),
    "redirect": a_reply(302, b"", "Location: https://CANARYSECRET/CANARYTOKEN"),
    "reason": b"HTTP/1.1 400 CANARYTOKEN\r\nContent-Length: 0\r\n\r\n",
    "broken head": b"HTTP/1.1 CANARYTOKEN\r\nCANARYSECRET\r\n\r\n",
    "reset": reset,
    "silence": wait_for_ever,
    "garbage": b"\x00\r\n",
}


@pytest.fixture(autouse=True)
def _registered() -> None:
    """As whoever reads a key does."""
    for value in (KEY.secret, KEY.security_token):
        redact(value)


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("place", ECHOES)
async def test_case_41_no_error_log_or_report_holds_a_secret(place: str, log_format: str) -> None:
    reports, log = Reports(), io.StringIO()
    with logging_to(log, log_format):
        async with (
            raw_server(ECHOES[place]) as server,
            a_client(server.endpoint, key=KEY, bounds=SHORT if place == "silence" else None, reports=reports) as client,
        ):
            with pytest.raises(CloudError) as caught:
                await client.show_node_pool("pool-a", "training-a")
            logging.getLogger("modelarts_nodepool").error("it failed", exc_info=caught.value)
    assert "CANARYTOKEN" in server.heads[0]
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    assert "it failed" in log.getvalue()
    everything = f"{error!r} {vars(error)} {reports.seen!r} {client!r} {log.getvalue()}"
    for secret in ("CANARYSECRET", "CANARYTOKEN", "Signature=0"):
        assert secret not in everything


async def test_case_41_count_that_is_a_secret_is_no_problem_that_shows_it() -> None:
    body = b'{"kind":"NodePool","metadata":{"name":"training-a"},"status":{"resources":{"available":"CANARYSECRET"}}}'
    async with raw_server(a_reply(200, body)) as server, a_client(server.endpoint, key=KEY) as client:
        found = await client.show_node_pool("pool-a", "training-a")
    assert found.problem
    assert "CANARY" not in repr(found)


@contextmanager
def logging_to(stream: io.StringIO, log_format: str) -> Iterator[None]:
    """The operator's own logging at its most talkative, and everything as before after that."""
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    set_up_logging(log_format, "debug", stream)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:], (sys.excepthook, threading.excepthook) = handlers, hooks
        root.setLevel(level)


async def test_case_41_key_that_does_not_fit_a_header_is_not_quoted() -> None:
    reports = Reports()
    async with raw_server(a_reply(200)) as server:
        async with a_client(server.endpoint, key=AccessKey("CANARY\nACCESS", "SK"), reports=reports) as client:
            with pytest.raises(CredentialsUnavailable) as caught:
                await client.show_node_pool("pool-a", "training-a")
        assert server.heads == []
    assert "CANARY" not in str(caught.value)
    assert reports.outcomes == ["CredentialsUnavailable"]
