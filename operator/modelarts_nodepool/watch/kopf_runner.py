"""Runs kopf in a thread and passes its events to the event loop of the controllers.

When kopf stops, it cancels all tasks of its event loop that began after it, also those of other code: in a shared loop
that would end pollers and reconciles. So it has a thread, an event loop and connections for itself.

All handlers are `on.event` handlers, three watches that fill the cache: kopf sends no PATCH for them, adds no
finalizer, and they never wait. kopf removes its configured finalizer from objects that no handler needs it for, so no
object has it. kopf does not report bookmarks. `LastEvents` sees them nevertheless: it is a middleware
of the HTTP session of kopf.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import kopf
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, StreamReader
from typing_extensions import override

from modelarts_nodepool.api.names import ACCOUNT_PLURAL, GROUP, NODE_POOL_PLURAL, VERSION
from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.ports import Clock
from modelarts_nodepool.settings import KUBE_PAGE_SIZE
from modelarts_nodepool.watch.supervisor import WatchTimes

NEVER_USED_FINALIZER = f"{GROUP}/never-used"
_DELETED = "DELETED"
# Turns of kopf's event loop that a deletion lets pass. Measured: a new object is one turn behind.
_TURNS = 10

Body = Mapping[str, Any]

Login = Callable[[], kopf.AiohttpSession]


def build_registry(log_in: Login, cache: Cache, pass_on: Callable[..., None]) -> kopf.OperatorRegistry:
    """All handlers, each with its own id. `pass_on` calls a method of the cache in the controllers' event loop."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(id="log-in", registry=registry)
    async def on_login(**_: Any) -> kopf.AiohttpSession:  # noqa: ANN401 - kopf's arguments
        return log_in()

    def feeding(put: Callable[[Body], object], drop: Callable[[str], None]) -> Callable[..., Awaitable[None]]:
        async def on_event(event: Mapping[str, Any], **__: Any) -> None:  # noqa: ANN401 - kopf's arguments
            metadata = event["object"]["metadata"]
            if event["type"] == _DELETED:
                pass_on(drop, metadata["uid"])
                return
            if metadata.get("deletionTimestamp"):
                # kopf has a worker for each uid, and starts the worker of a new object later than it wakes the worker
                # of a known one. A duplicate that was read before the deletion must be in the cache first.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
            pass_on(put, event["object"])

        return on_event

    node_pool = feeding(cache.observe_node_pool, cache.drop_node_pool)
    account = feeding(cache.upsert_account, cache.drop_account_of)
    namespace = feeding(cache.upsert_namespace, cache.drop_namespace_of)
    kopf.on.event(GROUP, VERSION, NODE_POOL_PLURAL, id="node-pool", registry=registry)(node_pool)
    kopf.on.event(GROUP, VERSION, ACCOUNT_PLURAL, id="account", registry=registry)(account)
    kopf.on.event("v1", "namespaces", id="namespace", registry=registry)(namespace)
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
    """Keeps kopf from comparing each version with the last handled one, which takes deep copies."""

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


logger = logging.getLogger(__name__)

END_SECONDS = 1.0
JOIN_SECONDS = 3.0
# For kopf's peering, which is off. Without an identity kopf looks up the user name, and a Pod's uid may have none.
IDENTITY = "modelarts-nodepool-operator"
# Each watcher of kopf has a task with this name, which waits for a pause of the operator. The watcher ends it.
_WAITER = "pause-waiter"
_WATCHED = (paths.NODE_POOLS, paths.ACCOUNTS, paths.NAMESPACES)


def _is_relevant(record: logging.LogRecord) -> bool:
    return "OS signals are ignored" not in record.getMessage()


# app.py handles the signals; kopf need not log that it ignores them.
logging.getLogger("kopf._core.reactor.running").addFilter(_is_relevant)


