"""A candidate whose API server does not do as it is asked, in virtual time."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.leader_election import Elector, Leadership
from tests.support.virtual_time import VirtualClock, run_at_once


class AwayCluster(KubeCluster):
    """Answers nothing, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    @override
    async def get(self, path: str) -> Mapping[str, Any]:
        self.asked += 1
        raise ClusterUnavailable(f"503 to GET {path}", status=503)


def test_a_lease_that_cannot_be_written_is_tried_each_second_and_told_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        cluster = AwayCluster()
        elector = Elector(cluster, VirtualClock(), "operator", "candidate")
        with suppress(TimeoutError):
            async with asyncio.timeout(299):
                await elector.acquire()
        assert 290 <= cluster.asked <= 300
        assert "503" in elector.problem

    with caplog.at_level(logging.WARNING):
        run_at_once(main)
    assert len([record for record in caplog.records if "the Lease could not be written" in record.getMessage()]) == 5


def test_what_is_left_of_one_time_of_leading_never_acts_under_the_next_lease() -> None:
    is_held = True
    first = Leadership(lambda: is_held)
    assert first.may_act()
    is_held = False
    assert not first.may_act()
    # Renewed late, and nobody led in between: it goes on.
    is_held = True
    assert first.may_act()
    first.end()
    second = Leadership(lambda: is_held)
    assert second.may_act()
    assert not first.may_act()
