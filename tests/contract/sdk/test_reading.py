"""The official SDK reads what the simulator says, unchanged; where it loses something, that is on record."""

from collections.abc import Mapping
from typing import Any

import pytest

from lab.simulator.server import Simulator
from tests.contract.client.raw_server import a_reply, raw_server
from tests.contract.sdk.official import PROJECT, OfficialSdk

NP = {"pool_name": "pool-a", "nodepool_name": "training-a"}


def available(node_pool: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the SDK made of it
    return node_pool["status"]["resources"]["available"]


async def test_case_01_deletion_is_answered_with_the_node_pool_as_it_was(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        deleted = (await sdk.call(simulator.endpoint, "delete_node_pool", **NP)).answer
        assert deleted["metadata"]["name"] == "training-a"
        assert deleted["spec"]["resources"]["count"] == 3
        assert available(deleted)["count"] == 3
        assert [entry.effect for entry in simulator.requests("delete_node_pool")] == ["accepted"]


async def test_case_02_parameters_of_show_node_pool_arrive_encoded_and_change_nothing(sdk: OfficialSdk) -> None:
    async with raw_server(a_reply(200, b'{"kind": "NodePool"}')) as server:
        await sdk.call(server.endpoint, "show_node_pool", **NP, _continue="a b/+=", limit="10")
        target = server.heads[0].split(" ")[1]
    async with Simulator.serving() as simulator:
        plain = await sdk.call(simulator.endpoint, "show_node_pool", **NP)
        asked = await sdk.call(simulator.endpoint, "show_node_pool", **NP, _continue="a b/+=", limit="10")
    assert target == f"/v2/{PROJECT}/pools/pool-a/nodepools/training-a?continue=a%20b%2F%2B%3D&limit=10"
    assert asked.answer == plain.answer


async def test_case_03_list_of_node_pools_is_whole_and_has_no_metadata(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        listed = (await sdk.call(simulator.endpoint, "list_node_pools", pool_name="pool-a")).answer
    assert listed["kind"] == "NodePoolList"
    assert [item["metadata"]["name"] for item in listed["items"]] == [
        "training-a",
        "training-b",
        "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default",
    ]
    assert "metadata" not in listed


async def test_case_04_nodes_come_page_by_page_until_the_token_is_empty(sdk: OfficialSdk) -> None:
    found: list[str] = []
    remaining: list[int] = []
    token: str | None = None
    async with Simulator.serving() as simulator:
        while True:
            more = {"_continue": token} if token else {}
            page = (await sdk.call(simulator.endpoint, "list_node_pool_nodes", **NP, limit="2", **more)).answer
            found += [node["metadata"]["name"] for node in page["items"]]
            remaining.append(page["metadata"]["remaining_item_count"])
            token = page["metadata"]["_continue"]
            if not token:
                break
    assert len(set(found)) == 3
    assert remaining == [1, 0]


async def test_resource_pools_are_listed_and_shown(sdk: OfficialSdk) -> None:
    async with Simulator.serving() as simulator:
        listed = (await sdk.call(simulator.endpoint, "list_pools", workspace_id="0")).answer
        shown = (await sdk.call(simulator.endpoint, "show_pool", pool_name="pool-yearly")).answer
        nodes = (await sdk.call(simulator.endpoint, "list_pool_nodes", pool_name="pool-a")).answer
    assert [pool["metadata"]["name"] for pool in listed["items"]] == ["pool-a", "pool-yearly"]
    assert shown["metadata"]["annotations"]["os_modelarts_billing_mode"] == "1"
    assert shown["status"]["phase"] == "Running"
    assert len(nodes["items"]) == 6


async def test_case_46_jobs_come_page_by_page_with_their_nodes(sdk: OfficialSdk) -> None:
    llama = {"name": "llama", "runsOn": [{"nodePool": "np"}], "ageSeconds": 60}
    workloads = [{"name": "job-0"}, {"name": "job-1"}, llama]
    npu = {"name": "np", "count": 1, "flavor": "modelarts.bm.npu.arm.8snt9b3"}
    world = {"resourcePools": [{"name": "pool-a", "nodePools": [npu], "workloads": workloads}]}
    async with Simulator.serving(world) as simulator:
        order = {"pool_name": "pool-a", "sort": "create_time", "ascend": False, "limit": 2}
        first = (await sdk.call(simulator.endpoint, "list_workloads", **order, offset="0")).answer
        last = (await sdk.call(simulator.endpoint, "list_workloads", **order, offset="2")).answer
        asked = await sdk.call(simulator.endpoint, "list_workloads", pool_name="pool-a", hostip=["10.0.0.1", "x"])
        refused = await sdk.call(simulator.endpoint, "list_workloads", pool_name="pool-a", status="gone")
    assert (first["kind"], len(first["items"]), len(last["items"])) == ("WorkloadList", 2, 1)
    [shown] = last["items"]
    assert asked.answer["items"] == [shown]
    assert (shown["name"], shown["status"], shown["running_duration"]) == ("llama", "Running", 60)
    assert shown["host_ips"] == "10.0.0.1"
    [node] = shown["nodes"]
    assert (node["host_ip"], node["npu_topology_placement"]) == ("10.0.0.1", "0000000011111111")
    assert node["resource_requirement"]["huawei_com_ascend_1980"] == "8"
    assert refused.error == ("ClientRequestException", 400, "ModelArts.50004000")


async def test_case_49_node_shows_what_jobs_leave_of_it(sdk: OfficialSdk) -> None:
    npu = {"name": "training-a", "count": 1, "flavor": "modelarts.bm.npu.arm.8snt9b3", "npuTopology": True}
    job = {"name": "llama", "exclusive": True, "runsOn": [{"nodePool": "training-a", "accelerators": 3}]}
    world = {"resourcePools": [{"name": "pool-a", "nodePools": [npu], "workloads": [job | {"uid": "job-uid"}]}]}
    async with Simulator.serving(world) as simulator:
        [node] = (await sdk.call(simulator.endpoint, "list_node_pool_nodes", **NP)).answer["items"]
    status, metadata = node["status"], node["metadata"]
    assert status["private_ip"] == "10.0.0.1"
    assert status["resources"]["huawei_com_ascend_snt9"] == "8"
    assert status["available_resources"]["huawei_com_ascend_snt9"] == "5"
    assert metadata["annotations"]["os_modelarts_npu_topology_placement"] == "0000000000000111"
    assert metadata["labels"]["os_modelarts_node_volcano_scheduler_cabinet_exclusive"] == "job-uid"


async def test_case_21_22_lists_in_place_of_objects_are_lost_to_the_sdk_without_a_word(sdk: OfficialSdk) -> None:
    async with Simulator.serving({"shape": {"resources": "list"}} | WORLD) as simulator:
        shown = (await sdk.call(simulator.endpoint, "show_node_pool", **NP)).answer
    assert available(shown)["count"] is None
    assert shown["spec"]["resources"]["count"] is None
    assert shown["metadata"]["name"] == "training-a"


@pytest.mark.parametrize(
    ("count", "expected"), [('"3"', 3), ("2.0", 2), ("null", None), ('"three"', "ValueError")], ids=str
)
async def test_case_23_sdk_converts_some_counts_and_breaks_on_others(
    sdk: OfficialSdk, count: str, expected: int | str | None
) -> None:
    resources = f'{{"available": {{"count": {count}}}}}'
    body = f'{{"kind": "NodePool", "unknown": {{"x": 1}}, "status": {{"resources": {resources}}}}}'
    async with Simulator.serving(WORLD) as simulator:
        simulator.add_fault({"bodyText": body})
        outcome = await sdk.call(simulator.endpoint, "show_node_pool", **NP)
    assert (outcome.error[0] if isinstance(expected, str) else available(outcome.answer)["count"]) == expected


async def test_case_24_nodes_are_deleting_and_then_the_node_pool_is_not_found(sdk: OfficialSdk) -> None:
    async with Simulator.serving(WORLD | {"timings": {"deleteSeconds": 3600}}) as simulator:
        await sdk.call(simulator.endpoint, "delete_node_pool", **NP)
        deleting = (await sdk.call(simulator.endpoint, "show_node_pool", **NP)).answer
        assert deleting["status"]["resources"]["deleting"]["count"] == 3
        assert available(deleting) is None
        simulator.change({"timings": {"deleteSeconds": 0}})
        gone = await sdk.call(simulator.endpoint, "show_node_pool", **NP)
    assert gone.error == ("ClientRequestException", 404, "ModelArts.50015001")


WORLD: dict[str, Any] = {
    "resourcePools": [
        {
            "name": "pool-a",
            "billingMode": "0",
            "nodePools": [{"name": "training-a", "count": 3}, {"name": "training-b", "count": 2}],
        }
    ]
}
