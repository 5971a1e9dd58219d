"""Canaries: key, secret, token and signature show up nowhere but on the wire."""

import json
import logging
import traceback

import pytest

from modelarts_nodepool.errors import CloudError, CredentialsUnavailable
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey
from tests.contract.client.clients import SHORT, Reports, a_client
from tests.contract.client.raw_server import Reply, a_reply, raw_server, reset, wait_for_ever

KEY = AccessKey("CANARYACCESS", "CANARYSECRET", "CANARYTOKEN")
ECHO = b'{"error_code": "APIG.0301", "error_msg": "CANARYACCESS CANARYSECRET CANARY\\u0000TOKEN"}'


@pytest.mark.parametrize(
    "reply",
    [a_reply(401, ECHO), a_reply(400, ECHO), a_reply(500, ECHO), a_reply(200, ECHO), reset, wait_for_ever, b"\x00\r\n"],
    ids=["401", "400", "500", "200", "reset", "silence", "garbage"],
)
async def test_case_41_no_error_log_or_report_holds_a_secret(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reports = Reports()
    async with raw_server(reply) as server, a_client(server.endpoint, key=KEY, bounds=SHORT, reports=reports) as client:
        with pytest.raises(CloudError) as caught:
            await client.show_node_pool("pool-a", "training-a")
        assert "CANARYACCESS" in server.heads[0]
        assert "CANARYTOKEN" in server.heads[0]
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    everything = f"{shown} {error!r} {vars(error)} {reports.seen!r} {client!r} {caplog.text}"
    assert "CANARY" not in everything
    assert "Signature=" not in everything


async def test_case_41_key_that_does_not_fit_a_header_is_not_quoted() -> None:
    reports = Reports()
    async with raw_server(a_reply(200)) as server:
        async with a_client(server.endpoint, key=AccessKey("CANARY\nACCESS", "SK"), reports=reports) as client:
            with pytest.raises(CredentialsUnavailable) as caught:
                await client.show_node_pool("pool-a", "training-a")
        assert server.heads == []
    assert "CANARY" not in str(caught.value)
    assert reports.outcomes == ["CredentialsUnavailable"]


def a_body(**document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "reply",
    [
        a_reply(400, a_body(error_code="CANARYSECRET", error_msg="no")),
        a_reply(400, a_body(error_code="ModelArts.1", error_msg="no", request_id="CANARYTOKEN")),
        a_reply(400, a_body(error_code="ModelArts.1", error_msg="no"), "X-Request-Id: CANARYSECRET"),
        a_reply(403, a_body(error_code="ModelArts.1", encoded_authorization_message="CANARYSECRET")),
        a_reply(302, b"", "Location: https://example.com/?CANARYSECRET"),
        a_reply(200, a_body(kind="CANARYSECRET")),
        a_reply(200, a_body(kind="NodePool", metadata={"name": "CANARYSECRET"})),
    ],
    ids=["code", "request id", "header", "policy", "location", "kind", "name"],
)
async def test_no_part_of_an_answer_brings_a_secret_back(reply: Reply) -> None:
    # As credentials/ does with whatever it reads.
    redact("CANARYSECRET")
    redact("CANARYTOKEN")
    async with raw_server(reply) as server, a_client(server.endpoint, key=KEY, bounds=SHORT) as client:
        with pytest.raises(CloudError) as caught:
            await client.show_node_pool("pool-a", "training-a")
    error = caught.value
    assert "CANARY" not in f"{error!r} {error} {error.message} {vars(error)}"
