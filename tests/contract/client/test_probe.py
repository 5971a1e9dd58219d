"""A probe without credentials tells ModelArts from anything else, and who has which certificate and clock."""

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from modelarts_nodepool.clock import SystemClock
from modelarts_nodepool.commands.doctor.probe import Obstacle, Probe, probe
from modelarts_nodepool.errors import CredentialsRejected, WrongEndpoint
from modelarts_nodepool.modelarts.endpoints import parse_endpoint
from modelarts_nodepool.modelarts.transport import Bounds, Call, Operation
from tests.contract.client.clients import PROJECT, SHORT, usual_trust
from tests.contract.client.raw_server import RawServer, Reply, a_reply, raw_server, reset, wait_for_ever

REFUSAL = b'{"error_code": "APIG.0301", "error_msg": "Incorrect IAM authentication information"}'


async def knock_at(server: RawServer, trust: ssl.SSLContext | None = None, bounds: Bounds | None = None) -> Probe:
    call = Call(Operation.LIST_POOLS, PROJECT)
    endpoint = parse_endpoint(f"cn-north-4={server.endpoint}")
    return await probe(endpoint, call, SystemClock(), trust or usual_trust(), bounds or Bounds())


async def test_a_gateway_that_refuses_is_modelarts_with_its_clock_and_nothing_is_signed() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    async with raw_server(a_reply(401, REFUSAL, f"Date: {date}", "X-Request-Id: r")) as server:
        found = await knock_at(server)
    assert found.obstacle is None
    assert found.fault is not None
    assert found.fault.code == "APIG.0301"
    assert found.skew is not None
    assert abs(found.skew - timedelta(hours=1)) < timedelta(seconds=30)
    (head,) = server.heads
    assert head.startswith(f"GET /v2/{PROJECT}/pools HTTP/1.1")
    assert "authorization" not in head.lower()


async def test_over_tls_it_tells_the_version_and_the_end_of_the_certificate(
    trust: ssl.SSLContext, server_side: ssl.SSLContext
) -> None:
    async with raw_server(a_reply(401, REFUSAL), tls=server_side) as server:
        found = await knock_at(server, trust)
    assert isinstance(found.fault, CredentialsRejected)
    assert (found.tls or "").startswith("TLSv1.")
    assert found.expires is not None
    assert found.expires > datetime.now(UTC)
    assert found.skew is None


async def test_a_certificate_of_an_unknown_authority_is_an_obstacle(server_side: ssl.SSLContext) -> None:
    async with raw_server(a_reply(401, REFUSAL), tls=server_side) as server:
        found = await knock_at(server)
    assert found.obstacle is Obstacle.CERTIFICATE
    assert server.heads == []


@pytest.mark.parametrize(
    ("reply", "obstacle"), [(wait_for_ever, Obstacle.SILENCE), (reset, Obstacle.CONNECTION)], ids=["silence", "reset"]
)
async def test_what_is_in_the_way_is_told_apart(reply: Reply, obstacle: Obstacle) -> None:
    async with raw_server(reply) as server:
        assert (await knock_at(server, bounds=SHORT)).obstacle is obstacle


async def test_whoever_lets_strangers_in_is_not_modelarts() -> None:
    async with raw_server(a_reply(200, b"<html>welcome</html>")) as server:
        assert isinstance((await knock_at(server)).fault, WrongEndpoint)
