"""The whole engine in virtual time before an API server that does not take some of its writes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

from typing_extensions import override

from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, RefusedByAPIServer
from tests.support.builders import NOON, NodePoolBuilder, a_node_pool, an_account
from tests.support.conditions import condition_of
from tests.support.virtual_time import run_at_once
from tests.unit.controllers.memory_growth_stage import Cloud, Cluster, World

Body = Mapping[str, Any]
Refuses = Callable[[str, Body], ClusterError | None]
API = "/apis/modelarts.huaweicloud.com/v1alpha1"
OBJECTS = f"{API}/namespaces/ml/modelartsnodepools"
PATH = f"{OBJECTS}/training-a"
ACCOUNT = f"{API}/modelartsaccounts/default"
# After so long the pauses have grown to a minute.
GROWN_SECONDS = 180
POLICY = RefusedByAPIServer(
    "The API server answered 403 to PATCH x: is forbidden: ValidatingAdmissionPolicy 'theirs' with binding 'theirs' "
    "denied request: not with us",
    status=403,
)
WEBHOOK = RefusedByAPIServer(
    'The API server answered 500 to PATCH x: Internal error occurred: failed calling webhook "theirs.example.com"',
    status=500,
)
AWAY = ClusterUnavailable("The API server answered 503 to PATCH x: no reason given", status=503)


def finalizer(path: str, change: Body) -> bool:
    return "modelartsnodepools" in path and "finalizers" in change["path"]


def any_status(path: str, change: Body) -> bool:
    return "modelartsnodepools" in path and change["path"] == "/status"


def write_ahead(path: str, change: Body) -> bool:
    return any_status(path, change) and "sentTime" in change["value"].get("deletion", {})


def account_status(path: str, change: Body) -> bool:
    return "modelartsaccounts" in path and change["path"] == "/status"


def account_finalizer(path: str, change: Body) -> bool:
    return "modelartsaccounts" in path and "finalizers" in change["path"]


def anything(path: str, change: Body) -> bool:
    return bool(path and change)


class RefusingCluster(Cluster):
    """Takes every write but those that `refuses` names, and takes Events. `tried` notes each PATCH of an object."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: Refuses = lambda _path, _change: None
        self.tried: list[tuple[float, str, Body]] = []
        self.events: list[Body] = []

    def refuse(self, what: Callable[[str, Body], bool], error: ClusterError = POLICY) -> None:
        self.refuses = lambda path, change: error if what(path, change) else None

    def take_all(self) -> None:
        self.refuses = lambda _path, _change: None

    def attempts(self, since: float = 0.0, until: float = float("inf"), path: str = OBJECTS) -> Counter[str]:
        """PATCHes by object."""
        return Counter(
            tried.removesuffix("/status")
            for moment, tried, _ in self.tried
            if tried.startswith(path) and since <= moment < until
        )

    @override
    async def json_patch(self, path: str, patch: Sequence[Body]) -> Body:
        self.tried.append((asyncio.get_running_loop().time(), path, patch[-1]))
        error = self.refuses(path, patch[-1])
        if error is not None:
            raise error
        return await super().json_patch(path, patch)

    @override
    async def create(self, path: str, body: Body) -> Body:
        self.events.append(body)
        return body


class Stage:
    """A world with an account, a namespace and objects."""

    def __init__(self, *builders: NodePoolBuilder, poll_seconds: int = 10, cloud: Cloud | None = None) -> None:
        self.cluster = RefusingCluster()
        self.world = World(cloud, self.cluster)
        every = timedelta(seconds=poll_seconds)
        account = an_account().polling(every, every).limited(unlimited=True).body()
        self.world.cache.upsert_account(self.cluster.put(ACCOUNT, account))
        self.world.put_namespace("ml")
        for builder in builders:
            body = deepcopy(builder.body())
            self.world.cache.observe_node_pool(self.cluster.put(f"{OBJECTS}/{body['metadata']['name']}", body))

    def now(self) -> float:
        return self.world.clock.monotonic()

    def is_there(self, path: str = PATH) -> bool:
        return path in self.cluster.bodies

    def condition(self, kind: str, path: str = PATH) -> dict[str, Any]:
        found = condition_of(self.cluster.bodies[path], kind)
        return dict(found) if found else {}

    def told(self, *kinds: str) -> list[str]:
        """Events of these reasons, in order."""
        found = [event for event in self.cluster.events if event["reason"] in kinds]
        return [f"{event['involvedObject']['name']}: {event['message']}" for event in found]

    def edit(self, path: str = PATH, **metadata: object) -> None:
        """Somebody changes the object, and the watch tells."""
        body = deepcopy(self.cluster.bodies[path])
        body["metadata"] |= {"resourceVersion": str(int(body["metadata"]["resourceVersion"]) + 1000), **metadata}
        self.cluster.put(path, body)
        self.world.cache.observe_node_pool(deepcopy(body))

    def lose(self, path: str = PATH) -> None:
        """Somebody strips the object of its finalizers, and the watch tells that it is gone."""
        uid = self.cluster.bodies.pop(path)["metadata"]["uid"]
        self.world.cache.drop_node_pool(uid)

    def retain(self, path: str = PATH) -> None:
        self.cluster.bodies[path]["spec"] = {**self.cluster.bodies[path]["spec"], "deletionPolicy": "Retain"}
        self.edit(path)


def play(stage: Callable[[], Stage], scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        set_up = stage()
        async with set_up.world.at_work():
            await scene(set_up)

    run_at_once(main)


def deleted() -> NodePoolBuilder:
    return a_node_pool().finalized().pinned().being_deleted(NOON - timedelta(minutes=1))
