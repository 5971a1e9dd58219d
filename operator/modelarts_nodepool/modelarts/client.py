"""ports.ModelArts over HTTP: builds each call, sends it once, and turns the response into a value or an error.

Built by app.py, one for each account, and used through access/gateway.py. Keeps nothing but the connections and the
last list of each resource pool.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from ssl import SSLContext
from typing import TypeVar

from modelarts_nodepool import metrics
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import CloudError, CredentialsUnavailable, MalformedAnswer
from modelarts_nodepool.lru import LRU
from modelarts_nodepool.modelarts import parse
from modelarts_nodepool.modelarts.endpoints import Endpoint
from modelarts_nodepool.modelarts.faults import to_error
from modelarts_nodepool.modelarts.transport import Bounds, Call, Operation, Response, Transport, check_id
from modelarts_nodepool.modelarts.workloads import WorkloadPages
from modelarts_nodepool.ports import (
    Accepted,
    AccessKey,
    Clock,
    CloudNode,
    CloudNodePool,
    CloudResourcePool,
    CloudWorkload,
    NodePoolListing,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

_READ = frozenset({200})
_ACCEPTED = frozenset({200, 202, 204})
# 100 pages of up to 500 nodes: far more than ModelArts allows in a resource pool. Or of as many jobs.
_MAX_PAGES = 100
# How often a list of jobs that changes while it is read is read from its start.
_MAX_READINGS = 3
# Longer than any poll interval.
_LIST_TTL = timedelta(hours=3)


@dataclass(slots=True)
class _LastList:
    """The last valid list of one resource pool: digest, node pools, and the node pool of each item."""

    digest: bytes = b""
    node_pools: Mapping[str, CloudNodePool] = field(default_factory=dict)
    items: parse.KnownItems = field(default_factory=dict)

    def read(self, body: bytes) -> Mapping[str, CloudNodePool]:
        """The node pools in the body of the next list. Raises errors.MalformedAnswer.

        Most polls find nothing new. Equal bytes mean equal node pools; parsing costs more than the rest of a poll.
        """
        digest = sha256(body).digest()
        if self.digest != digest:
            self.node_pools = parse.read_node_pools(body, self.items)
            self.digest = digest
        return self.node_pools


@dataclass(frozen=True, slots=True)
class CallReport:
    """One finished call, for logs and metrics. `outcome` is the status, or the error class if there is no status."""

    operation: Operation
    resource_pool: str | None
    node_pool: str | None
    outcome: str
    duration: timedelta
    request_id: str | None


def count_call(report: CallReport) -> None:
    """Metrics and a debug line for a call that has ended; the operator's `on_call`."""
    metrics.CLOUD_REQUESTS.labels(report.operation, report.outcome).inc()
    metrics.CLOUD_REQUEST_SECONDS.labels(report.operation).observe(report.duration.total_seconds())
    logger.debug(
        "%s: %s",
        report.operation,
        report.outcome,
        extra={
            "resourcePool": report.resource_pool,
            "nodePool": report.node_pool,
            "requestId": report.request_id,
            "durationSeconds": round(report.duration.total_seconds(), 3),
        },
    )


