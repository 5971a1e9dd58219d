"""Records core/v1 Events. It never delays or fails a reconcile.

controllers/ calls `record`, which returns at once; one task runs `run`, which posts ten Events a second with a burst of
fifty. Further Events wait in a bounded queue; a full queue drops new ones and counts them.
"""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from modelarts_nodepool import settings
from modelarts_nodepool.api.names import ACCOUNT_KIND, API_VERSION, NODE_POOL_KIND
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import Cluster
from modelarts_nodepool.token_bucket import TokenBucket

COMPONENT = "modelarts-nodepool-operator"
# kubectl describe searches this namespace for the Events of a cluster-scoped object.
_CLUSTER_SCOPED = "default"
_LONGEST_MESSAGE = 1024
_LONGEST_PREFIX = 200
# Most of these namespaces never come back. A namespace that was dropped here and refuses again is logged again.
_MAX_REFUSING = 1000
_LOG_INTERVAL_SECONDS = 60.0

_logger = logging.getLogger(__name__)


class EventType(StrEnum):
    """The two types of Events in Kubernetes."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Reference:
    """The object that an Event is about; valid after the object is gone."""

    kind: str
    name: str
    namespace: str
    uid: str
    api_version: str = API_VERSION

    @classmethod
    def to(cls, thing: "NodePool | UnreadableObject | Account | Reference") -> "Reference":
        """A reference to this object."""
        if isinstance(thing, Reference):
            return thing
        kind = ACCOUNT_KIND if isinstance(thing, Account) else NODE_POOL_KIND
        return cls(kind, thing.metadata.name, thing.metadata.namespace, thing.metadata.uid)


@dataclass(frozen=True, slots=True)
class _Event:
    about: Reference
    type: EventType
    reason: str
    message: str
    happened: datetime


class EventRecorder:
    """Queues Events and posts them. `dropped` and `posted` count since the start."""

    def __init__(self, cluster: Cluster, queued: int = settings.EVENTS_QUEUED) -> None:
        self._cluster = cluster
        self._queue: deque[_Event] = deque()
        self._max_queued = queued
        self._filled = asyncio.Event()
        self._refusing: dict[str, None] = {}
        self._instance = socket.gethostname()
        self._logged_at = float("-inf")
        self.dropped = 0
        self.posted = 0

    def record(
        self, thing: NodePool | UnreadableObject | Account | Reference, type_: EventType, reason: str, message: str
    ) -> None:
        """Queue an Event about an object. Never waits, never raises."""
        if len(self._queue) >= self._max_queued:
            self.dropped += 1
            return
        text = clean(message, _LONGEST_MESSAGE)
        self._queue.append(_Event(Reference.to(thing), type_, reason, text, datetime.now(UTC)))
        self._filled.set()

    async def run(self) -> None:
        """Post the queued Events until cancelled."""
        # asyncio.sleep waits by the time of the loop, so the bucket counts by it.
        now = asyncio.get_running_loop().time
        bucket = TokenBucket(settings.EVENTS_A_SECOND, settings.EVENTS_BURST, now())
        while True:
            while not self._queue:
                self._filled.clear()
                await self._filled.wait()
            wait = bucket.acquire(now(), keep_reserve=False)
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            await self._post(self._queue.popleft())

    async def _post(self, event: _Event) -> None:
        namespace = event.about.namespace or _CLUSTER_SCOPED
        try:
            await self._cluster.create(paths.events(namespace), _to_body(event, namespace, self._instance))
        except ClusterError as error:
            self.dropped += 1
            self._log(namespace, error)
        else:
            self.posted += 1
            self._refusing.pop(namespace, None)

    def _log(self, namespace: str, error: ClusterError) -> None:
        """A refusal once per namespace, for a terminating namespace refuses all Events."""
        if error.status == HTTPStatus.FORBIDDEN:
            if namespace in self._refusing:
                return
            self._refusing[namespace] = None
            if len(self._refusing) > _MAX_REFUSING:
                del self._refusing[next(iter(self._refusing))]
            _logger.warning("namespace %s refuses Events; they are dropped: %s", namespace, error)
        elif time.monotonic() - self._logged_at >= _LOG_INTERVAL_SECONDS:
            # While the API server does not answer, ten Events a second are lost.
            self._logged_at = time.monotonic()
            _logger.warning(
                "%d Events are lost since the start; the last one in namespace %s: %s", self.dropped, namespace, error
            )


def _to_body(event: _Event, namespace: str, instance: str) -> Mapping[str, Any]:
    about = event.about
    happened = event.happened.strftime("%Y-%m-%dT%H:%M:%SZ")
    involved = {
        "apiVersion": about.api_version,
        "kind": about.kind,
        "name": about.name,
        "namespace": about.namespace,
        "uid": about.uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{about.name[:_LONGEST_PREFIX]}.", "namespace": namespace},
        "involvedObject": {key: value for key, value in involved.items() if value},
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "firstTimestamp": happened,
        "lastTimestamp": happened,
        "count": 1,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
    }
