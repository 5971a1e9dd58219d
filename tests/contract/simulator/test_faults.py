"""Faults: what a test asks to go wrong goes wrong, as often as asked, and nothing else does."""

import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.contract.simulator.caller import NODE_POOLS, POOLS, TRAINING, Caller

Serve = Callable[..., Awaitable[Caller]]


async def test_status_comes_before_any_effect_and_only_as_often_as_said(caller: Caller) -> None:
    caller.simulator.add_fault(
        {"operation": "delete_node_pool", "times": 1, "status": 500, "errorCode": "ModelArts.50005000"}
    )

    failed = await caller.delete(TRAINING)
    counts = await caller.counts()
    accepted = await caller.delete(TRAINING)

    assert (failed.status_code, failed.json()["error_code"]) == (500, "ModelArts.50005000")
    assert counts == {"available": 3}
    assert accepted.status_code == 200
    first, second = caller.simulator.requests("delete_node_pool")
    assert (first.effect, first.error, first.fault) == ("none", "ModelArts.50005000", "fault-1")
    assert (second.effect, second.error, second.fault) == ("accepted", None, None)


async def test_case_29_an_error_can_come_after_the_effect(caller: Caller) -> None:
    caller.simulator.add_fault({"status": 504, "effect": "after", "times": 1})

    answer = await caller.delete(TRAINING)

    assert (answer.status_code, answer.json()["error_code"]) == (504, "APIG.0203")
    assert await caller.counts() == {"deleting": 3}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
async def test_every_status_has_a_fitting_error_body(caller: Caller, status: int) -> None:
    caller.simulator.add_fault({"status": status})

    answer = await caller.get(NODE_POOLS)

    assert answer.status_code == status
    assert set(answer.json()) >= {"error_code", "error_msg"}
    assert ("request_id" in answer.json()) == answer.json()["error_code"].startswith("APIG")


@pytest.mark.parametrize(("status", "body"), [(202, b"{}"), (204, b"")])
async def test_case_25_success_without_a_node_pool_can_be_answered_too(
    caller: Caller, status: int, body: bytes
) -> None:
    caller.simulator.add_fault({"status": status, "effect": "after"})

    answer = await caller.delete(TRAINING)

    assert (answer.status_code, answer.content) == (status, body)
    assert caller.simulator.requests()[0].effect == "accepted"


async def test_case_28_throttling_says_when_to_come_back(caller: Caller) -> None:
    caller.simulator.add_fault({"status": 429, "retryAfter": 7, "headers": {"X-Note": "slow down"}})

    answer = await caller.get(NODE_POOLS)

    assert answer.json()["error_code"] == "APIG.0308"
    assert (answer.headers["Retry-After"], answer.headers["X-Note"]) == ("7", "slow down")


async def test_selectors_must_all_match(caller: Caller) -> None:
    caller.simulator.add_fault({"operation": "show_node_pool", "nodePool": "training-b", "status": 500})
    caller.simulator.add_fault({"resourcePool": "pool-z", "status": 503})

    assert (await caller.get(TRAINING)).status_code == 200
    assert (await caller.get(f"{NODE_POOLS}/training-b")).status_code == 500
    assert (await caller.get(f"{NODE_POOLS}/training-b/nodes")).status_code == 200
    assert (await caller.get(f"{POOLS}/pool-z")).status_code == 503


async def test_the_first_fault_with_times_left_is_applied_and_counted(serve: Serve) -> None:
    caller = await serve(faults=[{"name": "once", "times": 1, "status": 500}, {"times": 2, "status": 503}])

    statuses = [(await caller.get(NODE_POOLS)).status_code for _ in range(4)]

    assert statuses == [500, 503, 503, 200]
    reported = caller.simulator.state["faults"]
    assert [(fault["number"], fault["applied"]) for fault in reported] == [(1, 1), (2, 2)]
    assert [entry.fault for entry in caller.simulator.requests()] == ["once", "fault-2", "fault-2", None]


async def test_a_bad_signature_uses_up_no_fault(caller: Caller) -> None:
    caller.simulator.add_fault({"times": 1, "status": 500})
    await caller.get(NODE_POOLS, secret_key="wrong")

    assert caller.simulator.state["faults"][0]["applied"] == 0


@pytest.mark.parametrize(("drop", "effect"), [("before", "none"), ("after", "accepted")])
async def test_case_30_a_dropped_connection_gives_no_answer(caller: Caller, drop: str, effect: str) -> None:
    caller.simulator.add_fault({"drop": drop, "times": 1})

    with pytest.raises(httpx.TransportError):
        await caller.delete(TRAINING)

    [entry] = caller.simulator.requests()
    assert (entry.status, entry.effect) == (None, effect)
    assert await caller.counts() == ({"deleting": 3} if drop == "after" else {"available": 3})


