"""What a person with a script does to the objects of a bench, sixteen at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from lab.bench.scale import Place
from lab.controlplane import ControlPlane
from lab.harness.api import Api, node_pools_in
from lab.harness.objects import build_node_pool
from modelarts_nodepool.api.names import RECONCILE_ANNOTATION

AT_ONCE = 16


class BenchApi(Api):
    """An administrator's connection."""

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(plane, at_once=AT_ONCE)

    async def create_object(self, place: Place) -> None:
        """A ModelArtsNodePool."""
        body = build_node_pool(place.name, account=place.account, resource_pool=place.resource_pool)
        await self.create(node_pools_in(place.namespace), body)

    async def delete_object(self, place: Place) -> None:
        """As kubectl delete does."""
        await self.delete(path_of(place))

    async def reconcile_now(self, place: Place, value: str) -> None:
        """As kubectl annotate does: what stands in the way of this deletion is mended. It may be gone already."""
        await self.merge(path_of(place), {"metadata": {"annotations": {RECONCILE_ANNOTATION: value}}})


def path_of(place: Place) -> str:
    """Of one object."""
    return f"{node_pools_in(place.namespace)}/{place.name}"


async def at_once(work: Callable[[Place], Awaitable[None]], places: Iterable[Place]) -> None:
    """Do it for all, sixteen at a time; the first error ends all."""
    left = iter(places)

    async def worker() -> None:
        for place in left:
            await work(place)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
