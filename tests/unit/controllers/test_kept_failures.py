"""What a deletion remembers of calls of the cloud that failed. The whole engine in virtual time."""

import asyncio
import gc
import weakref

import pytest
from typing_extensions import override

from modelarts_nodepool.errors import ServerFailure
from modelarts_nodepool.ports import Accepted, CloudNodePool
from tests.unit.controllers.memory_growth_stage import Cloud
from tests.unit.controllers.refusing_stage import Stage, deleted, play


class Answer:
    """What a call holds while it lasts."""


class FailingCloud(Cloud):
    """Fails where a single node pool is named; `answers` are those that something still holds."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: weakref.WeakSet[Answer] = weakref.WeakSet()
        self.calls = 0

    def fail(self) -> ServerFailure:
        self.calls += 1
        return ServerFailure("500: come back later", status=500)

    @override
    async def show_node_pool(self, resource_pool: str, node_pool: str) -> CloudNodePool:
        answer = Answer()
        self.answers.add(answer)
        raise self.fail()

    @override
    async def delete_node_pool(self, resource_pool: str, node_pool: str) -> Accepted:
        answer = Answer()
        self.answers.add(answer)
        raise self.fail()


@pytest.mark.parametrize("shown", [set(), {"training-a"}], ids=["look", "delete"])
def test_a_deletion_keeps_nothing_of_a_call_that_failed(shown: set[str]) -> None:
    cloud = FailingCloud()
    cloud.shown = shown

    async def scene(_: Stage) -> None:
        await asyncio.sleep(30)
        assert cloud.calls
        gc.collect()
        assert not cloud.answers

    play(lambda: Stage(deleted(), cloud=cloud), scene)
