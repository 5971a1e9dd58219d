"""CreateNodePool and PatchNodePool, which the operator never calls, as the official SDK calls them."""

from typing import Any

import pytest

from lab.simulator.server import Simulator
from tests.contract.sdk.official import OfficialSdk

NP = {"pool_name": "pool-a", "nodepool_name": "training-a"}
RESIZED = {"spec": {"resources": {"count": 5}}}


def a_node_pool(name: str = "new", **resources: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    wanted = {"flavor": "modelarts.vm.gpu.t4u8", "count": 2, "maxCount": 2} | resources
    return {"apiVersion": "v2", "kind": "NodePool", "metadata": {"name": name}, "spec": {"resources": wanted}}


async def test_case_38_patch_of_the_sdk_is_refused_for_its_content_type(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        strict = await sdk.call(simulator.endpoint, "patch_node_pool", **NP, body=RESIZED)
        simulator.change({"shape": {"patchContentType": "any"}})
        loose = await sdk.call(simulator.endpoint, "patch_node_pool", **NP, body=RESIZED)
        assert [entry.effect for entry in simulator.requests()] == ["none", "accepted"]
    assert strict.error == ("ClientRequestException", 415, "ModelArts.50004100")
    assert loose.answer["spec"]["resources"]["count"] == 5
    assert "status" not in loose.answer


async def test_case_39_node_pool_is_created_on_the_clock(sdk: OfficialSdk) -> None:
    async with Simulator.serving({"timings": {"createSeconds": 3600}} | WORLD) as simulator:
        created = (
            await sdk.call(simulator.endpoint, "create_node_pool", pool_name="pool-a", body=a_node_pool())
        ).answer
        shown = (await sdk.call(simulator.endpoint, "show_node_pool", pool_name="pool-a", nodepool_name="new")).answer
        again = await sdk.call(simulator.endpoint, "create_node_pool", pool_name="pool-a", body=a_node_pool())
    assert (created["metadata"]["name"], created["spec"]["resources"]["count"]) == ("new", 2)
    assert "status" not in created
    assert shown["status"]["resources"]["creating"]["count"] == 2
    assert again.error == ("ClientRequestException", 409, "ModelArts.50015000")


@pytest.mark.parametrize(
    ("node_pool", "words"),
    [
        (a_node_pool(count=0), "count must be >= 1"),
        (a_node_pool(count=1, maxCount=2), "maxCount 2 above count 1 is not supported"),
        (a_node_pool(count="two"), "count: write a whole number"),
        (a_node_pool(flavor=""), "flavor"),
        (a_node_pool(name=""), "name"),
        ({"metadata": {"name": "new"}, "spec": {"resources": {"flavor": "f"}}}, "spec.resources.count is required"),
    ],
    ids=["no node", "more at most than asked for", "no number", "no flavor", "bad name", "no count"],
)
async def test_case_39_node_pool_that_cannot_be_is_refused(
    sdk: OfficialSdk, node_pool: dict[str, Any], words: str
) -> None:
    async with Simulator.serving(WORLD) as simulator:
        outcome = await sdk.call(simulator.endpoint, "create_node_pool", pool_name="pool-a", body=node_pool)
        assert outcome.error == ("ClientRequestException", 400, "ModelArts.50004000")
        assert words in outcome.said["message"]
        listed = (await sdk.call(simulator.endpoint, "list_node_pools", pool_name="pool-a")).answer
    assert listed["items"] == []


WORLD: dict[str, Any] = {"resourcePools": [{"name": "pool-a", "billingMode": "0"}]}
