"""CreateNodePool and PatchNodePool, byte by byte; the official SDK calls them in tests/contract/sdk."""

import json

import pytest

from tests.contract.simulator.caller import NODE_POOLS, TRAINING, Caller

RESIZED = json.dumps({"spec": {"resources": {"count": 5, "maxCount": 5}}}).encode()


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/merge-patch+json", 200),
        ("Application/Merge-Patch+JSON; charset=utf-8", 200),
        ("application/json", 415),
        ("application/json-patch+json", 415),
        ("", 415),
    ],
)
async def test_case_38_patch_needs_the_content_type_of_a_merge_patch(
    caller: Caller, content_type: str, status: int
) -> None:
    answer = await caller.call("PATCH", TRAINING, headers={"Content-Type": content_type}, body=RESIZED)

    assert answer.status_code == status
    assert status == 200 or answer.json()["error_code"] == "ModelArts.50004100"
    shown = (await caller.get(TRAINING)).json()
    assert shown["spec"]["resources"]["count"] == (5 if status == 200 else 3)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"spec": []}', b'{"spec": {"resources": [1, 2]}}'])
async def test_case_39_body_that_is_no_node_pool_is_a_bad_request(caller: Caller, body: bytes) -> None:
    answer = await caller.call("POST", NODE_POOLS, headers={"Content-Type": "application/json"}, body=body)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "ModelArts.50004000")
    assert [entry.effect for entry in caller.simulator.requests("create_node_pool")] == ["none"]


async def test_case_39_created_node_pool_is_available_when_its_time_has_come(caller: Caller) -> None:
    wanted = {"flavor": "modelarts.vm.gpu.t4u8", "count": 2, "tags": [{"key": "team", "value": "ml"}]}
    node_pool = {"metadata": {"name": "new"}, "spec": {"resources": wanted}}

    created = await caller.call("POST", NODE_POOLS, body=json.dumps(node_pool).encode())

    assert created.json()["spec"]["resources"]["tags"] == [{"key": "team", "value": "ml"}]
    assert await caller.counts(f"{NODE_POOLS}/new") == {"creating": 2}
    caller.clock.advance(5)
    assert await caller.counts(f"{NODE_POOLS}/new") == {"available": 2}
