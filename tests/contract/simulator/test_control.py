"""The control endpoint: what a test or a demo does to the cloud from outside."""

from typing import Any

import pytest

from tests.contract.simulator.caller import NODE_POOLS, POOLS, TRAINING, Caller

STATE, FAULTS, REQUESTS = "/_simulator/state", "/_simulator/faults", "/_simulator/requests"


async def patch(caller: Caller, change: object) -> dict[str, Any]:
    answer = await caller.http.patch(STATE, json=change)
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()
    return state


async def test_state_shows_the_world_without_secrets(caller: Caller) -> None:
    await caller.delete(TRAINING)

    answer = await caller.http.get(STATE)

    state = answer.json()
    [resource_pool] = state["resourcePools"]
    assert (resource_pool["name"], resource_pool["billingMode"]) == ("pool-a", "0")
    shown = {
        node_pool["name"]: (node_pool["states"]["available"], node_pool["states"]["deleting"])
        for node_pool in resource_pool["nodePools"]
    }
    assert shown == {"training-a": (0, 3), "training-b": (2, 0)}
    assert resource_pool["nodePools"][0]["deleteAccepted"] is True
    assert state["timings"]["deleteSeconds"] == 10
    assert state["credentials"][0]["accessKey"] == "AKSIMULATOR"
    assert "SKSIMULATOR" not in answer.text


async def test_state_can_be_asked_for_some_resource_pools(caller: Caller) -> None:
    changed = await patch(caller, {"resourcePools": {"pool-b": {}, "pool-c": {}}})
    asked = (await caller.http.get(f"{STATE}?resourcePool=pool-a&resourcePool=pool-c")).json()

    assert [resource_pool["name"] for resource_pool in changed["resourcePools"]] == ["pool-b", "pool-c"]
    assert [resource_pool["name"] for resource_pool in asked["resourcePools"]] == ["pool-a", "pool-c"]


async def test_changes_merge_by_name_in_both_forms(caller: Caller) -> None:
    by_list = [{"name": "pool-a", "nodePools": [{"name": "training-a", "states": {"available": 2, "abnormal": 1}}]}]
    await patch(caller, {"resourcePools": by_list})
    await patch(caller, {"resourcePools": {"pool-a": {"nodePools": {"training-b": {"count": 9}}}}})

    assert await caller.counts() == {"available": 2, "abnormal": 1}
    assert await caller.counts(f"{NODE_POOLS}/training-b") == {"available": 9}
    assert (await caller.get(TRAINING)).json()["spec"]["resources"]["count"] == 3


async def test_a_change_shows_in_the_very_next_answer(caller: Caller) -> None:
    before = (await caller.get(TRAINING)).json()
    await patch(caller, {"resourcePools": {"pool-a": {"nodePools": {"training-a": {"flavor": "other"}}}}})
    after = (await caller.get(TRAINING)).json()
    await patch(caller, {"shape": {"resources": "list"}})
    as_list = (await caller.get(TRAINING)).json()

    assert before["spec"]["resources"]["flavor"] == "modelarts.vm.gpu.t4u8"
    assert after["spec"]["resources"]["flavor"] == "other"
    assert as_list["spec"]["resources"] == [after["spec"]["resources"]]


async def test_states_are_replaced_whole_and_null_hands_them_back_to_the_clock(caller: Caller) -> None:
    path = {"resourcePools": {"pool-a": {"nodePools": {"training-a": {"states": {"available": 3}}}}}}
    await patch(caller, path)
    path["resourcePools"]["pool-a"]["nodePools"]["training-a"]["states"] = {"abnormal": 1}
    await patch(caller, path)
    assert await caller.counts() == {"abnormal": 1}

    await patch(caller, {"resourcePools": {"pool-a": {"nodePools": {"training-a": {"states": None}}}}})

    assert await caller.counts() == {"available": 3}


@pytest.mark.parametrize(
    "node_pools", [{"training-a": None}, {"training-a": {"remove": True}}, [{"name": "training-a", "remove": True}]]
)
async def test_a_node_pool_can_vanish_at_once(caller: Caller, node_pools: object) -> None:
    await patch(caller, {"resourcePools": {"pool-a": {"nodePools": node_pools}}})

    assert (await caller.get(TRAINING)).status_code == 404
    assert (await caller.get(f"{POOLS}/pool-a")).status_code == 200


async def test_resource_pools_come_and_go(caller: Caller) -> None:
    await patch(caller, {"resourcePools": {"pool-b": {"billingMode": "1", "nodePools": {"x": {}}}, "pool-a": None}})

    items = (await caller.get(POOLS)).json()["items"]

    assert [item["metadata"]["name"] for item in items] == ["pool-b"]
    assert await caller.counts(f"{POOLS}/pool-b/nodepools/x") == {"creating": 1}


async def test_keys_can_be_rotated(caller: Caller) -> None:
    await patch(caller, {"credentials": [{"accessKey": "AKNEW", "secretKey": "SKNEW"}]})
    assert (await caller.get(POOLS, access_key="AKNEW", secret_key="SKNEW")).status_code == 200
    assert (await caller.get(POOLS)).status_code == 200

    await patch(caller, {"credentials": {"AKSIMULATOR": None, "AKNEW": {"secretKey": "SKNEWER"}}})

    assert (await caller.get(POOLS)).status_code == 401
    assert (await caller.get(POOLS, access_key="AKNEW", secret_key="SKNEW")).status_code == 401
    assert (await caller.get(POOLS, access_key="AKNEW", secret_key="SKNEWER")).status_code == 200