class ModelArtsClient:
    """ports.Connections to one project in one region, and ports.ModelArts for one key."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        project_id: str,
        clock: Clock,
        trust: SSLContext,
        key: AccessKey | None = None,
        on_call: Callable[[CallReport], None] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._project_id = project_id
        self._key = key
        self._clock = clock
        self._on_call = on_call
        self._transport = Transport(endpoint, trust=trust, bounds=bounds)
        self._last_lists: LRU[str, _LastList] = LRU(clock.monotonic, _LastList, _LIST_TTL)

    def with_key(self, key: AccessKey) -> "ModelArtsClient":
        """This client with another key, over the same connections."""
        other = copy(self)
        other._key = key  # noqa: SLF001 - its own
        return other

    async def list_pools(self, workspace: str) -> Mapping[str, CloudResourcePool]:
        """All resource pools of a workspace by name."""
        check_id("workspace", workspace)
        call = self._call(Operation.LIST_POOLS, query=(("workspaceId", workspace),))
        return await self._read(call, parse.read_resource_pools)

    async def show_pool(self, resource_pool: str) -> CloudResourcePool:
        """One resource pool. Raises errors.ResourcePoolNotFound if ModelArts says that it does not exist."""
        call = self._call(Operation.SHOW_POOL, resource_pool)
        return await self._read(call, lambda body: parse.read_resource_pool(body, resource_pool))

    async def list_node_pools(self, resource_pool: str) -> NodePoolListing:
        """All node pools of a resource pool. A body equal to the last one is not parsed again."""
        # The call first: no list is kept of a name that is not valid.
        call = self._call(Operation.LIST_NODE_POOLS, resource_pool)
        last = self._last_lists.get(resource_pool)
        return await self._read(call, lambda body: NodePoolListing(last.read(body)))

    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        """One node pool. Raises errors.NotFound if ModelArts says that it does not exist."""
        call = self._call(Operation.SHOW_NODE_POOL, resource_pool, node_pool)
        return await self._read(call, lambda body: parse.read_node_pool(body, node_pool))

    async def list_node_pool_nodes(self, resource_pool: str, node_pool: str) -> Sequence[CloudNode]:
        """All nodes of a node pool, page by page until a page has no continue token."""
        nodes: list[CloudNode] = []
        used: set[str] = set()
        query: tuple[tuple[str, str], ...] = ()
        for _ in range(_MAX_PAGES):
            call = self._call(Operation.LIST_NODE_POOL_NODES, resource_pool, node_pool, query)
            page, token = await self._read(call, parse.read_nodes)
            nodes += page
            if token is None:
                return nodes
            if token in used:
                raise MalformedAnswer(f"{call.title} returned to an earlier page; reading stopped")
            used.add(token)
            query = (("continue", token),)
        raise MalformedAnswer(
            f"list_node_pool_nodes of node pool {node_pool} in resource pool {resource_pool} did not end after "
            f"{_MAX_PAGES} pages; reading stopped"
        )

    async def list_workloads(self, resource_pool: str) -> Sequence[CloudWorkload]:
        """All jobs of a resource pool, page by page; from the first page again if the list changes."""
        title = f"list_workloads of resource pool {resource_pool}"
        for _ in range(_MAX_READINGS):
            pages = WorkloadPages()
            for _ in range(_MAX_PAGES):
                call = self._call(Operation.LIST_WORKLOADS, resource_pool, query=pages.query)
                await self._read(call, pages.add)
                if pages.has_changed:
                    break
                if pages.is_complete:
                    return pages.join()
            else:
                raise MalformedAnswer(f"{title} did not end after {_MAX_PAGES} pages; reading stopped")
        raise MalformedAnswer(
            f"{title} changed while it was read, {_MAX_READINGS} times in a row: jobs may be missing. The answer is "
            "ignored"
        )

    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        """Ask for the deletion of a node pool. 200, 202 and 204 mean accepted, whatever the body."""
        call = self._call(Operation.DELETE_NODE_POOL, resource_pool, node_pool)
        return await self._send(call, lambda response: Accepted(request_id=response.request_id))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    def _call(
        self,
        operation: Operation,
        resource_pool: str | None = None,
        node_pool: str | None = None,
        query: tuple[tuple[str, str], ...] = (),
    ) -> Call:
        return Call(operation, self._project_id, resource_pool, node_pool, query)

    async def _read(self, call: Call, read: Callable[[bytes], T]) -> T:
        """Send the call and read its body. Raises errors.MalformedAnswer, which names the call, if `read` does."""

        def read_body(response: Response) -> T:
            try:
                return read(response.body)
            except MalformedAnswer as error:
                problem = str(error)
            raise _malformed(call, response, problem)

        return await self._send(call, read_body)

    async def _send(self, call: Call, read: Callable[[Response], T]) -> T:
        key = self._key
        if key is None:
            raise CredentialsUnavailable("the client has no access key; access/gateway.py sets it")
        begun = self._clock.monotonic()
        outcome, request_id = "Cancelled", None
        try:
            response = await self._transport.send(call, key, self._clock.now())
            request_id = response.request_id
            self._raise_for_status(call, response, key)
            value = read(response)
            outcome = str(response.status)
        except Exception as error:
            outcome = _outcome(error)
            raise
        else:
            return value
        finally:
            self._report(call, outcome, begun, request_id)

    def _raise_for_status(self, call: Call, response: Response, key: AccessKey) -> None:
        if response.status not in (_ACCEPTED if call.is_deletion else _READ):
            hidden = (key.access, key.secret, key.security_token or "")
            raise to_error(call, response, self._clock.now(), hidden)

    def _report(self, call: Call, outcome: str, begun: float, request_id: str | None) -> None:
        if self._on_call is None:
            return
        duration = timedelta(seconds=self._clock.monotonic() - begun)
        self._on_call(CallReport(call.operation, call.resource_pool, call.node_pool, outcome, duration, request_id))


def _malformed(call: Call, response: Response, problem: str) -> MalformedAnswer:
    return MalformedAnswer(
        f"{call.title} was answered {response.status}, but {problem}. The answer is ignored. "
        f"Check that --endpoint and any proxy lead to ModelArts; see: {remedies.list_accounts()}",
        status=response.status,
        request_id=response.request_id,
    )


def _outcome(error: Exception) -> str:
    is_answer = isinstance(error, CloudError) and not isinstance(error, MalformedAnswer)
    status = getattr(error, "status", None) if is_answer else None
    return type(error).__name__ if status is None else str(status)
