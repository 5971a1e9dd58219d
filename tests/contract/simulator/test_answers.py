"""What the routes answer, field by field."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.contract.simulator.caller import NODE_POOLS, POOLS, TRAINING, Caller

Serve = Callable[..., Awaitable[Caller]]
BILLING = "os.modelarts/billing.mode"


async def test_node_pool_shows_every_field_of_the_api_page(caller: Caller) -> None:
    shown = (await caller.get(TRAINING)).json()

    assert {key: shown[key] for key in ("kind", "apiVersion", "metadata")} == {
        "kind": "NodePool",
        "apiVersion": "v2",
        "metadata": {"name": "training-a"},
    }
    resources = shown["spec"]["resources"]
    assert set(resources) == {
        *("flavor", "count", "maxCount", "azs", "nodePool", "taints", "labels", "tags"),
        *("network", "extendParams", "creatingStep", "os"),
    }
    assert (resources["nodePool"], resources["count"], resources["maxCount"]) == ("training-a", 3, 3)
    assert shown["status"]["resources"] == {
        "available": {
            "nodePool": "training-a",
            "flavor": "modelarts.vm.gpu.t4u8",
            "count": 3,
            "maxCount": 3,
            "azs": [{"az": "cn-north-4a", "count": 3}],
        }
    }


async def test_case_03_list_of_node_pools_has_no_pages(caller: Caller) -> None:
    listed = (await caller.get(NODE_POOLS)).json()

    assert (listed["kind"], listed["apiVersion"]) == ("NodePoolList", "v2")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["training-a", "training-b"]
    assert listed["items"][0] == (await caller.get(TRAINING)).json()
    assert "metadata" not in listed


async def test_states_without_nodes_are_left_out(caller: Caller) -> None:
    states = {"creating": 1, "abnormal": 2}
    caller.simulator.change({"resourcePools": {"pool-a": {"nodePools": {"training-a": {"states": states}}}}})

    assert await caller.counts() == states


async def test_case_21_22_resources_can_come_as_lists(serve: Serve) -> None:
    caller = await serve(shape={"resources": "list"})

    shown = (await caller.get(TRAINING)).json()

    assert [found["count"] for found in shown["spec"]["resources"]] == [3]
    assert [found["count"] for found in shown["status"]["resources"]["available"]] == [3]


@pytest.mark.parametrize("said", ["maxCount", "azs"])
async def test_case_45_numbers_can_come_without_count(serve: Serve, said: str) -> None:
    caller = await serve(shape={"counts": said})

    shown = (await caller.get(TRAINING)).json()

    parts = [shown["spec"]["resources"], shown["status"]["resources"]["available"]]
    assert [{"count", "maxCount", "azs"} & part.keys() for part in parts] == [{said}] * 2


async def test_nodes_are_spread_over_the_zones_in_order(caller: Caller) -> None:
    pool = {"azs": [{"az": "z1", "count": 2}, {"az": "z2", "count": 1}], "states": {"available": 1, "abnormal": 2}}
    caller.simulator.change({"resourcePools": {"pool-a": {"nodePools": {"training-a": pool}}}})

    resources = (await caller.get(TRAINING)).json()["status"]["resources"]

    assert resources["available"]["azs"] == [{"az": "z1", "count": 1}]
    assert resources["abnormal"]["azs"] == [{"az": "z1", "count": 1}, {"az": "z2", "count": 1}]


async def test_resource_pool_shows_its_billing_where_it_is_known(caller: Caller) -> None:
    known = (await caller.get(f"{POOLS}/pool-a")).json()
    caller.simulator.change({"resourcePools": {"pool-a": {"billingMode": None}}})
    unknown = (await caller.get(f"{POOLS}/pool-a")).json()

    assert known["metadata"]["annotations"][BILLING] == "0"
    assert BILLING not in unknown["metadata"]["annotations"]
    assert known["metadata"]["labels"]["os.modelarts/workspace.id"] == "0"
    assert known["status"]["phase"] == "Running"
    assert [found["count"] for found in known["status"]["resources"]["available"]] == [3, 2]


async def test_resource_pools_are_listed_by_workspace_and_status(serve: Serve) -> None:
    caller = await serve(
        resourcePools=[
            {"name": "home"},
            {"name": "new", "phase": "Creating"},
            {"name": "away", "workspace": "w1"},
            {"name": "foreign", "projectId": "other"},
        ]
    )

    async def names(query: str) -> list[str]:
        answer = await caller.get(f"{POOLS}{query}")
        return [item["metadata"]["name"] for item in answer.json()["items"]]

    assert await names("") == ["home", "new"]
    assert await names("?workspaceId=w1") == ["away"]
    assert await names("?status=creating") == ["new"]
    assert await names("?status=created&workspaceId=0") == ["home"]
    assert await names("?status=failed") == []


async def test_nodes_say_their_phase_billing_lock_and_node_pool(caller: Caller) -> None:
    pool = {"states": {"available": 1, "abnormal": 1, "creating": 1}, "prepaidNodes": 1, "lockedNodes": 2}
    caller.simulator.change({"resourcePools": {"pool-a": {"nodePools": {"training-a": pool}}}})

    nodes = (await caller.get(f"{TRAINING}/nodes")).json()["items"]

    assert [node["status"]["phase"] for node in nodes] == ["Available", "Abnormal", "Creating"]
    assert [node["metadata"]["annotations"][BILLING] for node in nodes] == ["1", "0", "0"]
    locks = [node["metadata"]["annotations"].get("os.modelarts.node/lock.action") for node in nodes]
    assert locks == ["delete", "delete", None]
    assert {node["metadata"]["labels"]["os.modelarts.node/nodepoolname"] for node in nodes} == {"training-a"}


async def pages(caller: Caller, target: str) -> list[dict[str, Any]]:
    found = [(await caller.get(f"{target}?limit=2")).json()]
    while token := found[-1]["metadata"].get("continue"):
        found.append((await caller.get(f"{target}?continue={token}&limit=2")).json())
    return found


async def test_case_04_nodes_come_in_pages(caller: Caller) -> None:
    of_node_pool = await pages(caller, f"{TRAINING}/nodes")
    of_resource_pool = await pages(caller, f"{POOLS}/pool-a/nodes")

    assert [len(page["items"]) for page in of_node_pool] == [2, 1]
    assert [page["metadata"]["remainingItemCount"] for page in of_node_pool] == [1, 0]
    assert [len(page["items"]) for page in of_resource_pool] == [2, 2, 1]
    names = [node["metadata"]["name"] for page in of_resource_pool for node in page["items"]]
    assert len(set(names)) == 5


@pytest.mark.parametrize("query", ["continue=garbage", "limit=501", "limit=-1", "limit=x"])
async def test_bad_paging_is_a_bad_request(caller: Caller, query: str) -> None:
    answer = await caller.get(f"{TRAINING}/nodes?{query}")

    assert (answer.status_code, answer.json()["error_code"]) == (400, "ModelArts.50004000")


async def test_case_17_unknown_resource_pool_is_not_found(caller: Caller) -> None:
    for target in ("/nix", "/nix/nodepools", "/nix/nodepools/training-a", "/nix/nodes"):
        answer = await caller.get(POOLS + target)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "ModelArts.50015001")
        assert answer.json()["error_msg"] == "Pool nix not found."


async def test_case_16_unknown_node_pool_is_not_found_in_either_way(caller: Caller) -> None:
    for target in ("/nix", "/nix/nodes"):
        answer = await caller.get(NODE_POOLS + target)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "ModelArts.50015001")
        assert answer.json()["error_msg"] == "Node pool nix not found."

    caller.simulator.change({"shape": {"notFound": "400"}})

    answer = await caller.get(f"{NODE_POOLS}/nix")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "ModelArts.50004000")
    assert "Record not found" in answer.json()["error_msg"]

    caller.simulator.change({"shape": {"notFound": "400-invalid-name"}})

    answer = await caller.get(f"{NODE_POOLS}/nix")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "ModelArts.50004000")
    assert answer.json()["error_msg"] == "Bad request. invalid nodepool name"


async def test_case_44_live_words_of_an_unknown_node_pool(caller: Caller) -> None:
    caller.simulator.change({"shape": {"notFound": "400-invalid-name"}})
    for target in ("/nix", "/nix/nodes"):
        answer = await caller.get(NODE_POOLS + target)
        assert (answer.status_code, answer.json()["error_msg"]) == (400, "Bad request. invalid nodepool name")
    assert (await caller.get(f"{NODE_POOLS}/training-a")).status_code == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/v1/orders"),
        ("GET", f"{POOLS}/pool-a/plugins"),
        ("GET", f"{TRAINING}/nodes/one"),
        ("GET", "/v2//pools"),
        ("GET", f"{POOLS}//nodepools"),
        ("DELETE", POOLS),
        ("DELETE", NODE_POOLS),
        ("DELETE", f"{TRAINING}/nodes"),
        ("POST", POOLS),
        ("PATCH", f"{POOLS}/pool-a"),
        ("PUT", f"{POOLS}/pool-a"),
    ],
)
async def test_case_18_gateway_knows_no_other_route(caller: Caller, method: str, target: str) -> None:
    answer = await caller.call(method, target)

    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIG.0101")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert caller.simulator.requests()[0].operation is None


async def test_every_answer_has_its_own_request_id(caller: Caller) -> None:
    answers = [await caller.get(NODE_POOLS), await caller.get("/nix"), await caller.get(TRAINING, secret_key="x")]

    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert len(set(ids)) == 3
    assert [entry.request_id for entry in caller.simulator.requests()] == ids


async def test_dot_segments_on_the_wire_are_names(caller: Caller) -> None:
    target = f"{NODE_POOLS}/.."
    headers = caller.sign("DELETE", target)
    host, _, port = caller.simulator.endpoint.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"DELETE {target} HTTP/1.1", "Host: x", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())

    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()

    assert "404" in answer.splitlines()[0]
    assert "Node pool .. not found." in answer
    assert caller.simulator.requests()[0].operation == "delete_node_pool"
