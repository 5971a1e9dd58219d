"""The issuers of temporary keys over HTTP: instance metadata, pod identity agent, security token service.

server.py hands those paths in that belong to them. Written from the API notes, sections 6.3 and 6.4, never from the
operator's client.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from aiohttp import web

from lab.simulator.answers import timestamp
from lab.simulator.cloud import Cloud
from lab.simulator.requestlog import Entry
from lab.simulator.scenario import Credential

_LONGEST_SESSION = 21_600
_LEAST_SECONDS, _MOST_SECONDS = 900, 43_200
_OIDC_KEYS = {"provider_urn", "agency_urn", "agency_session_name", "id_token", "duration_seconds"}
Handler = Callable[[Cloud, web.BaseRequest, Entry], Awaitable[web.Response]]


def find_issuer(request: web.BaseRequest) -> str | None:
    """The operation that a request to an issuer is logged under, None for every other request."""
    found = _ISSUERS.get((request.method, request.raw_path))
    return found[0] if found else None


async def answer_issuer(cloud: Cloud, request: web.BaseRequest) -> web.Response:
    """Answer one request to an issuer and put it on record."""
    operation, handler = _ISSUERS[request.method, request.raw_path]
    entry = cloud.log.open(cloud.clock.now(), request.method, request.raw_path, cloud.new_request_id())
    entry.operation = operation
    cloud.log.count(operation)
    status = cloud.issued.settings.fails_with
    answer = _refused(status, "out of order") if status else await handler(cloud, request, entry)
    entry.status = answer.status
    return answer


async def _open_session(cloud: Cloud, request: web.BaseRequest, _: Entry) -> web.Response:
    if cloud.issued.settings.metadata == "tokenless":
        return _refused(404, "not found")
    seconds = request.headers.get("X-Metadata-Token-Ttl-Seconds", "")
    if not seconds.isdecimal() or not 1 <= int(seconds) <= _LONGEST_SESSION:
        return _refused(400, "X-Metadata-Token-Ttl-Seconds has to be 1 to 21600")
    return web.Response(text=cloud.issued.open_session(int(seconds)))


async def _show_security_key(cloud: Cloud, request: web.BaseRequest, entry: Entry) -> web.Response:
    mode = cloud.issued.settings.metadata
    if mode == "noAgency":
        return _refused(401, "Please configure Cloud Service Agency first")
    if mode == "tokens" and not cloud.issued.is_open(request.headers.get("X-Metadata-Token", "")):
        return _refused(401, "Unauthorized")
    key, expires = _issue(cloud, entry)
    credential = {"access": key.access_key, "secret": key.secret_key, "securitytoken": key.security_token}
    return web.json_response({"credential": credential | {"expires_at": expires}})


async def _assume_by_pod_identity(cloud: Cloud, request: web.BaseRequest, entry: Entry) -> web.Response:
    if not _is_believed(cloud, request.headers.get("Authorization")):
        return _refused(401, "the service account token is not valid")
    if await _body(request) != {}:
        return _refused(400, "the body has to be an empty object")
    key, expires = _issue(cloud, entry)
    credentials = {
        "accessKeyId": key.access_key,
        "secretAccessKey": key.secret_key,
        "securityToken": key.security_token,
        "expiration": expires,
    }
    return web.json_response({"assumedAgency": {"urn": "", "id": ""}, "audience": "", "credentials": credentials})


async def _assume_by_oidc(cloud: Cloud, request: web.BaseRequest, entry: Entry) -> web.Response:
    body = await _body(request)
    if body is None or not body.keys() >= _OIDC_KEYS or not all(body.values()):
        return _sts_refused(400, "required are " + ", ".join(sorted(_OIDC_KEYS)))
    seconds = body["duration_seconds"]
    if not isinstance(seconds, int) or not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        return _sts_refused(400, "duration_seconds has to be 900 to 43200")
    if not _is_believed(cloud, body["id_token"]):
        return _sts_refused(403, "the id token is not trusted by the agency")
    key, expires = _issue(cloud, entry, seconds)
    credentials = {
        "access_key_id": key.access_key,
        "secret_access_key": key.secret_key,
        "security_token": key.security_token,
        "expiration": expires,
    }
    return web.json_response({"credentials": credentials})


def _issue(cloud: Cloud, entry: Entry, seconds: float | None = None) -> tuple[Credential, str]:
    key, ends = cloud.issued.issue(seconds)
    entry.access_key = key.access_key
    if not cloud.issued.settings.fraction:
        return key, timestamp(ends)
    return key, datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_believed(cloud: Cloud, token: object) -> bool:
    wanted = cloud.issued.settings.id_token
    return isinstance(token, str) and bool(token) and wanted in {None, token}


async def _body(request: web.BaseRequest) -> dict[str, object] | None:
    try:
        found = json.loads(await request.read())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _refused(status: int, words: str) -> web.Response:
    return web.json_response({"code": str(status), "message": words}, status=status)


def _sts_refused(status: int, words: str) -> web.Response:
    # The real codes are not published; this one is the simulator's own.
    return web.json_response({"error_code": "STS5.SIMULATED", "error_msg": words}, status=status)


_ISSUERS: Mapping[tuple[str, str], tuple[str, Handler]] = {
    ("PUT", "/meta-data/latest/api/token"): ("issue_metadata_token", _open_session),
    ("GET", "/openstack/latest/securitykey"): ("issue_metadata_key", _show_security_key),
    ("POST", "/v1/credentials"): ("issue_pod_identity_key", _assume_by_pod_identity),
    ("POST", "/v5/agencies/assume-with-oidc"): ("issue_oidc_key", _assume_by_oidc),
}
