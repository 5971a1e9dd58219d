"""Tells people what happened, as core/v1 Events: few, late if need be, and never in anybody's way.

controllers/ calls `record`, which returns at once; one task runs `run`. Ten a second with a burst of fifty go out,
the rest waits in a bounded queue, and what does not fit is dropped and counted. Nothing here raises into a caller.
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
from modelarts_nodepool.api.unreadable import Misfit
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import Cluster

COMPONENT = "modelarts-nodepool-operator"
# What kubectl describe looks through for an object without a namespace.
_CLUSTER_SCOPED = "default"
_LONGEST_MESSAGE = 1024
_LONGEST_PREFIX = 200
# Most of them are gone for good; one that is forgotten here and refuses again is reported again.
_MOST_REFUSING = 1000
_SAY_EVERY_SECONDS = 60.0

_logger = logging.getLogger(__name__)


class EventType(StrEnum):
    """The two types that Kubernetes knows."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Reference:
    """The object an Event is about; lives on where the object is gone."""

    kind: str
    name: str
    namespace: str
    uid: str
    api_version: str = API_VERSION

    @classmethod
    def to(cls, thing: "NodePool | Misfit | Account | Reference") -> "Reference":
        """A reference to an object in hand."""
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
    """The queue between what happens and what is posted. `dropped` and `posted` count since the start."""

    def __init__(self, cluster: Cluster, queued: int = settings.EVENTS_QUEUED) -> None:
        self._cluster = cluster
        self._queue: deque[_Event] = deque()
        self._longest = queued
        self._filled = asyncio.Event()
        self._refusing: dict[str, None] = {}
        self._instance = socket.gethostname()
        self._said_at = float("-inf")
        self.dropped = 0
        self.posted = 0

    def record(
        self, thing: NodePool | Misfit | Account | Reference, type_: EventType, reason: str, message: str
    ) -> None:
        """Queue an Event about an object. Never waits, never raises."""
        if len(self._queue) >= self._longest:
            self.dropped += 1
            return
        text = clean(message, _LONGEST_MESSAGE)
        self._queue.append(_Event(Reference.to(thing), type_, reason, text, datetime.now(UTC)))
        self._filled.set()

    async def run(self) -> None:
        """Post what is queued, for ever."""
        allowance = _Allowance(settings.EVENTS_A_SECOND, settings.EVENTS_BURST)
        while True:
            while not self._queue:
                self._filled.clear()
                await self._filled.wait()
            await allowance.take()
            await self._post(self._queue.popleft())

    async def _post(self, event: _Event) -> None:
        namespace = event.about.namespace or _CLUSTER_SCOPED
        try:
            await self._cluster.create(paths.events(namespace), _to_body(event, namespace, self._instance))
        except ClusterError as error:
            self.dropped += 1
            self._report(namespace, error)
        else:
            self.posted += 1
            self._refusing.pop(namespace, None)

    def _report(self, namespace: str, error: ClusterError) -> None:
        """Once per namespace for a refusal: a terminating namespace refuses them all."""
        if error.status == HTTPStatus.FORBIDDEN:
            if namespace in self._refusing:
                return
            self._refusing[namespace] = None
            if len(self._refusing) > _MOST_REFUSING:
                del self._refusing[next(iter(self._refusing))]
            _logger.warning("namespace %s takes no Events, they are left out: %s", namespace, error)
        elif time.monotonic() - self._said_at >= _SAY_EVERY_SECONDS:
            # An API server in trouble loses ten a second.
            self._said_at = time.monotonic()
            _logger.warning(
                "Events are lost, %d since the start; the last one in namespace %s: %s", self.dropped, namespace, error
            )


class _Allowance:
    """So many at once, then so many a second."""

    def __init__(self, a_second: float, burst: int) -> None:
        self._a_second = a_second
        self._burst = burst
        self._left = float(burst)
        self._counted_at = time.monotonic()

    async def take(self) -> None:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self._a_second)
        self._counted_at = now
        self._left -= 1
        if self._left < 0:
            await asyncio.sleep(-self._left / self._a_second)


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
