"""Runs kopf in a thread of its own and hands what it sees over to the engine's event loop.

When kopf stops it ends every task of its event loop that began after it did, whoever made it: in a shared loop
that would end pollers and deletions. So it gets a loop, and connections, for itself.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any

import kopf

from modelarts_nodepool.cache.objects import Registry
from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.ports import Clock
from modelarts_nodepool.watch.kopf_handlers import Body, Sink, build_registry, build_settings
from modelarts_nodepool.watch.last_event import Hearing
from modelarts_nodepool.watch.supervisor import WatchTimes

logger = logging.getLogger(__name__)

END_SECONDS = 1.0
JOIN_SECONDS = 3.0
# For kopf's peering, which is off. Without one kopf asks for the name of the user, whom a Pod's uid need not have.
IDENTITY = "modelarts-nodepool-operator"
# The names of kopf's tasks that wait for a pause of the operator: each watcher has one and ends it itself.
_WAITER = "pause-waiter"


def _is_news(record: logging.LogRecord) -> bool:
    return "OS signals are ignored" not in record.getMessage()


# Signals are app's; that kopf does not handle them in its thread is on purpose.
logging.getLogger("kopf._core.reactor.running").addFilter(_is_news)


def _to_cluster_error(error: Exception) -> Exception:
    """What kopf and its HTTP client raise is trouble with the API server; anything else is a fault of ours."""
    if type(error).__module__.partition(".")[0] not in {"kopf", "aiohttp"}:
        return error
    found = ClusterUnavailable(f"the watch ended: {error} ({type(error).__name__})")
    found.__cause__ = error
    return found


async def _first_to_end(stop: asyncio.Event, roots: Collection[asyncio.Task[Any]]) -> None:
    """Until asked to stop, or one of kopf's tasks has ended, which none of them should; raises what it raised."""
    asked = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([asked, *roots], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for task in done - {asked}:
        task.result()


async def _end(roots: Collection[asyncio.Task[Any]]) -> None:
    """End kopf; everything in this event loop is its own.

    kopf.operator would do the first half, and for the second half wait for ever: when one of its watchers fails, it
    cancels the other ones together with what they are waiting for, and then they take the one for the other and go
    on. So what is left is cancelled here again and again, without what it waits for, and not without end.
    """
    for task in roots:
        task.cancel()
    await asyncio.wait(roots, timeout=END_SECONDS)
    begun = time.monotonic()
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        if time.monotonic() - begun > END_SECONDS:
            logger.warning("kopf did not end; %d of its tasks are left behind", len(left))
            return
        workers = {task for task in left if not task.get_name().startswith(_WAITER)}
        for task in workers or left:
            task.cancel()
        await asyncio.wait(workers or left, timeout=END_SECONDS / 10)


def close(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop in which nothing runs any more. What kopf's streams complain of then is nobody's concern."""
    loop.set_exception_handler(
        lambda _, context: logger.debug("kopf's end: %s: %r", context["message"], context.get("exception"))
    )
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


class Watch:
    """Call it to watch: it returns or raises when kopf cannot any more, and ends kopf when it is cancelled."""

    def __init__(
        self, objects: Registry, connect: Callable[[], Awaitable[Connection]], clock: Clock, times: WatchTimes
    ) -> None:
        """`connect` is called in kopf's thread, within its running event loop."""
        self.objects = objects
        self.connect = connect
        self.times = times
        self.hearing = Hearing(clock)

    def silence(self) -> timedelta:
        """How long the quietest of the three watches has not said anything; from any thread."""
        return self.hearing.silence()

    async def __call__(self) -> None:
        """Watch until it ends."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        run = _Run(self, loop, ended)
        thread = threading.Thread(target=run.main, name="kopf", daemon=True)
        thread.start()
        try:
            await asyncio.shield(ended)
        finally:
            run.stop()
            # Bounded: a daemon thread that hangs must not keep the process from ending.
            await asyncio.to_thread(thread.join, JOIN_SECONDS)


class _Run:
    """One life of kopf."""

    def __init__(self, of: Watch, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        self._of = of
        self._loop = loop
        self._ended = ended
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._asked = threading.Event()
        self._handed: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._is_waking = False

    def main(self) -> None:
        """The thread."""
        error: BaseException | None = None
        # Not asyncio.run: it waits without end for tasks that do not mind being cancelled.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._watch())
        except Exception as caught:  # noqa: BLE001 - handed over to whoever waits
            error = _to_cluster_error(caught)
        finally:
            close(loop)
        self._hand_over(self._finish, error)

    def stop(self) -> None:
        """End kopf; from the engine's thread."""
        self._asked.set()
        if self._own_loop is not None and self._stop is not None and not self._own_loop.is_closed():
            try:
                self._own_loop.call_soon_threadsafe(self._stop.set)
            except RuntimeError:
                # It closed between the two lines: kopf has ended by itself.
                return

    async def _watch(self) -> None:
        self._stop = asyncio.Event()
        self._own_loop = asyncio.get_running_loop()
        if self._asked.is_set():
            return
        watch = self._of
        connection = await watch.connect()
        registry = build_registry(
            log_in=lambda: kopf.AiohttpSession(
                server=connection.server, aiohttp_session=connection.new_session(watch.hearing)
            ),
            on_node_pool=self._sink(self._take_node_pool),
            on_account=self._sink(self._take_account),
            on_namespace=self._sink(self._take_namespace),
        )
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
                await _first_to_end(self._stop, roots)
            finally:
                await _end(roots)
        finally:
            await connection.close()

    def _sink(self, take: Sink) -> Sink:
        def hand_over(body: Body, is_gone: bool) -> None:  # noqa: FBT001 - a sink
            # One that is asked to end and does not must not go on telling beside the one that follows it.
            if not self._asked.is_set():
                self._hand_over(take, body, is_gone)

        return hand_over

    def _hand_over(self, call: Callable[..., None], *arguments: object) -> None:
        """Call it in the engine's event loop, in the order in which it came.

        Waking that loop is a system call, in which the engine takes the interpreter away: once for a whole burst.
        """
        self._handed.append((call, arguments))
        if self._is_waking:
            # It was set before what is taken over then is looked for, and that has just been added.
            return
        self._is_waking = True
        try:
            self._loop.call_soon_threadsafe(self._take_over)
        except RuntimeError:
            logger.debug("the engine has stopped; what kopf saw is left out")

    def _take_over(self) -> None:
        """In the engine's loop: each call on its own, so that none stops the others and other work gets its turn."""
        self._is_waking = False
        while self._handed:
            call, arguments = self._handed.popleft()
            self._loop.call_soon(call, *arguments)

    def _finish(self, error: BaseException | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)

    def _take_node_pool(self, body: Body, is_gone: bool) -> None:  # noqa: FBT001 - a sink
        if is_gone:
            self._of.objects.drop_node_pool(body["metadata"]["uid"])
        else:
            self._of.objects.tell_node_pool(body)

    def _take_account(self, body: Body, is_gone: bool) -> None:  # noqa: FBT001 - a sink
        if is_gone:
            self._of.objects.drop_account(body["metadata"]["name"], body["metadata"]["uid"])
        else:
            self._of.objects.take_account(body)

    def _take_namespace(self, body: Body, is_gone: bool) -> None:  # noqa: FBT001 - a sink
        if is_gone:
            self._of.objects.drop_namespace(body["metadata"]["name"], body["metadata"]["uid"])
        else:
            self._of.objects.take_namespace(body)
