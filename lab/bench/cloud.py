"""The stand-in cloud: `python -m lab.bench.cloud`. Fast, false, and counting every call; stage.py starts it.

It verifies no signature and knows no failure but those it is told to give; lab/simulator does, and is too thorough
to serve ten thousand objects beside an API server on two cores. Nodes go when the clock says so.
"""

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import click
from aiohttp import web

from lab.bench import wire
from lab.bench.scale import SPARE, Scale

HELLO = "listening on"


@dataclass(slots=True)
class ResourcePool:
    """The node pools of one resource pool; the list's body is kept until one of them changes."""

    name: str
    node_pools: dict[str, float | None] = field(default_factory=dict)  # name → when it is gone, by the monotonic clock
    encoded: bytes | None = None

    def tidy(self) -> None:
        """Nodes whose time has come are gone."""
        now = time.monotonic()
        gone = [name for name, end in self.node_pools.items() if end is not None and end <= now]
        for name in gone:
            del self.node_pools[name]
        if gone:
            self.encoded = None

    def state(self, name: str) -> str:
        """Of all nodes of a node pool."""
        return "available" if self.node_pools[name] is None else "deleting"

    def listing(self) -> bytes:
        """The body of ListNodePools."""
        if self.encoded is None:
            self.encoded = wire.node_pool_list(wire.node_pool(name, self.state(name)) for name in self.node_pools)
        return self.encoded


class Cloud:
    """Everything that is in it, and every call it got: [time, operation, resource pool, node pool, status]."""

    def __init__(self, scale: Scale, latency_seconds: float, delete_seconds: float) -> None:
        self._latency, self._delete_seconds = latency_seconds, delete_seconds
        self._pools = {name: ResourcePool(name, {SPARE: None}) for name in scale.resource_pool_names}
        for place in scale.places():
            self._pools[place.resource_pool].node_pools[place.name] = None
        self._calls: list[tuple[float, str, str, str, int]] = []
        self._faults: Counter[tuple[str, int]] = Counter()

    def build(self) -> web.Application:
        """The API, and what bench asks beside it under /_bench."""
        app = web.Application()
        node_pools = "/v2/{project}/pools/{pool}/nodepools"
        app.add_routes(
            [
                web.get("/_bench/calls", self._on_calls),
                web.put("/_bench/node-pools/{pool}/{name}", self._on_put),
                web.put("/_bench/faults/{operation}/{status}/{times}", self._on_fault),
                web.get("/v2/{project}/pools", self._api("list_pools")),
                web.get("/v2/{project}/pools/{pool}", self._api("show_pool")),
                web.get(node_pools, self._api("list_node_pools")),
                web.get(f"{node_pools}/{{name}}", self._api("show_node_pool")),
                web.get(f"{node_pools}/{{name}}/nodes", self._api("list_node_pool_nodes")),
                web.get("/v2/{project}/pools/{pool}/workloads", self._api("list_workloads")),
                web.delete(f"{node_pools}/{{name}}", self._api("delete_node_pool")),
            ]
        )
        return app

    def _api(self, operation: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def on_call(request: web.Request) -> web.Response:
            came = time.time()
            pool, name = request.match_info.get("pool", ""), request.match_info.get("name", "")
            # The effect comes first and the answer late: as far away as a real cloud is.
            status, body = self._fault(operation) or (self._answer(operation, pool, name) if pool else self._list())
            self._calls.append((came, operation, pool, name, status))
            await asyncio.sleep(self._latency)
            headers = {"X-Request-Id": f"bench-{len(self._calls)}"}
            return web.Response(status=status, body=body, headers=headers, content_type="application/json")

        return on_call

    def _fault(self, operation: str) -> tuple[int, bytes] | None:
        for (faulty, status), times in self._faults.items():
            if faulty == operation and times > 0:
                self._faults[faulty, status] -= 1
                return status, wire.error("ModelArts.50005000", "told to fail")
        return None

    def _answer(self, operation: str, pool_name: str, name: str) -> tuple[int, bytes]:
        pool = self._pools.get(pool_name)
        if pool is None:
            return 404, wire.error(wire.POOL_NOT_FOUND_CODE, f"Pool {pool_name} not found.")
        pool.tidy()
        if operation == "show_pool":
            return 200, wire.encode(wire.resource_pool(pool_name))
        if operation in {"list_node_pools", "list_workloads"}:
            return 200, pool.listing() if operation == "list_node_pools" else wire.workload_list()
        if name not in pool.node_pools:
            return 404, wire.error(wire.NOT_FOUND_CODE, f"Node pool {name} not found.")
        if operation == "delete_node_pool":
            return 200, self._delete(pool, name)
        body = wire.nodes(name, pool.state(name)) if operation == "list_node_pool_nodes" else None
        return 200, body or wire.node_pool(name, pool.state(name))

    def _list(self) -> tuple[int, bytes]:
        """What an account that nobody uses is verified by."""
        return 200, wire.resource_pool_list(self._pools)

    def _delete(self, pool: ResourcePool, name: str) -> bytes:
        if pool.node_pools[name] is None:
            pool.node_pools[name] = time.monotonic() + self._delete_seconds
            pool.encoded = None
        return wire.node_pool(name, pool.state(name))

    async def _on_calls(self, request: web.Request) -> web.Response:
        return web.Response(body=json.dumps(self._calls[int(request.query.get("from", "0")) :]).encode())

    async def _on_put(self, request: web.Request) -> web.Response:
        pool = self._pools[request.match_info["pool"]]
        pool.tidy()
        pool.node_pools[request.match_info["name"]] = None
        pool.encoded = None
        return web.Response()

    async def _on_fault(self, request: web.Request) -> web.Response:
        found = request.match_info
        self._faults[found["operation"], int(found["status"])] += int(found["times"])
        return web.Response()


async def serve(cloud: Cloud) -> None:
    """On a free port of loopback, until SIGTERM."""
    runner = web.AppRunner(cloud.build(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        print(f"{HELLO} http://{host}:{port}", flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
    finally:
        await runner.cleanup()


@click.command()
@click.option("--objects", type=click.IntRange(1), required=True, help="As many node pools, and a spare one a pool.")
@click.option("--latency-ms", type=click.FloatRange(0), default=20.0, show_default=True)
@click.option("--delete-seconds", type=click.FloatRange(0), default=2.0, show_default=True)
def main(*, objects: int, latency_ms: float, delete_seconds: float) -> None:
    """Serve a false ModelArts on loopback until SIGTERM."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Cloud(Scale(objects), latency_ms / 1000, delete_seconds)))


if __name__ == "__main__":
    main()
