"""Redirects: never followed, whatever they point at, and never a success."""

import pytest

from modelarts_nodepool import errors
from tests.contract.client.clients import a_client, a_cloud
from tests.contract.client.raw_server import a_reply, raw_server

NP = ("pool-a", "training-a")
NOWHERE = [
    "http://[::",
    "javascript:alert(1)",
    "https://",
    "//",
    "http://u:p@[bad",
    "?",
    "\\\\x",
    "http://h:99999999/",
    "",
]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
async def test_case_34_redirect_to_another_host_is_an_error_and_never_followed(status: int) -> None:
    async with raw_server(a_reply(200, b"{}")) as elsewhere:
        reply = a_reply(status, b"", f"Location: {elsewhere.endpoint}/v2/P/pools/pool-a/nodepools/training-a")
        async with raw_server(reply) as server, a_client(server.endpoint) as client:
            for call in (client.delete_node_pool, client.show_node_pool, client.list_node_pool_nodes):
                with pytest.raises(errors.WrongEndpoint) as caught:
                    await call(*NP)
                assert not caught.value.had_no_effect
            assert len(server.heads) == 3
        assert elsewhere.heads == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_case_34_redirect_within_the_cloud_is_not_followed(status: int) -> None:
    async with a_cloud() as (simulator, client):
        simulator.add_fault({"status": status, "redirect": f"{simulator.endpoint}/elsewhere"})
        for call in (client.delete_node_pool, client.show_node_pool):
            with pytest.raises(errors.WrongEndpoint):
                await call(*NP)
        assert [request.operation for request in simulator.requests()] == ["delete_node_pool", "show_node_pool"]


@pytest.mark.parametrize("location", NOWHERE)
async def test_case_34_redirect_to_no_address_is_an_error_like_any_other(location: str) -> None:
    async with raw_server(a_reply(302, b"", f"Location: {location}")) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.WrongEndpoint):
            await client.delete_node_pool(*NP)
        assert len(server.heads) == 1
