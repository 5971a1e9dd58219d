"""Who is let in, who is not, and with which words (reference: signing guide, error tables)."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from lab.simulator.scenario import PROJECT_ID
from tests.contract.simulator.caller import NODE_POOLS, POOLS, TRAINING, Caller, Sending
from tests.support.raw_signer import sdk_date, signature_of

Serve = Callable[..., Awaitable[Caller]]


def assert_unauthenticated(answer: httpx.Response, words: str) -> None:
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "APIG.0301"
    assert words in answer.json()["error_msg"]
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


async def test_a_good_signature_is_let_in(caller: Caller) -> None:
    answer = await caller.get(NODE_POOLS, headers={"Host": caller.simulator.endpoint.removeprefix("http://")})

    assert answer.status_code == 200
    [entry] = caller.simulator.requests()
    assert (entry.signature, entry.access_key) == ("valid", "AKSIMULATOR")


@pytest.mark.parametrize("name", ["p l%20us", "n%C3%BCtzlich", "a%2Fb", "a+b", "a~b"])
async def test_case_05_encoded_names_verify_when_decoded_once_and_encoded_again(caller: Caller, name: str) -> None:
    answer = await caller.get(f"{NODE_POOLS}/{name.replace(' ', '%20')}")

    assert answer.json()["error_code"] == "ModelArts.50015001"


async def test_case_07_query_is_part_of_the_signature(caller: Caller) -> None:
    good = await caller.get(f"{TRAINING}/nodes?limit=2&continue=")
    bad = await caller.get(f"{TRAINING}/nodes?limit=2", sent_target=f"{TRAINING}/nodes?limit=3")

    assert good.status_code == 200
    assert_unauthenticated(bad, "verify aksk signature fail")


async def test_case_07_a_space_sent_as_plus_does_not_verify(caller: Caller) -> None:
    answer = await caller.get(f"{POOLS}?status=a%20b", sent_target=f"{POOLS}?status=a+b")

    assert_unauthenticated(answer, "verify aksk signature fail")


async def test_case_07_another_path_does_not_verify_and_deletes_nothing(caller: Caller) -> None:
    answer = await caller.delete(f"{NODE_POOLS}/..", sent_target=f"{POOLS}/pool-a")

    assert_unauthenticated(answer, "verify aksk signature fail")
    assert [entry.effect for entry in caller.simulator.requests("delete_pool")] == ["none"]


async def test_case_07_a_changed_body_does_not_verify(caller: Caller) -> None:
    good = await caller.delete(f"{NODE_POOLS}/training-b", body=b"{ }")
    bad = await caller.delete(TRAINING, body=b"{ }", sent_body=b"{}")

    assert good.status_code == 200
    assert_unauthenticated(bad, "verify aksk signature fail")


async def test_case_07_a_changed_signed_header_does_not_verify(caller: Caller) -> None:
    answer = await caller.get(NODE_POOLS, headers={"X-Project-Id": PROJECT_ID}, unsigned={"X-Project-Id": "another"})

    assert_unauthenticated(answer, "verify aksk signature fail")


async def test_the_date_must_be_signed(caller: Caller) -> None:
    headers = {"Host": "h", "X-Sdk-Date": sdk_date(caller.clock.now())}
    signature = signature_of("GET", NODE_POOLS, headers, b"", "SKSIMULATOR")
    good = f"SDK-HMAC-SHA256 Access=AKSIMULATOR, SignedHeaders=host;x-sdk-date, Signature={signature}"
    bad = good.replace(";x-sdk-date", "")

    assert (await caller.http.get(NODE_POOLS, headers={**headers, "Authorization": good})).status_code == 200
    assert_unauthenticated(
        await caller.http.get(NODE_POOLS, headers={**headers, "Authorization": bad}), "must be a signed header"
    )


async def test_a_date_of_another_form_is_refused(caller: Caller) -> None:
    answer = await caller.get(NODE_POOLS, headers={"X-Sdk-Date": "2026-01-02T12:00:00Z"})

    assert_unauthenticated(answer, "YYYYMMDDTHHMMSSZ")


@pytest.mark.parametrize(
    ("headers", "words", "verdict"),
    [
        ({}, "Authorization", "missing"),
        ({"X-Auth-Token": "x"}, "decrypt token fail", "badToken"),
        ({"Authorization": "Basic eDp5"}, "malformed", "malformed"),
    ],
)
async def test_requests_without_a_signature_are_refused(
    caller: Caller, headers: dict[str, str], words: str, verdict: str
) -> None:
    assert_unauthenticated(await caller.http.get(NODE_POOLS, headers=headers), words)
    assert caller.simulator.requests()[0].signature == verdict


async def test_an_unknown_access_key_is_refused(caller: Caller) -> None:
    assert_unauthenticated(await caller.get(NODE_POOLS, access_key="AKNOBODY"), "AKNOBODY")
    assert caller.simulator.requests()[0].signature == "unknownKey"


@pytest.mark.parametrize(("late_by", "status"), [(900, 200), (-900, 200), (901, 401), (-901, 401)])
async def test_case_08_a_skew_above_fifteen_minutes_is_refused(caller: Caller, late_by: float, status: int) -> None:
    assert (await caller.get(NODE_POOLS, late_by=late_by)).status_code == status


async def test_case_08_a_skewed_cloud_shows_its_clock_and_refuses_ours(caller: Caller) -> None:
    caller.simulator.change({"timings": {"clockSkewSeconds": 3600}})

    answer = await caller.get(NODE_POOLS)

    assert_unauthenticated(answer, "15 minutes")
    assert answer.headers["Date"] == "Fri, 02 Jan 2026 13:00:00 GMT"
    assert (await caller.get(NODE_POOLS, late_by=-3600)).status_code == 200


async def test_case_09_the_sixth_bad_signature_in_a_row_locks_the_key(caller: Caller) -> None:
    for _ in range(6):
        assert_unauthenticated(await caller.get(NODE_POOLS, secret_key="wrong"), "verify aksk signature fail")

    assert_unauthenticated(await caller.get(NODE_POOLS), "reach the limit")
    caller.clock.advance(299)
    assert_unauthenticated(await caller.get(NODE_POOLS), "reach the limit")
    caller.clock.advance(1)
    assert (await caller.get(NODE_POOLS)).status_code == 200


async def test_case_09_a_good_signature_forgives_five_bad_ones(caller: Caller) -> None:
    for _ in range(2):
        for _ in range(5):
            await caller.get(NODE_POOLS, secret_key="wrong")
        assert (await caller.get(NODE_POOLS)).status_code == 200


async def test_the_lock_can_be_made_short(serve: Serve) -> None:
    caller = await serve(timings={"lockSeconds": 1})
    for _ in range(6):
        await caller.get(NODE_POOLS, secret_key="wrong")

    caller.clock.advance(1)

    assert (await caller.get(NODE_POOLS)).status_code == 200


@pytest.mark.parametrize(
    ("sending", "status"),
    [
        ({"headers": {"X-Security-Token": "token-1"}}, 200),
        ({}, 401),
        ({"headers": {"X-Security-Token": "token-2"}}, 401),
        ({"unsigned": {"X-Security-Token": "token-1"}}, 401),
    ],
    ids=["right", "missing", "wrong", "unsigned"],
)
async def test_case_10_a_token_must_be_signed_and_right(serve: Serve, sending: Sending, status: int) -> None:
    caller = await serve(credentials=[{"accessKey": "AKT", "secretKey": "SKT", "securityToken": "token-1"}])
    keys: Sending = {"access_key": "AKT", "secret_key": "SKT"}

    answer = await caller.get(NODE_POOLS, **(keys | sending))

    assert answer.status_code == status
    assert ("X-Security-Token" in answer.text) == (status == 401)


async def test_case_10_a_token_beside_a_permanent_key_is_refused(caller: Caller) -> None:
    assert_unauthenticated(await caller.get(NODE_POOLS, headers={"X-Security-Token": "x"}), "X-Security-Token")


async def test_case_12_another_project_is_forbidden(caller: Caller) -> None:
    answer = await caller.get("/v2/another/pools")

    assert (answer.status_code, answer.json()["error_code"]) == (403, "ModelArts.0210")


async def test_a_key_of_another_project_sees_nothing_of_this_one(serve: Serve) -> None:
    caller = await serve(credentials=[{"accessKey": "AK2", "secretKey": "SK2", "projectId": "other"}])
    keys: Sending = {"access_key": "AK2", "secret_key": "SK2"}

    assert (await caller.get("/v2/other/pools", **keys)).json()["items"] == []
    assert (await caller.get("/v2/other/pools/pool-a", **keys)).status_code == 404
    assert (await caller.get(POOLS, **keys)).json()["error_code"] == "ModelArts.0210"


async def test_a_key_may_do_only_what_it_is_allowed(serve: Serve) -> None:
    caller = await serve(
        credentials=[{"accessKey": "AKSIMULATOR", "secretKey": "SKSIMULATOR", "allow": ["list_node_pools"]}]
    )

    listed, deleted = await caller.get(NODE_POOLS), await caller.delete(TRAINING)

    assert listed.status_code == 200
    assert (deleted.status_code, deleted.json()["error_code"]) == (403, "ModelArts.0112")
    assert caller.simulator.requests()[-1].effect == "none"


async def test_case_11_token_is_let_in_without_a_signature_until_it_expires(serve: Serve) -> None:
    caller = await serve(tokens=[{"token": "TOKEN", "allow": ["list_node_pools"]}])
    token = {"X-Auth-Token": "TOKEN"}

    good = await caller.http.get(NODE_POOLS, headers=token)
    denied = await caller.http.delete(TRAINING, headers=token)
    caller.simulator.change({"tokens": {"TOKEN": {"expired": True}}})
    expired = await caller.http.get(NODE_POOLS, headers=token)
    caller.simulator.change({"tokens": {"TOKEN": None}})
    unknown = await caller.http.get(NODE_POOLS, headers=token)

    assert good.status_code == 200
    assert (denied.status_code, denied.json()["error_code"]) == (403, "ModelArts.0112")
    assert_unauthenticated(expired, "The token must be updated")
    assert_unauthenticated(unknown, "decrypt token fail")
    verdicts = [entry.signature for entry in caller.simulator.requests()]
    assert verdicts == ["token", "token", "expiredToken", "badToken"]


async def test_case_12_token_of_another_project_is_forbidden(serve: Serve) -> None:
    caller = await serve(tokens=[{"token": "TOKEN", "projectId": "other"}])

    answer = await caller.http.get(NODE_POOLS, headers={"X-Auth-Token": "TOKEN"})

    assert (answer.status_code, answer.json()["error_code"]) == (403, "ModelArts.0210")


async def test_case_31_with_a_token_nothing_saves_the_resource_pool_from_a_name_of_two_dots(serve: Serve) -> None:
    # The library in between tidies the path; no signature covers it. This is why the client checks names itself.
    caller = await serve(tokens=[{"token": "TOKEN"}])

    answer = await caller.http.delete(f"{NODE_POOLS}/..", headers={"X-Auth-Token": "TOKEN"})

    assert answer.status_code == 200
    assert [entry.effect for entry in caller.simulator.requests("delete_pool")] == ["accepted"]
