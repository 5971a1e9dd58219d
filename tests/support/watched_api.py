"""An API server that can only be watched: it lists what it is given and streams what a test writes, word by word.

For what the real one cannot be made to do at a given moment: expire a version, fail in the middle of a stream, be
silent without a bookmark.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from modelarts_nodepool.api.names import ACCOUNT_PLURAL, GROUP, NODE_POOL_PLURAL, VERSION
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.kubeconfig import ClientConfig

VERBS = ["get", "list", "watch", "patch"]
Body = Mapping[str, Any]


def _discovery() -> dict[str, Any]:
    def resource(name: str, kind: str, *, namespaced: bool) -> dict[str, Any]:
        return {"name": name, "singularName": "", "kind": kind, "namespaced": namespaced, "verbs": VERBS}

    version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    return {
        "/api": {"versions": ["v1"]},
        "/apis": {"groups": [{"name": GROUP, "versions": [version], "preferredVersion": version}]},
        "/api/v1": {"resources": [resource("namespaces", "Namespace", namespaced=False)]},
        paths.API: {
            "resources": [
                resource(NODE_POOL_PLURAL, "ModelArtsNodePool", namespaced=True),
                resource(ACCOUNT_PLURAL, "ModelArtsAccount", namespaced=False),
            ]
        },
    }


@dataclass
class WatchedApi:
    """`holds` and `version` are what LISTs of node pools show; `asked` notes each LIST as None, each watch's version.

    `opened` counts the streams by their path.
    """

    access: ClientConfig
    holds: list[Body] = field(default_factory=list)
    version: str = "100"
    asked: list[str | None] = field(default_factory=list)
    streams: list[tuple[web.StreamResponse, asyncio.Event]] = field(default_factory=list)
    opened: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator["WatchedApi"]:
        """On loopback, until the block ends."""
        api: WatchedApi

        async def answer(request: web.Request) -> web.StreamResponse:
            return await api._answer(request)

        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        api = cls(ClientConfig(server=f"http://{host}:{port}", source="a test"))
        try:
            yield api
        finally:
            await runner.cleanup()

    async def say(self, kind: str, thing: Body) -> None:
        """One event on the newest stream of node pools."""
        await self.say_at_once((kind, thing))

    async def say_at_once(self, *events: tuple[str, Body]) -> None:
        """Several events that arrive together."""
        lines = [json.dumps({"type": kind, "object": thing}) for kind, thing in events]
        stream, _ = self.streams[-1]
        await stream.write("".join(f"{line}\n" for line in lines).encode())

    def hang_up(self) -> None:
        """End the newest stream of node pools as the API server does at its time-out."""
        _, ended = self.streams[-1]
        ended.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        discovered = _discovery().get(request.path)
        if discovered is not None:
            return web.json_response(discovered)
        is_ours = request.path == paths.NODE_POOLS
        if request.query.get("watch") != "true":
            self.asked += [None] if is_ours else []
            items = self.holds if is_ours else []
            return web.json_response({"metadata": {"resourceVersion": self.version}, "items": items})
        assert request.query["allowWatchBookmarks"] == "true"
        stream, ended = web.StreamResponse(), asyncio.Event()
        await stream.prepare(request)
        # Headers wait for the first byte of the body. An empty line is no event.
        await stream.write(b"\n")
        self.opened[request.path] += 1
        if is_ours:
            self.asked.append(request.query.get("resourceVersion"))
            self.streams.append((stream, ended))
        await ended.wait()
        return stream
