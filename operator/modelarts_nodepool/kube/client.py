"""A client of the API server: lists, reads, JSON patches, creations. The implementation of ports.Cluster.

Each request has a time limit. A write is never repeated. Controllers call it, and the recorder of kube/events.py.

Each patch tests the uid and the resourceVersion of the object that the decision was made on. So it never changes an
object created again with the same name, nor a newer version: the result is errors.ObjectChanged then. The patches
change the status and our own finalizer, nothing else.

What answers mean was measured on kube-apiserver 1.36. It answers 422 Invalid *without* details.causes to a JSON patch
that cannot be applied (a failed `test`, a missing path), and 422 Invalid *with* causes if the schema or a CEL rule
rejects the object. An admission webhook or policy chooses the status of its refusal itself, also 404 and 409: only the
message distinguishes these from the API server's own answers.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from modelarts_nodepool import settings
from modelarts_nodepool.api.account import AccountStatus
from modelarts_nodepool.api.meta import Condition
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER, NODE_POOL_FINALIZER
from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.objects import Account, Metadata, NodePool
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectChanged, ObjectGone, RefusedByAPIServer
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.logs import clean

Operation = dict[str, Any]
Patch = list[Operation]

_FINALIZERS = "/metadata/finalizers"


def build_finalizer_added(thing: NodePool | Account) -> Patch:
    """Adds our finalizer after the existing ones."""
    ours = _finalizer_of(thing)
    if ours in thing.metadata.finalizers:
        raise ValueError(f"{thing.metadata.name} has the finalizer {ours} already")
    return [*_tests(thing.metadata), _added(thing.metadata, ours)]


def build_finalizer_removed(thing: NodePool | Account) -> Patch:
    """Removes our finalizer and no other, at any place in the list."""
    ours = _finalizer_of(thing)
    if ours not in thing.metadata.finalizers:
        raise ValueError(f"{thing.metadata.name} has no finalizer {ours}")
    place = f"{_FINALIZERS}/{thing.metadata.finalizers.index(ours)}"
    return [
        *_tests(thing.metadata),
        # The test of resourceVersion implies this; removal by index is dangerous enough for a second test.
        {"op": "test", "path": place, "value": ours},
        {"op": "remove", "path": place},
    ]


def build_status(thing: NodePool | Account, status: NodePoolStatus | AccountStatus) -> Patch:
    """Replaces the whole status; for the status subresource."""
    return [*_tests(thing.metadata), {"op": "add", "path": "/status", "value": status.to_wire()}]


def build_conditions(found: UnreadableObject, conditions: Iterable[Condition]) -> Patch:
    """Replaces only conditions and observedGeneration; for the status subresource."""
    parts = {
        "observedGeneration": found.metadata.generation,
        "conditions": [condition.to_wire() for condition in conditions],
    }
    if not found.has_status:
        return [*_tests(found.metadata), {"op": "add", "path": "/status", "value": parts}]
    # `add` replaces an existing member.
    written = [{"op": "add", "path": f"/status/{name}", "value": value} for name, value in parts.items()]
    return [*_tests(found.metadata), *written]


def _tests(metadata: Metadata) -> Patch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": metadata.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata.resource_version},
    ]


def _added(metadata: Metadata, finalizer: str) -> Operation:
    if metadata.finalizers:
        return {"op": "add", "path": f"{_FINALIZERS}/-", "value": finalizer}
    # The API server omits an empty list, and `-` needs a list.
    return {"op": "add", "path": _FINALIZERS, "value": [finalizer]}


def _finalizer_of(thing: NodePool | Account) -> str:
    return NODE_POOL_FINALIZER if isinstance(thing, NodePool) else ACCOUNT_FINALIZER


T = TypeVar("T")
Body = Mapping[str, Any]

_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"
_METADATA = f"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,{_JSON}"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_FIRST_FAILURE = 300
_HAS_RETRY_AFTER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
# Plain text instead of a Status object: the API server's answer for a group that it does not serve.
_UNKNOWN_PATH = b"404 page not found"
_MAX_MESSAGE = 400
# apiserver/pkg/admission/plugin: webhook/errors/statuserror.go, webhook/dispatcher.go, policy/validating/plugin.go.
_BY_ADMISSION = re.compile(
    r"admission webhook \".*\" denied the request|(Validating|Mutating)AdmissionPolicy '.*' with binding '.*' denied "
    r"request|failed calling webhook|request is too large"
)
_REFUSALS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


class KubeCluster:
    """The API server behind a connection.

    `timeout` limits each request from when it is sent, including its one retry after a 429; in a list it limits each
    page. A request waits without a limit for those before it, each of which has one.
    """

    def __init__(self, connection: Connection, timeout: timedelta = settings.KUBE_TIMEOUT) -> None:
        self._connection = connection
        self._timeout = timeout

    async def get(self, path: str) -> Body:
        """One object. Also /version and the like."""
        return await self._read(path, {}, _JSON)

    async def get_metadata(self, path: str) -> Body:
        """The same with `metadata` only, if the API server can: the values of a Secret are not needed."""
        return await self._read(path, {}, _METADATA)

    async def list_as(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        """All items, without managedFields, from one moment after the call began.

        Each item is converted when its page arrives: whole bodies of 10,000 objects are 100 MB.
        """
        return await self._list(path, convert, _JSON)

    async def list_metadata(self, path: str, convert: Callable[[Body], T]) -> list[T]:
        """The same with `metadata` only in each item, for a resync."""
        return await self._list(path, convert, _METADATA_LIST)

    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        """The object after the patch. Raises errors.ObjectChanged if a `test` in the patch failed."""
        return await self._send("PATCH", path, patch, _JSON_PATCH)

    async def create(self, path: str, body: Body) -> Body:
        """The new object. Raises errors.ObjectChanged if its name exists."""
        return await self._send("POST", path, body, _JSON)

    async def replace(self, path: str, body: Body) -> Body:
        """Replace the version in `body`. Raises errors.ObjectChanged if there is a newer one."""
        return await self._send("PUT", path, body, _JSON)

    async def _list(self, path: str, convert: Callable[[Body], T], accept: str) -> list[T]:
        try:
            return await self._list_once(path, convert, accept)
        except ClusterError as error:
            # The continue token is older than etcd's history. The pages so far show an older moment: start again.
            if error.status != HTTPStatus.GONE:
                raise
        return await self._list_once(path, convert, accept)

    async def _list_once(self, path: str, convert: Callable[[Body], T], accept: str) -> list[T]:
        items: list[T] = []
        query = {"limit": str(settings.KUBE_PAGE_SIZE)}
        while True:
            # Without a resourceVersion the answer comes from etcd, never from a stale cache.
            page = await self._read(path, query, accept)
            found = page.get("items")
            # Go writes an empty list as null.
            for body in _to_items(path, [] if found is None else found):
                _drop_managed_fields(body)
                items.append(convert(body))
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    async def _read(self, path: str, query: Mapping[str, str], accept: str) -> Body:
        url = URL(self._connection.server + path, encoded=True).update_query(query)
        return await self._request("GET", path, url, headers={"Accept": accept})

    async def _send(self, method: str, path: str, content: Any, content_type: str) -> Body:  # noqa: ANN401 - JSON
        url = URL(self._connection.server + path, encoded=True)
        headers = {"Accept": _JSON, "Content-Type": content_type}
        return await self._request(method, path, url, headers=headers, json=content)

    async def _request(self, method: str, path: str, url: URL, **options: Any) -> Body:  # noqa: ANN401 - aiohttp's
        call = f"{method} {path.partition('?')[0]}"
        try:
            # The wait for a slot does not count: a queue of our own is no API server that does not answer.
            async with self._connection.slots, asyncio.timeout(self._timeout.total_seconds()):
                status, body, retry_after = await self._exchange(method, url, options)
                if status == HTTPStatus.TOO_MANY_REQUESTS and method == "GET":
                    await asyncio.sleep(min(retry_after, settings.KUBE_RETRY_AFTER_LIMIT.total_seconds()))
                    status, body, retry_after = await self._exchange(method, url, options)
        except TimeoutError:
            seconds = self._timeout.total_seconds()
            raise ClusterUnavailable(f"No answer to {call} within {seconds:g} s.") from None
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # aiohttp raises RuntimeError if the session was closed during the request.
            raise ClusterUnavailable(
                f"The API server at {self._connection.server} did not answer {call} ({_describe(error)}): "
                "see kubectl cluster-info."
            ) from error
        if status >= _FIRST_FAILURE:
            failure = to_error(call, status, body)
            failure.retry_after = timedelta(seconds=retry_after) if status in _HAS_RETRY_AFTER else None
            raise failure
        return to_object(call, body)

    async def _exchange(self, method: str, url: URL, options: Any) -> tuple[int, bytes, float]:  # noqa: ANN401 - aiohttp's
        session = self._connection.session
        async with session.request(method, url, allow_redirects=False, **options) as response:
            body = await response.read()
            return response.status, body, _to_seconds(response.headers.get("Retry-After"))


def to_error(call: str, status: int, body: bytes) -> ClusterError:
    """The error for an answer without success. `call` is the method and path, for the message.

    422 with causes is RefusedByAPIServer: a new decision would change nothing, a person has to act.
    """
    answer = _to_status(body)
    said = clean(str(answer.get("message") or "no reason given"), _MAX_MESSAGE)
    message = f"The API server answered {status} to {call}: {said}"
    if _BY_ADMISSION.search(str(answer.get("message"))):
        return RefusedByAPIServer(message, status=status)
    if status == HTTPStatus.NOT_FOUND and (answer or body.strip() == _UNKNOWN_PATH):
        return ObjectGone(message, status=status)
    if status == HTTPStatus.CONFLICT and answer:
        return ObjectChanged(message, status=status)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and answer and not _has_causes(answer):
        return ObjectChanged(f"The object is not what the patch expects any more ({call}: 422).", status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        message += ". The token was not accepted: see kubectl auth whoami."
    elif status == HTTPStatus.FORBIDDEN:
        message += ". See kubectl auth can-i --list."
    elif not answer:
        message = (
            f"The answer {status} to {call} is not the API server's: is there a proxy in between? "
            "Compare kubectl get --raw /version."
        )
    kind = RefusedByAPIServer if answer and status in _REFUSALS else ClusterUnavailable
    return kind(message, status=status)


def to_object(call: str, body: bytes) -> dict[str, Any]:
    """The object in a successful answer, without managedFields: they need more memory than everything else."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ClusterUnavailable(f"The API server's answer to {call} is not a JSON object.")
    _drop_managed_fields(answer)
    return answer


def _has_causes(answer: Mapping[str, Any]) -> bool:
    """Whether a Status names the invalid fields."""
    details = answer.get("details")
    return isinstance(details, Mapping) and bool(details.get("causes"))


def _to_status(body: bytes) -> Mapping[str, Any]:
    """The Status object in a body; empty if the body is something else."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _to_items(path: str, items: Any) -> Sequence[Body]:  # noqa: ANN401 - JSON of any type
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    raise ClusterUnavailable(f"The API server's answer to GET {path} holds no list of objects.")


def _drop_managed_fields(body: Mapping[str, Any]) -> None:
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)


def _describe(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        # Its text holds the proxy's URL, and that may hold a password.
        return f"the proxy answered {error.status} {clean(error.message)}".rstrip()
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy {error.host}:{error.port} cannot be reached: {clean(str(error.os_error))}"
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its text holds the memory address of an SSLContext, which differs from process to process.
        return f"{type(error).__name__}: {clean(str(error.os_error))}"
    return f"{type(error).__name__}: {clean(str(error))}" if str(error) else type(error).__name__


def _to_seconds(retry_after: str | None) -> float:
    """The pause of a Retry-After header in seconds; one second if there is none."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