async def test_a_permission_can_be_taken_and_given_back(caller: Caller) -> None:
    await patch(caller, {"credentials": {"AKSIMULATOR": {"allow": []}}})
    assert (await caller.get(POOLS)).json()["error_code"] == "ModelArts.0112"

    await patch(caller, {"credentials": {"AKSIMULATOR": {"allow": None}}})

    assert (await caller.get(POOLS)).status_code == 200


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ([], "(top)", "write a map"),
        ({"faults": []}, "faults", "Allowed: timings, shape, issuers, credentials, tokens, resourcePools"),
        ({"timings": {"deleteSecond": 1}}, "timings.deleteSecond", "did you mean deleteSeconds?"),
        ({"timings": 5}, "timings", "write a map"),
        ({"resourcePools": 5}, "resourcePools", "write a list of maps with the key name"),
        ({"resourcePools": [{}]}, "resourcePools[0]", "the key name"),
        ({"resourcePools": {"pool-a": 1}}, "resourcePools.pool-a", "null to remove"),
        ({"resourcePools": {"pool-a": {"remove": 1}}}, "resourcePools.pool-a.remove", "true or false"),
        ({"resourcePools": {"pool-a": {"billingMode": 1}}}, "resourcePools.pool-a.billingMode", "'0' or '1'"),
        (
            {"resourcePools": {"pool-a": {"nodePools": {"x": {"inuse": True}}}}},
            "resourcePools.pool-a.nodePools.x.inuse",
            "did you mean inUse?",
        ),
        ({"credentials": {"AKNEW": {}}}, "credentials.AKNEW.secretKey", "required"),
    ],
)
async def test_a_wrong_change_names_its_key_and_changes_nothing(
    caller: Caller, change: object, key: str, words: str
) -> None:
    good = {"shape": {"notFound": "400"}}
    before = caller.simulator.state

    answer = await caller.http.patch(STATE, json=good | change if isinstance(change, dict) else change)

    assert answer.status_code == 400
    [problem] = answer.json()["errors"]
    assert problem["key"] == key
    assert words in problem["message"]
    assert caller.simulator.state == before


async def test_a_body_that_is_not_json_is_refused(caller: Caller) -> None:
    answer = await caller.http.patch(STATE, content=b"{")

    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (400, "the body is not JSON")


async def test_faults_are_added_shown_and_cleared(caller: Caller) -> None:
    one = await caller.http.post(FAULTS, json={"operation": "list_pools", "status": 500})
    more = await caller.http.post(FAULTS, json=[{"status": 502}, {"status": 503}])

    assert [fault["number"] for fault in one.json()["faults"] + more.json()["faults"]] == [1, 2, 3]
    assert (await caller.get(POOLS)).status_code == 500
    assert [fault["applied"] for fault in (await caller.http.get(FAULTS)).json()["faults"]] == [1, 0, 0]
    assert (await caller.http.delete(FAULTS)).json() == {"faults": []}
    assert (await caller.get(POOLS)).status_code == 200


async def test_a_wrong_fault_is_refused(caller: Caller) -> None:
    answer = await caller.http.post(FAULTS, json=[{"status": 500}, {"drop": "after", "status": 500}])

    assert answer.status_code == 400
    assert "drop leaves no answer" in answer.json()["errors"][0]["message"]
    assert caller.simulator.state["faults"] == []


async def test_requests_are_told_in_order(caller: Caller) -> None:
    await caller.get(NODE_POOLS)
    await caller.delete(TRAINING)
    await caller.get("/nix")

    told = (await caller.http.get(REQUESTS)).json()

    assert [(entry["number"], entry["operation"]) for entry in told["requests"]] == [
        (1, "list_node_pools"),
        (2, "delete_node_pool"),
        (3, None),
    ]
    deleted = told["requests"][1]
    assert deleted == {
        "number": 2,
        "time": "2026-01-02T12:00:00.000000+00:00",
        "operation": "delete_node_pool",
        "pool": "pool-a",
        "nodePool": "training-a",
        "status": 200,
        "effect": "accepted",
        "requestId": deleted["requestId"],
        "accessKey": "AKSIMULATOR",
        "signature": "valid",
        "error": None,
        "fault": None,
        "method": "DELETE",
        "path": TRAINING,
    }
    assert told["counts"] == {"list_node_pools": 1, "delete_node_pool": 1, "unknown": 1}
    assert told["last"] == 3


async def test_requests_can_be_asked_for_since_a_number_and_by_operation(caller: Caller) -> None:
    for target in (NODE_POOLS, TRAINING, NODE_POOLS):
        await caller.get(target)

    since = (await caller.http.get(f"{REQUESTS}?since=1")).json()["requests"]
    by_operation = (await caller.http.get(f"{REQUESTS}?operation=list_node_pools")).json()["requests"]

    assert [entry["number"] for entry in since] == [2, 3]
    assert [entry["number"] for entry in by_operation] == [1, 3]
    assert (await caller.http.get(f"{REQUESTS}?since=x")).status_code == 400


async def test_clearing_requests_keeps_the_numbers(caller: Caller) -> None:
    await caller.get(NODE_POOLS)
    assert (await caller.http.delete(REQUESTS)).json() == {"requests": [], "counts": {}, "last": 1}

    await caller.get(NODE_POOLS)

    assert [entry["number"] for entry in (await caller.http.get(REQUESTS)).json()["requests"]] == [2]


async def test_control_requests_are_not_on_record(caller: Caller) -> None:
    await caller.http.get(STATE)

    assert (await caller.http.get(REQUESTS)).json()["requests"] == []


async def test_an_unknown_control_lists_the_known_ones(caller: Caller) -> None:
    answer = await caller.http.put("/_simulator/state")

    assert answer.status_code == 404
    assert "PATCH /_simulator/state" in answer.json()["errors"][0]["message"]
