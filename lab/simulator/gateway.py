"""One signed request, from the wire to the answer: route, signature, permission, fault, operation.

server.py hands requests in. Everything that costs time per request is here, so it stays short.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import unquote

from aiohttp import web

from lab.simulator.cloud import Cloud
from lab.simulator.faults import ArmedFault
from lab.simulator.keyring import authorize, read_authorization
from lab.simulator.operations import carry_out
from lab.simulator.refusals import RefusedError, unknown_route
from lab.simulator.requestlog import Entry
from lab.simulator.routes import Route, find_route
from lab.simulator.scenario_faults import Fault
from lab.simulator.signatures import SignedRequest
from lab.simulator.spoiling import Answer, has_own_answer, own_answer, own_error, spoil, to_error
from lab.simulator.writing import Content

CHUNK = b" " * 65_536


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request that is let in wants."""

    route: Route
    query: dict[str, str]
    content: Content


async def answer_signed(cloud: Cloud, request: web.BaseRequest) -> web.StreamResponse:
    """Answer one request to the false cloud and put it on record."""
    raw_path, _, raw_query = request.raw_path.partition("?")
    entry = cloud.log.open(cloud.clock.now(), request.method, raw_path, cloud.new_request_id())
    latency = cloud.world.timings.latency_seconds
    if latency:
        await asyncio.sleep(latency)
    answer: Answer | None
    try:
        route = _route(cloud, request, entry)
        body = await request.read() if request.can_read_body else b""
        content = Content(body, request.headers.get("Content-Type", ""))
        _admit(cloud, request, route, content, entry)
        answer = await _answer(cloud, Asked(route, _query(raw_query), content), entry)
    except RefusedError as refusal:
        entry.signature = refusal.signature or entry.signature
        answer = _refused(refusal, entry)
    if answer is None:
        return _dropped(request)
    entry.status = answer.status
    return await _send(cloud, request, answer, entry.request_id)


def _route(cloud: Cloud, request: web.BaseRequest, entry: Entry) -> Route:
    route = find_route(request.method, entry.path)
    cloud.log.count(route.operation if route else None)
    if route is None:
        raise unknown_route()
    entry.operation, entry.resource_pool, entry.node_pool = route.operation, route.resource_pool, route.node_pool
    return route


def _admit(cloud: Cloud, request: web.BaseRequest, route: Route, content: Content, entry: Entry) -> None:
    signed = SignedRequest(
        method=request.method,
        raw_path=entry.path,
        raw_query=request.raw_path.partition("?")[2],
        headers={name.lower(): value for name, value in request.headers.items()},
        body=content.body,
    )
    if "authorization" not in signed.headers and "x-auth-token" in signed.headers:
        token = cloud.keyring.recognise(signed.headers["x-auth-token"])
        entry.signature = "token"
        authorize(token, route, cloud.world)
        return
    authorization = read_authorization(signed)
    entry.access_key = authorization.access_key
    credential = cloud.keyring.authenticate(signed, authorization, cloud.clock.now(), cloud.world.timings)
    entry.signature = "valid"
    authorize(credential, route, cloud.world)


async def _answer(cloud: Cloud, asked: Asked, entry: Entry) -> Answer | None:
    """The answer with its fault, or None where the connection is to be dropped."""
    armed = cloud.faults.strike(asked.route)
    if armed is None:
        return _true_answer(cloud, asked, entry)
    fault = armed.fault
    entry.fault = armed.label
    if fault.effect == "before":
        await asyncio.sleep(fault.delay_seconds)
    if fault.drop == "before":
        return None
    answer = _faulty_answer(cloud, asked, entry, armed)
    if fault.effect == "after":
        await asyncio.sleep(fault.delay_seconds)
    return None if fault.drop == "after" else spoil(answer, fault, _server_time(cloud))


def _faulty_answer(cloud: Cloud, asked: Asked, entry: Entry, armed: ArmedFault) -> Answer:
    fault: Fault = armed.fault
    if not has_own_answer(fault):
        try:
            return _true_answer(cloud, asked, entry)
        except RefusedError as refusal:
            return _refused(refusal, entry)
    if fault.effect == "after":
        with suppress(RefusedError):
            _true_answer(cloud, asked, entry)
    entry.error = own_error(fault)
    return own_answer(fault, entry.request_id)


def _true_answer(cloud: Cloud, asked: Asked, entry: Entry) -> Answer:
    done = carry_out(cloud.world, asked.route, asked.query, asked.content)
    if done.has_effect:
        entry.effect = "accepted"
    return Answer(200, done.body)


def _refused(refusal: RefusedError, entry: Entry) -> Answer:
    entry.error = refusal.code
    return to_error(refusal.status, refusal.code, refusal.message, entry.request_id, refusal.encoded)


def _query(raw_query: str) -> dict[str, str]:
    """The parameters; one that is there several times, as the SDK sends a list, has all its values with commas."""
    found: dict[str, str] = {}
    for key, _, value in (part.partition("=") for part in raw_query.split("&") if part):
        name = unquote(key)
        found[name] = f"{found[name]},{unquote(value)}" if name in found else unquote(value)
    return found


def _server_time(cloud: Cloud) -> float:
    return cloud.clock.now() + cloud.world.timings.clock_skew_seconds


def _dropped(request: web.BaseRequest) -> web.Response:
    """Close the connection; the response that is returned can no longer be written."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _send(cloud: Cloud, request: web.BaseRequest, answer: Answer, request_id: str) -> web.StreamResponse:
    headers = {
        "X-Request-Id": request_id,
        "Content-Type": answer.content_type,
        "Server": "api-gateway",
        "Date": formatdate(_server_time(cloud), usegmt=True),
        **answer.headers,
    }
    if not answer.padding:
        return web.Response(status=answer.status, body=answer.body, headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(answer.body) + answer.padding
    # A client that has read enough hangs up: that is what a huge body is for.
    with suppress(ConnectionError):
        await response.prepare(request)
        for start in range(0, answer.padding, len(CHUNK)):
            await response.write(CHUNK[: answer.padding - start])
        await response.write(answer.body)
        await response.write_eof()
    return response