class LastEvents:
    """When the watches last received anything: an object, a bookmark, or the start of a stream.

    One instance serves all restarts of the watch.
    """

    def __init__(self, clock: Clock) -> None:
        """Silence counts from now."""
        self._clock = clock
        self._times = dict.fromkeys(_WATCHED, clock.monotonic())

    def times(self) -> dict[str, float]:
        """When each watch last received anything (monotonic seconds), by its path."""
        return dict(self._times)

    def silence(self) -> timedelta:
        """The time since the last event of the watch that has been silent longest. From any thread."""
        return timedelta(seconds=self._clock.monotonic() - min(tuple(self._times.values())))

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Called by aiohttp for each request of kopf."""
        response = await handler(request)
        for path in _WATCHED:
            if request.url.path.endswith(path) and response.status == HTTPStatus.OK:
                self._record(path)
                # The attribute is public, and kopf reads a stream only by iter_chunked.
                response.content = _ObservedStream(response.content, lambda path=path: self._record(path))  # type: ignore[misc,assignment]
        return response

    def _record(self, path: str) -> None:
        self._times[path] = self._clock.monotonic()


class _ObservedStream:
    """Calls `on_chunk` for each chunk that is read."""

    def __init__(self, content: StreamReader, on_chunk: Callable[[], None]) -> None:
        self._content = content
        self._on_chunk = on_chunk

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._content.iter_chunked(size):
            self._on_chunk()
            yield chunk

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a stream
        return getattr(self._content, name)


class Watch:
    """Call it to watch. It returns or raises when kopf ends; cancelling it ends kopf."""

    def __init__(
        self, objects: Cache, connect: Callable[[], Awaitable[Connection]], clock: Clock, times: WatchTimes
    ) -> None:
        """`connect` is called in kopf's thread, in its running event loop."""
        self.objects = objects
        self.connect = connect
        self.times = times
        self.last_events = LastEvents(clock)

    def silence(self) -> timedelta:
        """The time since the last event of the watch that has been silent longest; from any thread."""
        return self.last_events.silence()

    async def __call__(self) -> None:
        """Watch until kopf ends."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        run = _Run(self, loop, ended)
        thread = threading.Thread(target=run.main, name="kopf", daemon=True)
        thread.start()
        try:
            await asyncio.shield(ended)
        finally:
            run.stop()
            # Limited in time: a thread that hangs must not keep the process from ending.
            await asyncio.to_thread(thread.join, JOIN_SECONDS)


class _Run:
    """One run of kopf in a thread."""

    def __init__(self, watch: Watch, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        """`loop` is that of the controllers."""
        self._watch = watch
        self._loop = loop
        self._ended = ended
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._is_stopped = threading.Event()
        self._calls: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._is_scheduled = False

    def main(self) -> None:
        """In the thread."""
        error: BaseException | None = None
        # Not asyncio.run: it waits without a limit for tasks that ignore cancellation.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._run())
        except Exception as caught:  # noqa: BLE001 - raised in the other event loop
            error = _to_cluster_error(caught)
        finally:
            close(loop)
        self._call(self._finish, error)

    def stop(self) -> None:
        """End kopf; called in the controllers' thread."""
        self._is_stopped.set()
        if self._own_loop is not None and self._stop is not None and not self._own_loop.is_closed():
            try:
                self._own_loop.call_soon_threadsafe(self._stop.set)
            except RuntimeError:
                # The loop was closed after the check: kopf has ended by itself.
                return

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        self._own_loop = asyncio.get_running_loop()
        if self._is_stopped.is_set():
            return
        watch = self._watch
        connection = await watch.connect()

        def log_in() -> kopf.AiohttpSession:
            session = connection.new_session(watch.last_events)
            return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

        registry = build_registry(log_in, watch.objects, self._pass_on)
        settings = build_settings(watch.times.stream, watch.times.reconnect)
        try:
            roots = await kopf.spawn_tasks(
                registry=registry,
                settings=settings,
                clusterwide=True,
                standalone=True,
                # kopf has no public name for the type of a string.
                identity=IDENTITY,  # type: ignore[arg-type]
            )
            try:
                await _wait_for_first(self._stop, roots)
            finally:
                await _cancel(roots)
        finally:
            await connection.close()

    def _pass_on(self, call: Callable[..., None], *arguments: object) -> None:
        # A kopf that does not end must not pass on events beside its successor.
        if not self._is_stopped.is_set():
            self._call(call, *arguments)

    def _call(self, call: Callable[..., None], *arguments: object) -> None:
        """Call it in the controllers' event loop; calls keep their order.

        Waking that loop is a system call, during which the other thread takes the GIL: one for a whole burst.
        """
        self._calls.append((call, arguments))
        if self._is_scheduled:
            # The flag is reset before the queue is read, and the call is in the queue already.
            return
        self._is_scheduled = True
        try:
            self._loop.call_soon_threadsafe(self._drain)
        except RuntimeError:
            logger.debug("the controllers' event loop is closed; an event of kopf is dropped")

    def _drain(self) -> None:
        """In the controllers' event loop: each call separately, so that no error and no burst blocks other work."""
        self._is_scheduled = False
        while self._calls:
            call, arguments = self._calls.popleft()
            self._loop.call_soon(call, *arguments)

    def _finish(self, error: BaseException | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)


def _to_cluster_error(error: Exception) -> Exception:
    """Errors of kopf and aiohttp mean trouble with the API server; any other error is a bug of ours."""
    if type(error).__module__.partition(".")[0] not in {"kopf", "aiohttp"}:
        return error
    found = ClusterUnavailable(f"the watch ended: {error} ({type(error).__name__})")
    found.__cause__ = error
    return found


async def _wait_for_first(stop: asyncio.Event, roots: Collection[asyncio.Task[Any]]) -> None:
    """Until asked to stop, or until a task of kopf ends, which is unexpected; raises its error."""
    asked = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([asked, *roots], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for task in done - {asked}:
        task.result()


async def _cancel(roots: Collection[asyncio.Task[Any]]) -> None:
    """Cancel all tasks of this event loop; all are kopf's.

    kopf.operator would cancel the roots and then wait forever: when one of its watchers fails, it cancels the others
    together with what they wait for. They take one cancellation for the other and continue. So this cancels the
    remaining tasks again and again, first without what they wait for, for a limited time.
    """
    for task in roots:
        task.cancel()
    await asyncio.wait(roots, timeout=END_SECONDS)
    begun = time.monotonic()
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        if time.monotonic() - begun > END_SECONDS:
            logger.warning("kopf did not end: %d of its tasks are left", len(left))
            return
        workers = {task for task in left if not task.get_name().startswith(_WAITER)}
        for task in workers or left:
            task.cancel()
        await asyncio.wait(workers or left, timeout=END_SECONDS / 10)


def close(loop: asyncio.AbstractEventLoop) -> None:
    """Close an event loop without running tasks. Errors of kopf's streams at this point do not matter."""
    loop.set_exception_handler(
        lambda _, context: logger.debug("kopf's end: %s: %r", context["message"], context.get("exception"))
    )
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
