"""No request leaves with a name that could change its URL."""

from typing import Any

import pytest

from modelarts_nodepool.errors import InvalidName
from tests.contract.client.clients import a_client, a_cloud
from tests.contract.client.raw_server import a_reply, raw_server

BAD_NAMES: list[Any] = [
    "", ".", "..", "a/b", "a%2Fb", "%2e%2e", "../pool-b", "a" * 129, "a\n", " a", "a;b", "-", "a-", "ä", None, 7,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_case_31_bad_name_sends_nothing(name: Any) -> None:  # noqa: ANN401
    async with raw_server(a_reply(200)) as server, a_client(server.endpoint) as client:
        for call in (client.show_pool, client.list_node_pools, client.list_workloads):
            with pytest.raises(InvalidName):
                await call(name)
        for each in (client.show_node_pool, client.list_node_pool_nodes, client.delete_node_pool):
            with pytest.raises(InvalidName):
                await each("pool-a", name)
            with pytest.raises(InvalidName):
                await each(name, "training-a")
        assert server.heads == []


GOOD_NAMES = ["nodePool-1", "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default", "a..b", "A_b.c-1", "1", "a" * 128]


@pytest.mark.parametrize("name", GOOD_NAMES)
async def test_case_43_any_safe_name_reaches_the_cloud_signed_and_unchanged(name: str) -> None:
    scenario = {"resourcePools": [{"name": "Pool_a.1", "nodePools": [{"name": name, "isDefault": False}]}]}
    async with a_cloud(scenario) as (simulator, client):
        assert (await client.show_node_pool("Pool_a.1", name)).name == name
        assert len(await client.list_node_pool_nodes("Pool_a.1", name)) == 1
        await client.delete_node_pool("Pool_a.1", name)
        requests = simulator.requests()
    assert {(each.resource_pool, each.node_pool, each.signature) for each in requests} == {("Pool_a.1", name, "valid")}
    assert [each.effect for each in requests] == ["none", "none", "accepted"]


@pytest.mark.parametrize("project_id", ["", "..", "{project_id}", "a/b", "a" * 65, None])
async def test_case_32_bad_project_sends_nothing(project_id: Any) -> None:  # noqa: ANN401
    async with raw_server(a_reply(200)) as server, a_client(server.endpoint, project_id=project_id) as client:
        with pytest.raises(InvalidName, match="project ID"):
            await client.list_pools("0")
        with pytest.raises(InvalidName, match="project ID"):
            await client.delete_node_pool("pool-a", "training-a")
        assert server.heads == []


@pytest.mark.parametrize("workspace", ["", "a b", "0&status=failed", "a" * 65])
async def test_bad_workspace_sends_nothing(workspace: str) -> None:
    async with raw_server(a_reply(200)) as server, a_client(server.endpoint) as client:
        with pytest.raises(InvalidName, match="workspace"):
            await client.list_pools(workspace)
        assert server.heads == []
