"""list_workloads: all jobs of a resource pool or an error, against the simulator and against raw answers."""

import json
from typing import Any

import pytest

from modelarts_nodepool import errors
from tests.contract.client.clients import PROJECT, Reports, a_client, a_cloud
from tests.contract.client.raw_server import a_reply, raw_server


def a_world(*workloads: dict[str, Any], **pool: Any) -> dict[str, Any]:  # noqa: ANN401 - a scenario
    node_pools = [{"name": "training-a", "count": 2}, {"name": "training-b", "count": 1}]
    return {"resourcePools": [{"name": "pool-a", "nodePools": node_pools, "workloads": list(workloads), **pool}]}


def a_page(*numbers: int) -> bytes:
    items = [{"uid": f"uid-{number}", "name": f"job-{number}", "status": "Running"} for number in numbers]
    return a_reply(200, json.dumps({"kind": "WorkloadList", "items": items}).encode())


async def test_case_46_jobs_are_listed_with_their_nodes() -> None:
    llama = {"name": "llama", "runsOn": [{"nodePool": "training-a"}], "ageSeconds": 86400}
    queued = {"name": "later", "status": "Queue", "runsOn": [{"nodePool": "training-b"}]}
    async with a_cloud(a_world(llama, queued)) as (_, client):
        later, running = sorted(await client.list_workloads("pool-a"), key=lambda workload: workload.name)
        nodes = await client.list_node_pool_nodes("pool-a", "training-a")
    assert (later.status, later.host_ips) == ("Queue", frozenset())
    assert (running.kind, running.status) == ("train", "Running")
    assert running.host_ips == {node.host_ip for node in nodes}
    assert len(running.host_ips) == 2
    assert running.running is not None
    assert running.running.days == 1


async def test_case_46_jobs_are_read_over_all_pages() -> None:
    workloads = [{"name": f"job-{number}", "status": "Completed"} for number in range(1203)]
    reports = Reports()
    async with a_cloud(a_world(*workloads), reports=reports) as (simulator, client):
        found = await client.list_workloads("pool-a")
        targets = [entry.path for entry in simulator.requests("list_workloads")]
    assert len({workload.name for workload in found}) == 1203
    assert targets == [f"/v2/{PROJECT}/pools/pool-a/workloads"] * 3
    assert reports.outcomes == ["200"] * 3


async def test_resource_pool_without_jobs_is_one_call() -> None:
    async with a_cloud(a_world()) as (simulator, client):
        assert list(await client.list_workloads("pool-a")) == []
        assert len(simulator.requests()) == 1


async def test_case_47_a_list_that_changes_while_it_is_read_is_read_again() -> None:
    """A job ended between two requests, so that the second page misses one; the second reading has them all."""
    whole, rest = list(range(510)), list(range(2, 512))
    replies = [a_page(*whole[:500]), a_page(*whole[501:]), a_page(*rest[:500]), a_page(*rest[499:])]
    async with raw_server(*replies) as server, a_client(server.endpoint) as client:
        found = await client.list_workloads("pool-a")
        targets = [head.split(" ")[1].partition("?")[2] for head in server.heads]
    assert {workload.uid for workload in found} == {f"uid-{number}" for number in rest}
    assert targets == [f"sort=create_time&ascend=true&offset={offset}&limit=500" for offset in (0, 499, 0, 499)]


async def test_case_47_a_list_that_never_rests_is_an_error() -> None:
    replies = [a_page(*range(start, start + 500)) for start in range(0, 10_000, 700)]
    async with raw_server(*replies) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer, match="changed while it was read, 3 times"):
            await client.list_workloads("pool-a")
        assert len(server.heads) == 6


async def test_server_that_ignores_the_offset_is_noticed_at_the_second_page() -> None:
    async with raw_server(a_page(*range(500))) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer, match="offset 499 is the first page again"):
            await client.list_workloads("pool-a")
        assert len(server.heads) == 2


async def test_list_that_does_not_end_is_an_error() -> None:
    replies = [a_page(*range(start, start + 500)) for start in range(0, 499 * 101, 499)]
    async with raw_server(*replies) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer, match="did not end after 100 pages"):
            await client.list_workloads("pool-a")
        assert len(server.heads) == 100


async def test_page_that_is_longer_than_the_limit_is_read_to_its_end() -> None:
    replies = [a_page(*range(700)), a_page(699)]
    async with raw_server(*replies) as server, a_client(server.endpoint) as client:
        assert len(await client.list_workloads("pool-a")) == 700


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html>Back soon</html>",
        b'{"kind": "WorkloadList", "items": [{"uid": "u"',
        b'{"kind": "WorkloadList"}',
        b'{"kind": "WorkloadList", "items": {}}',
        b'{"kind": "WorkloadList", "items": ["job"]}',
        b'{"kind": "NodeList", "items": []}',
        b'{"items": []}',
        b'{"kind": "WorkloadList", "items": [{"uid": "u"}], "items": []}',
        b'{"kind": "WorkloadList", "items": [], "metadata": {"continue": "abc"}}',
        b'{"kind": "WorkloadList", "items": [], "metadata": {"remainingItemCount": 3}}',
    ],
)
async def test_case_46_doubtful_list_is_malformed_and_never_empty(body: bytes) -> None:
    async with raw_server(a_reply(200, body)) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer):
            await client.list_workloads("pool-a")
        assert len(server.heads) == 1


