"""The control endpoint below /_simulator: look at the world, change it, set faults, read the request log.

Unsigned and open to whoever reaches loopback. docs/simulator.md describes it for users.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from lab.simulator.changes import apply_changes
from lab.simulator.cloud import Cloud
from lab.simulator.problems import Problem, ScenarioError, find_problems
from lab.simulator.reports import to_state
from lab.simulator.scenario_faults import Fault

PREFIX = "/_simulator/"
Report = dict[str, Any]
Handler = Callable[[Cloud, web.BaseRequest], Awaitable[Report]]


async def answer_control(cloud: Cloud, request: web.BaseRequest) -> web.Response:
    """Answer one request to the control endpoint."""
    handler = _HANDLERS.get((request.method, request.path))
    if handler is None:
        known = ", ".join(f"{method} {path}" for method, path in _HANDLERS)
        return _problem(404, [Problem((), f"there is no such control; known are {known}")])
    try:
        return web.json_response(await handler(cloud, request))
    except ScenarioError as error:
        return _problem(400, error.problems)


async def _show_state(cloud: Cloud, request: web.BaseRequest) -> Report:
    return to_state(cloud, request.query.getall("resourcePool", None))


async def _change_state(cloud: Cloud, request: web.BaseRequest) -> Report:
    return to_state(cloud, apply_changes(cloud, await _json(request)))


async def _show_faults(cloud: Cloud, _request: web.BaseRequest) -> Report:
    return {"faults": [armed.to_report() for armed in cloud.faults.armed]}


async def _add_faults(cloud: Cloud, request: web.BaseRequest) -> Report:
    content = await _json(request)
    faults = content if isinstance(content, list) else [content]
    try:
        added = cloud.faults.add([Fault.model_validate(fault) for fault in faults])
    except ValidationError as error:
        raise ScenarioError(find_problems(error, Fault)) from error
    return {"faults": [armed.to_report() for armed in added]}


async def _clear_faults(cloud: Cloud, _request: web.BaseRequest) -> Report:
    cloud.faults.clear()
    return {"faults": []}


async def _show_requests(cloud: Cloud, request: web.BaseRequest) -> Report:
    since = request.query.get("since", "0")
    if not since.isdecimal():
        raise ScenarioError([Problem(("since",), "write the number of a request, or 0 for all")])
    entries = cloud.log.since(int(since), request.query.get("operation"))
    return {
        "requests": [entry.to_report() for entry in entries],
        "counts": dict(cloud.log.counts),
        "last": cloud.log.last_number,
        "time": datetime.fromtimestamp(cloud.clock.now(), UTC).isoformat(timespec="microseconds"),
    }


async def _clear_requests(cloud: Cloud, _request: web.BaseRequest) -> Report:
    cloud.log.clear()
    return {"requests": [], "counts": {}, "last": cloud.log.last_number}


async def _json(request: web.BaseRequest) -> object:
    try:
        content: object = json.loads(await request.read())
    except ValueError as error:
        raise ScenarioError([Problem((), "the body is not JSON")]) from error
    return content


def _problem(status: int, problems: list[Problem]) -> web.Response:
    listed = [{"key": problem.key, "message": problem.message} for problem in problems]
    return web.json_response({"errors": listed}, status=status)


_HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("GET", f"{PREFIX}state"): _show_state,
    ("PATCH", f"{PREFIX}state"): _change_state,
    ("GET", f"{PREFIX}faults"): _show_faults,
    ("POST", f"{PREFIX}faults"): _add_faults,
    ("DELETE", f"{PREFIX}faults"): _clear_faults,
    ("GET", f"{PREFIX}requests"): _show_requests,
    ("DELETE", f"{PREFIX}requests"): _clear_requests,
}
