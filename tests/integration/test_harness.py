"""The API client of the lab's harness, on a real API server."""

import asyncio
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from lab.harness.api import NAMESPACES, Api
from lab.harness.failures import ApiError

CONFIG_MAPS = f"{NAMESPACES}/default/configmaps"


def a_config_map(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": {"key": "value"}}


async def asks_while(down: "asyncio.Task[None]", plain: Api) -> None:
    while not down.done():
        await plain.get(CONFIG_MAPS)


async def test_a_call_survives_an_outage_where_it_is_told_to(control_plane: ControlPlane) -> None:
    async with Api(control_plane, outage_seconds=240.0) as patient, Api(control_plane) as plain:
        down = asyncio.create_task(control_plane.restart_apiserver(2.0))
        with pytest.raises(ApiError, match="no answer"):
            await asks_while(down, plain)
        await patient.create(CONFIG_MAPS, a_config_map("outlives"))
        await down
        assert await plain.get(f"{CONFIG_MAPS}/outlives") is not None


async def test_what_exists_is_an_error_unless_outages_are_survived(control_plane: ControlPlane) -> None:
    async with Api(control_plane, outage_seconds=240.0) as patient, Api(control_plane) as plain:
        await plain.create(CONFIG_MAPS, a_config_map("twice"))
        assert await patient.create(CONFIG_MAPS, a_config_map("twice")) is None
        with pytest.raises(ApiError, match=r"POST .*/configmaps: 409 .*already exists"):
            await plain.create(CONFIG_MAPS, a_config_map("twice"))


async def test_what_is_not_there_is_nothing_to_get_merge_or_delete(control_plane: ControlPlane) -> None:
    async with Api(control_plane) as plain:
        assert await plain.get(f"{CONFIG_MAPS}/nowhere") is None
        assert await plain.merge(f"{CONFIG_MAPS}/nowhere", {"data": {}}) is None
        await plain.delete(f"{CONFIG_MAPS}/nowhere")
        assert await plain.items("/apis/example.com/v1/unknown") == []


async def test_a_patch_of_another_version_changes_nothing(control_plane: ControlPlane) -> None:
    async with Api(control_plane) as plain:
        await plain.create(CONFIG_MAPS, a_config_map("versioned"))
        stale = {"metadata": {"resourceVersion": "1"}, "data": {"key": "other"}}
        assert not await plain.merge_if_unchanged(f"{CONFIG_MAPS}/versioned", stale)
        found = await plain.get(f"{CONFIG_MAPS}/versioned")
        assert found is not None
        assert found["data"] == {"key": "value"}


async def test_a_list_is_read_to_its_end(control_plane: ControlPlane) -> None:
    async with Api(control_plane) as plain:
        for number in range(5):
            await plain.create(CONFIG_MAPS, a_config_map(f"page-{number}"))
        path = f"{CONFIG_MAPS}?fieldSelector=metadata.namespace=default"
        names = {found["metadata"]["name"] for found in await plain.items(path, page=2)}
        assert {f"page-{number}" for number in range(5)} <= names