async def test_doubtful_second_page_is_no_short_list() -> None:
    async with raw_server(a_page(*range(500)), a_reply(200, b"")) as server, a_client(server.endpoint) as client:
        with pytest.raises(errors.MalformedAnswer):
            await client.list_workloads("pool-a")


async def test_case_48_region_without_the_operation_is_not_a_missing_resource_pool() -> None:
    async with a_cloud(a_world() | {"shape": {"listWorkloads": "absent"}}) as (simulator, client):
        with pytest.raises(errors.WrongEndpoint, match="does not offer this operation"):
            await client.list_workloads("pool-a")
        simulator.change({"shape": {"listWorkloads": "offered"}})
        with pytest.raises(errors.ResourcePoolNotFound):
            await client.list_workloads("pool-b")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 403}, errors.PermissionDenied),
        ({"status": 401}, errors.CredentialsRejected),
        ({"status": 429}, errors.Throttled),
        ({"status": 500}, errors.ServerFailure),
        ({"status": 400}, errors.RefusedByModelArts),
        ({"status": 404, "errorCode": "ModelArts.4204"}, errors.WrongEndpoint),
        ({"status": 404, "errorCode": "ModelArts.50004000"}, errors.NotFound),
        ({"status": 404, "body": "html"}, errors.WrongEndpoint),
        ({"redirect": "http://127.0.0.1:1/"}, errors.WrongEndpoint),
        ({"drop": "before"}, errors.NoAnswer),
        ({"body": "itemsMissing"}, errors.MalformedAnswer),
    ],
)
async def test_failures_keep_their_classes(fault: dict[str, Any], kind: type[errors.CloudError]) -> None:
    reports = Reports()
    faults = {"faults": [{"operation": "list_workloads", "times": 1, **fault}]}
    async with a_cloud(a_world() | faults, reports=reports) as (_, client):
        with pytest.raises(kind) as caught:
            await client.list_workloads("pool-a")
        assert type(caught.value) is kind
        assert list(await client.list_workloads("pool-a")) == []
    assert [report.operation for report in reports.seen] == ["list_workloads"] * 2


@pytest.mark.parametrize(
    ("node_pool", "expected"),
    [
        ({}, [True, False]),
        ({"flavor": "modelarts.bm.npu.arm.8snt9b3", "npuTopology": True}, [True, False]),
        ({"flavor": "modelarts.vm.cpu.8u"}, [None, None]),
        ({"flavor": "modelarts.vm.cpu.8u", "acceleratorKey": "huawei.com/Ascend910"}, [True, False]),
    ],
)
async def test_case_49_node_shows_accelerators_in_use(node_pool: dict[str, Any], expected: list[bool | None]) -> None:
    """CPUs prove nothing: idle nodes too have fewer available than they have."""
    job = {"name": "job", "runsOn": [{"nodePool": "training-c", "nodes": 1, "accelerators": 1}]}
    world = a_world(job, nodePools=[{"name": "training-c", "count": 2} | node_pool])
    async with a_cloud(world) as (simulator, client):
        nodes = await client.list_node_pool_nodes("pool-a", "training-c")
        assert [node.is_in_use for node in nodes] == expected
        simulator.change({"resourcePools": {"pool-a": {"workloads": {"job": {"status": "Completed"}}}}})
        nodes = await client.list_node_pool_nodes("pool-a", "training-c")
        assert [node.is_in_use for node in nodes] == [None if each is None else False for each in expected]


async def test_case_49_node_of_a_cabinet_that_one_job_has_is_in_use() -> None:
    job = {"name": "job", "exclusive": True, "runsOn": [{"nodePool": "cpu", "nodes": 1}]}
    world = a_world(job, nodePools=[{"name": "cpu", "count": 2, "flavor": "modelarts.vm.cpu.8u"}])
    async with a_cloud(world) as (_, client):
        assert [node.is_in_use for node in await client.list_node_pool_nodes("pool-a", "cpu")] == [True, None]


async def test_nodes_without_an_address_have_none_and_abnormal_ones_say_why() -> None:
    states = {"available": 1, "abnormal": 1, "creating": 1}
    node_pool = {"name": "np", "states": states, "privateIps": False, "abnormalMessage": "XID 79: GPU lost"}
    async with a_cloud(a_world(nodePools=[node_pool])) as (simulator, client):
        nodes = await client.list_node_pool_nodes("pool-a", "np")
        assert [(node.phase, node.host_ip, node.reason) for node in nodes] == [
            ("Available", "", ""),
            ("Abnormal", "", "XID 79: GPU lost"),
            ("Creating", "", ""),
        ]
        simulator.change({"resourcePools": {"pool-a": {"nodePools": {"np": {"privateIps": True}}}}})
        assert [bool(node.host_ip) for node in await client.list_node_pool_nodes("pool-a", "np")] == [True, True, False]
