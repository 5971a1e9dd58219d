"""What kopf is used for: three watches that fill the registry.

The one kind of handler is on.event: it makes no PATCH, knows no finalizer and never waits. kopf would remove its
own configured finalizer wherever no handler asks for it, so that name is one that no object ever carries.
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
    """All handlers, each with an id of its own. A sink takes an object and whether it is gone."""
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
    """Settings under which kopf writes nothing, ends quickly and does not trust a silent stream.

    `stream`: the API server ends each stream after so long; `reconnect`: one that is silent for so long is dead.
    """
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = NEVER_USED_FINALIZER
    settings.posting.enabled = False
    # While a CRD terminates, discovery drops it and kopf would go blind for its objects without a word.
    settings.scanning.disabled = True
    # kopf drops events while it throttles after an error.
    settings.queueing.error_delays = ()
    settings.queueing.exit_timeout = 0.2
    settings.process.ultimate_exiting_timeout = None
    # Short: while the API server is away, a long wait between two tries would outlast it.
    settings.networking.error_backoffs = (1, 1, 2)
    settings.watching.server_timeout = round(stream.total_seconds())
    settings.watching.inactivity_timeout = reconnect.total_seconds()
    # Whole bodies of ten thousand objects at once are a peak in memory for nothing.
    settings.watching.chunk_size = KUBE_PAGE_SIZE
    # A task for each object holds its last body for so long after its last event.
    settings.queueing.idle_timeout = 0.5
    settings.persistence.diffbase_storage = _NoMemory()
    return settings


class _NoMemory(kopf.DiffBaseStorage):
    """kopf compares each version with the last one handled, deep copies and all, whether a handler asks or not."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Nothing of it."""
        return kopf.BodyEssence({})

    @override
    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing was stored."""
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is ever stored."""
