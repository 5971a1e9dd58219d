"""The handlers and settings of kopf: three watches that fill the cache.

All handlers are `on.event` handlers: kopf sends no PATCH for them, adds no finalizer, and they never wait. kopf removes
its configured finalizer from objects that no handler needs it for, so its name is one that no object has.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import kopf
from typing_extensions import override

from modelarts_nodepool.api.names import ACCOUNT_PLURAL, GROUP, NODE_POOL_PLURAL, VERSION
from modelarts_nodepool.settings import KUBE_PAGE_SIZE

NEVER_USED_FINALIZER = f"{GROUP}/never-used"
_DELETED = "DELETED"

Body = Mapping[str, Any]
Sink = Callable[[Body, bool], None]
Login = Callable[[], kopf.AiohttpSession]


def build_registry(*, log_in: Login, on_node_pool: Sink, on_account: Sink, on_namespace: Sink) -> kopf.OperatorRegistry:
    """All handlers, each with its own id. A sink gets an object and whether it is gone."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(id="log-in", registry=registry)
    async def on_login(**_: Any) -> kopf.AiohttpSession:  # noqa: ANN401 - kopf's arguments
        return log_in()

    def feeding(sink: Sink) -> Callable[..., Awaitable[None]]:
        async def on_event(event: Mapping[str, Any], **_: Any) -> None:  # noqa: ANN401 - kopf's arguments
            sink(event["object"], event["type"] == _DELETED)

        return on_event

    kopf.on.event(GROUP, VERSION, NODE_POOL_PLURAL, id="node-pool", registry=registry)(feeding(on_node_pool))
    kopf.on.event(GROUP, VERSION, ACCOUNT_PLURAL, id="account", registry=registry)(feeding(on_account))
    kopf.on.event("v1", "namespaces", id="namespace", registry=registry)(feeding(on_namespace))
    return registry


def build_settings(stream: timedelta, reconnect: timedelta) -> kopf.OperatorSettings:
    """Settings with which kopf writes nothing, ends quickly and reconnects silent streams.

    `stream`: the API server ends each stream after this time. `reconnect`: kopf reconnects a stream that is silent for
    this time.
    """
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = NEVER_USED_FINALIZER
    settings.posting.enabled = False
    # While a CRD terminates, discovery omits it. With scanning kopf would silently stop to watch its objects.
    settings.scanning.disabled = True
    # kopf drops events while it throttles itself after an error.
    settings.queueing.error_delays = ()
    settings.queueing.exit_timeout = 0.2
    settings.process.ultimate_exiting_timeout = None
    # Short, so that kopf reconnects soon after an outage of the API server.
    settings.networking.error_backoffs = (1, 1, 2)
    settings.watching.server_timeout = round(stream.total_seconds())
    settings.watching.inactivity_timeout = reconnect.total_seconds()
    # Whole bodies of ten thousand objects at once would be a peak in memory.
    settings.watching.chunk_size = KUBE_PAGE_SIZE
    # kopf has a task for each object, which keeps its last body for this time after its last event.
    settings.queueing.idle_timeout = 0.5
    settings.persistence.diffbase_storage = _NoStorage()
    return settings


class _NoStorage(kopf.DiffBaseStorage):
    """Keeps kopf from comparing each version with the last one that it handled, which takes deep copies."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """An empty essence."""
        return kopf.BodyEssence({})

    @override
    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing is stored."""
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Stores nothing."""
