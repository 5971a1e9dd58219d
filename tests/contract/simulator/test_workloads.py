"""Jobs: what ListWorkloads answers, how the clock and changes move jobs, and what they leave of nodes."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.contract.simulator.caller import NODE_POOLS, POOLS, Caller

Serve = Callable[..., Awaitable[Caller]]
WORKLOADS = f"{POOLS}/pool-a/workloads"
LLAMA = {"name": "llama", "runsOn": [{"nodePool": "training-a", "nodes": 2, "accelerators": 4}]}


def a_pool(*workloads: dict[str, Any], **node_pool: object) -> list[dict[str, Any]]:
    node_pools = [{"name": "training-a", "count": 3, **node_pool}, {"name": "training-b", "count": 2}]
    return [{"name": "pool-a", "nodePools": node_pools, "workloads": list(workloads)}]


def change(caller: Caller, name: str, job: dict[str, Any] | None) -> None:
    caller.simulator.change({"resourcePools": {"pool-a": {"workloads": {name: job}}}})


async def items(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    answer = (await caller.get(WORKLOADS + query)).json()
    assert (answer["kind"], answer["apiVersion"]) == ("WorkloadList", "v1")
    return list(answer["items"])


async def nodes(caller: Caller, node_pool: str = "training-a") -> list[dict[str, Any]]:
    return list((await caller.get(f"{NODE_POOLS}/{node_pool}/nodes")).json()["items"])


async def test_case_46_job_shows_every_field_of_the_api_page(serve: Serve) -> None:
    caller = await serve(resourcePools=a_pool(LLAMA))
    [job] = await items(caller)
    hosts = [node["status"]["privateIp"] for node in await nodes(caller)][:2]
    assert set(job) == {
        *("kind", "apiVersion", "type", "namespace", "name", "jobName", "uid", "jobUUID", "flavor", "status"),
        *("userName", "resourceRequirement", "priority", "runningDuration", "pendingDuration", "pendingPosition"),
        *("createTime", "gvk", "hostIps", "nodes"),
    }
    assert job["hostIps"] == ",".join(hosts)
    assert [node["hostIp"] for node in job["nodes"]] == hosts
    assert job["resourceRequirement"]["nvidia.com/gpu"] == "8"
    assert job["createTime"] == 1_767_355_200_000


async def test_job_waits_runs_and_ends_by_the_clock(serve: Serve) -> None:
    job = LLAMA | {"pendingSeconds": 60, "runSeconds": 3600}
    caller = await serve(resourcePools=a_pool(job))
    seen = []
    for seconds in (30, 60, 3600, 3600):
        caller.clock.advance(seconds)
        [shown] = await items(caller)
        seen.append((shown["status"], shown["pendingDuration"], shown["runningDuration"], bool(shown["hostIps"])))
    assert seen == [
        ("Pending", 30, 0, False),
        ("Running", 60, 30, True),
        ("Completed", 60, 3600, True),
        ("Completed", 60, 3600, True),
    ]


async def test_job_can_be_weeks_old(serve: Serve) -> None:
    caller = await serve(resourcePools=a_pool(LLAMA | {"ageSeconds": 1_814_400}))
    [job] = await items(caller)
    assert job["runningDuration"] == 1_814_400


async def test_jobs_are_added_ended_and_removed_at_run_time(serve: Serve) -> None:
    caller = await serve()
    assert await items(caller) == []
    change(caller, "llama", {"runsOn": [{"nodePool": "training-a"}], "status": "Queue"})
    change(caller, "other", {"status": "Queue"})
    caller.clock.advance(10)
    assert [job["pendingPosition"] for job in await items(caller)] == [1, 2]
    change(caller, "llama", {"status": "Running"})
    caller.clock.advance(20)
    change(caller, "llama", {"status": "Terminated"})
    caller.clock.advance(30)
    llama, _ = await items(caller)
    assert (llama["status"], llama["pendingDuration"], llama["runningDuration"]) == ("Terminated", 10, 20)
    change(caller, "llama", None)
    assert [job["name"] for job in await items(caller)] == ["other"]


async def test_state_shows_jobs_as_they_are_now(serve: Serve) -> None:
    caller = await serve(resourcePools=a_pool(LLAMA | {"runSeconds": 5}))
    caller.clock.advance(9)
    [job] = (await caller.http.get("/_simulator/state")).json()["resourcePools"][0]["workloads"]
    assert (job["name"], job["status"], job["runningSeconds"]) == ("llama", "Completed", 5)


async def test_pages_are_cut_by_offset_and_limit(serve: Serve) -> None:
    caller = await serve(resourcePools=a_pool(*({"name": f"job-{number}"} for number in range(501))))
    assert len(await items(caller)) == 500
    assert len(await items(caller, "?limit=0")) == 500
    assert [job["name"] for job in await items(caller, "?offset=499")] == ["job-499", "job-500"]
    assert [job["name"] for job in await items(caller, "?offset=3&limit=1")] == ["job-3"]
    assert await items(caller, "?offset=2147483647") == []


async def test_jobs_are_filtered_sorted_and_found_by_address(serve: Serve) -> None:
    young = {"name": "young", "type": "infer", "status": "Failed"}
    caller = await serve(resourcePools=a_pool(LLAMA | {"ageSeconds": 60}, young))
    hosts = [node["status"]["privateIp"] for node in await nodes(caller)]

    async def names(query: str) -> list[str]:
        return [job["name"] for job in await items(caller, query)]

    assert await names("?type=infer") == ["young"]
    assert await names("?status=Running") == ["llama"]
    assert await names("?sort=create_time&ascend=true") == ["llama", "young"]
    assert await names("?sort=create_time") == ["young", "llama"]
    assert await names(f"?hostip={hosts[0]},10.9.9.9&limit=1&offset=7") == ["llama"]
    assert await names(f"?hostip={hosts[2]}") == []


@pytest.mark.parametrize(
    "query",
    [
        "type=training",
        "status=running",
        "sort=name",
        "sort=create_time&ascend=yes",
        "ascend=true",
        "offset=-1",
        "offset=2147483648",
        "limit=501",
        "limit=all",
    ],
)
async def test_query_that_the_page_does_not_allow_is_a_bad_request(caller: Caller, query: str) -> None:
    answer = await caller.get(f"{WORKLOADS}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "ModelArts.50004000")


async def test_case_48_region_can_lack_the_operation(serve: Serve) -> None:
    caller = await serve(shape={"listWorkloads": "absent"})
    answer = await caller.get(WORKLOADS)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIG.0101")
    caller.simulator.change({"shape": {"listWorkloads": "offered"}})
    assert (await caller.get(WORKLOADS)).status_code == 200
    answer = await caller.get(f"{POOLS}/pool-b/workloads")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ModelArts.50015001")


async def test_case_49_nodes_show_what_jobs_leave_of_them(serve: Serve) -> None:
    """An idle node too has fewer CPUs available than it has."""
    caller = await serve(resourcePools=a_pool(LLAMA | {"exclusive": True}, npuTopology=True))
    first, _, idle = await nodes(caller)
    assert first["status"]["resources"] == {"cpu": "96", "memory": "768Gi", "nvidia.com/gpu": "8"}
    assert first["status"]["availableResources"] == {"cpu": "54", "memory": "448Gi", "nvidia.com/gpu": "4"}
    assert first["metadata"]["annotations"]["os.modelarts/npu-topology-placement"] == "0000000000001111"
    label = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
    [job] = await items(caller)
    assert first["metadata"]["labels"][label] == job["uid"]
    assert idle["status"]["availableResources"] == {"cpu": "94", "memory": "768Gi", "nvidia.com/gpu": "8"}
    assert idle["metadata"]["annotations"]["os.modelarts/npu-topology-placement"] == "0" * 16
    assert label not in idle["metadata"]["labels"]


async def test_job_fails_when_its_last_node_pool_is_gone(serve: Serve) -> None:
    both = {"name": "both", "runsOn": [{"nodePool": "training-a"}, {"nodePool": "training-b"}]}
    caller = await serve(resourcePools=a_pool(LLAMA, both))
    assert (await caller.delete(f"{NODE_POOLS}/training-a")).status_code == 200
    assert [job["status"] for job in await items(caller)] == ["Running", "Running"]
    caller.clock.advance(11)
    llama, other = await items(caller)
    assert (llama["status"], llama["runningDuration"], llama["hostIps"]) == ("Failed", 11, "")
    assert (other["status"], len(other["nodes"])) == ("Running", 2)


async def test_all_nodes_of_a_world_have_different_addresses(caller: Caller) -> None:
    both = [*await nodes(caller), *await nodes(caller, "training-b")]
    assert len({node["status"]["privateIp"] for node in both}) == 5


async def test_job_on_an_unknown_node_pool_is_a_mistake_of_the_scenario(serve: Serve) -> None:
    with pytest.raises(Exception, match="workload llama runs on training-z, which is no node pool"):
        await serve(resourcePools=a_pool({"name": "llama", "runsOn": [{"nodePool": "training-z"}]}))