async def test_a_delay_holds_the_effect_back(caller: Caller) -> None:
    caller.simulator.add_fault({"operation": "delete_node_pool", "delaySeconds": 60})

    with pytest.raises(httpx.ReadTimeout):
        await caller.http.delete(TRAINING, headers=caller.sign("DELETE", TRAINING), timeout=httpx.Timeout(5, read=0.2))

    [entry] = caller.simulator.requests()
    assert (entry.status, entry.effect) == (None, "none")


async def test_a_delay_after_the_effect_leaves_the_caller_in_the_dark(caller: Caller) -> None:
    caller.simulator.add_fault({"operation": "delete_node_pool", "delaySeconds": 60, "effect": "after"})

    with pytest.raises(httpx.ReadTimeout):
        await caller.http.delete(TRAINING, headers=caller.sign("DELETE", TRAINING), timeout=httpx.Timeout(5, read=0.2))

    assert caller.simulator.requests()[0].effect == "accepted"


async def test_latency_slows_every_signed_request(serve: Serve) -> None:
    caller = await serve(timings={"latencySeconds": 0.1})
    started = time.monotonic()

    await caller.get(NODE_POOLS)

    assert time.monotonic() - started >= 0.1


async def body_of(caller: Caller, kind: str, target: str = NODE_POOLS, **keys: object) -> httpx.Response:
    caller.simulator.cloud.faults.clear()
    caller.simulator.add_fault({"body": kind, **keys})
    return await caller.get(target)


async def test_case_26_bodies_can_be_broken_in_every_way(caller: Caller) -> None:
    whole = (await caller.get(NODE_POOLS)).content

    assert (await body_of(caller, "html")).headers["Content-Type"].startswith("text/html")
    assert (await body_of(caller, "html")).text.startswith("<!DOCTYPE html>")
    assert (await body_of(caller, "truncated")).content == whole[: len(whole) // 2]
    assert (await body_of(caller, "empty")).content == b""
    assert (await body_of(caller, "null")).json() is None
    assert set((await body_of(caller, "itemsMissing")).json()) == {"kind", "apiVersion"}
    assert (await body_of(caller, "itemsNull")).json()["items"] is None
    assert (await body_of(caller, "html", status=502)).status_code == 502


async def test_a_refusal_can_be_spoiled_too(caller: Caller) -> None:
    answer = await body_of(caller, "html", f"{NODE_POOLS}/nix")

    assert (answer.status_code, answer.text[:9]) == (404, "<!DOCTYPE")
    assert caller.simulator.requests()[0].error == "ModelArts.50015001"


async def test_counts_can_be_negative(caller: Caller) -> None:
    shown = (await body_of(caller, "negativeCounts", TRAINING)).json()

    assert shown["status"]["resources"]["available"]["count"] == -3
    assert shown["spec"]["resources"]["count"] == -3


async def test_a_huge_body_is_as_long_as_asked(caller: Caller) -> None:
    answer = await body_of(caller, "huge", hugeBytes=300_000)

    assert len(answer.content) == int(answer.headers["Content-Length"]) == 300_000
    assert [item["metadata"]["name"] for item in answer.json()["items"]] == ["training-a", "training-b"]


async def test_a_client_may_hang_up_on_a_huge_body(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caller.simulator.add_fault({"body": "huge", "times": 1})
    headers = caller.sign("DELETE", TRAINING)

    async with caller.http.stream("DELETE", TRAINING, headers=headers) as answer:
        async for chunk in answer.aiter_bytes():
            assert chunk
            break

    assert (await caller.get(NODE_POOLS)).status_code == 200
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


async def test_the_date_can_be_wrong(caller: Caller) -> None:
    caller.simulator.add_fault({"dateSkewSeconds": -1800})

    answer = await caller.get(NODE_POOLS)

    assert answer.status_code == 200
    assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == caller.clock.now() - 1800


@pytest.mark.parametrize(("keys", "status"), [({}, 307), ({"status": 302}, 302)])
async def test_case_34_a_redirect_points_elsewhere_and_has_no_effect(
    caller: Caller, keys: dict[str, Any], status: int
) -> None:
    caller.simulator.add_fault({"redirect": "http://127.0.0.1:9/", "times": 1, **keys})

    answer = await caller.delete(TRAINING)

    assert (answer.status_code, answer.headers["Location"]) == (status, "http://127.0.0.1:9/")
    assert await caller.counts() == {"available": 3}


async def test_a_waiting_request_does_not_hold_up_the_end(serve: Serve) -> None:
    """The fixture's teardown must not wait for the fault; a hang here is the failure."""
    caller = await serve(faults=[{"operation": "list_pools", "delaySeconds": 600}])

    with pytest.raises(httpx.ReadTimeout):
        await caller.http.get(POOLS, headers=caller.sign("GET", POOLS), timeout=httpx.Timeout(5, read=0.1))
