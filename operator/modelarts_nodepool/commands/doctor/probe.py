"""Probes an endpoint without credentials: can it be reached, its certificate, its clock.

Sends one unsigned GET of list_pools. The gateway of ModelArts refuses it with its own error code, which no other server
sends; and a request without a key cannot lock a key.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import httpx

from modelarts_nodepool.errors import CloudError
from modelarts_nodepool.modelarts.endpoints import Endpoint
from modelarts_nodepool.modelarts.faults import to_error
from modelarts_nodepool.modelarts.transport import Bounds, Call, Response, connect, sanitize
from modelarts_nodepool.ports import Clock


class Obstacle(StrEnum):
    """Why there is no answer."""

    NAME = "DNS does not know the name"
    CERTIFICATE = "its certificate is not trusted"
    CONNECTION = "no connection"
    PROXY = "the proxy refused the connection"
    SILENCE = "no answer"


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer, or the obstacle.

    `fault`: the meaning of the refusal. A success is WrongEndpoint, because ModelArts refuses unsigned requests.
    `skew`: the server's clock minus ours, to a second. `tls` and `expires` are None for plain http.
    """

    endpoint: Endpoint
    obstacle: Obstacle | None = None
    words: str = ""
    fault: CloudError | None = None
    skew: timedelta | None = None
    tls: str | None = None
    expires: datetime | None = None


async def probe(endpoint: Endpoint, call: Call, clock: Clock, trust: ssl.SSLContext, bounds: Bounds) -> Probe:
    """One request with the time limits of a read. Raises errors.SettingsError for an invalid proxy."""
    client = connect(endpoint, trust, bounds)
    try:
        async with client, asyncio.timeout(bounds.reading.total_seconds()):
            return await _exchange(client, endpoint, call, clock, bounds)
    except TimeoutError:
        return Probe(endpoint, Obstacle.SILENCE, f"nothing within {bounds.reading.total_seconds():g} s")
    except (httpx.HTTPError, OSError) as error:
        return Probe(endpoint, _obstacle(error), sanitize(str(error), 200) or type(error).__name__)


async def _exchange(client: httpx.AsyncClient, endpoint: Endpoint, call: Call, clock: Clock, bounds: Bounds) -> Probe:
    sent = clock.now()
    request = client.build_request(call.method, f"{endpoint.url}{call.path}")
    response = await client.send(request, stream=True, auth=httpx.Auth(), follow_redirects=False)
    received = clock.now()
    try:
        tls, expires = _certificate(response)
        answer = Response(response.status_code, dict(response.headers.items()), await _read(response, bounds))
    finally:
        await response.aclose()
    return Probe(
        endpoint,
        fault=to_error(call, answer, received),
        # The header has whole seconds, rounded down: half a second is the best estimate.
        skew=answer.server_time - (sent + (received - sent) / 2) + timedelta(seconds=0.5)
        if answer.server_time
        else None,
        tls=tls,
        expires=expires,
    )


async def _read(response: httpx.Response, bounds: Bounds) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > bounds.side_body_bytes:
            break
    return bytes(body[: bounds.side_body_bytes])


def _certificate(response: httpx.Response) -> tuple[str | None, datetime | None]:
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    if connection is None:
        return None, None
    ends = (connection.getpeercert() or {}).get("notAfter")
    return connection.version(), datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None


def _obstacle(error: BaseException) -> Obstacle:
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Obstacle.CERTIFICATE
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Obstacle.NAME
    if any(isinstance(cause, httpx.ProxyError) for cause in causes):
        return Obstacle.PROXY
    return Obstacle.SILENCE if isinstance(error, httpx.ReadTimeout) else Obstacle.CONNECTION


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
