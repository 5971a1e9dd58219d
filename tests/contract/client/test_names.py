"""No request leaves with a name that could change its URL."""

from typing import Any

import pytest

from modelarts_nodepool.errors import InvalidName
from tests.contract.client.clients import a_client
from tests.contract.client.raw_server import a_reply, raw_server

BAD_NAMES: list[Any] = [
    "", ".", "..", "a/b", "a%2Fb", "%2e%2e", "../pool-b", "A", "a" * 64, "a\n", " a", "a;b", "-", "a-", "ä", None, 7,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_case_31_bad_name_sends_nothing(name: Any) -> None:  # noqa: ANN401
    async with raw_server(a_reply(200)) as server, a_client(server.endpoint) as client:
        for call in (client.show_pool, client.list_node_pools):
            with pytest.raises(InvalidName):
                await call(name)
        for each in (client.show_node_pool, client.list_node_pool_nodes, client.delete_node_pool):
            with pytest.raises(InvalidName):
                await each("pool-a", name)
            with pytest.raises(InvalidName):
                await each(name, "training-a")
        assert server.heads == []


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
