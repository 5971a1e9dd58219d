"""Credentials that are wrong, missing or replaced: said in words, few bad signatures, mended without a restart."""

import base64
import time

import pytest

from modelarts_nodepool.api.names import CREDENTIALS_LABEL
from tests.support import kstatus
from tests.support.api import ACCOUNTS, secrets_in
from tests.support.conditions import condition_of, says
from tests.support.operator import NAMESPACE, OperatorProcess
from tests.support.side_by_side import side_by_side
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

# Polls come every second. Nothing can be waited for where the point is that nothing comes.
SOME_POLLS_SECONDS = 6
# The sixth locks the key for five minutes: APIG's rule, kept by the simulator.
MOST_BAD_SIGNATURES = 5


def key_of(tenant: Tenant) -> str:
    return f"AK{tenant.name}"


def secret_of(tenant: Tenant) -> str:
    return f"{secrets_in(NAMESPACE)}/{tenant.name}"


def mistype(tenant: Tenant) -> None:
    tenant.put_secret(accessKey=key_of(tenant), secretKey="mistyped")


def account_says(tenant: Tenant, status: str, reason: str) -> bool:
    found = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    return found is not None and says(found, "Ready", status, reason)


def account_words(tenant: Tenant) -> str:
    found = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    return str(condition_of(found, "Ready").get("message", "")) if found else ""


def bad_signatures(tenant: Tenant) -> int:
    state = tenant.cloud.key_state(key_of(tenant))
    assert not state["locked"]
    return int(state["badSignatures"])


@side_by_side
def test_a_wrong_key_is_said_tried_once_and_mended_without_a_restart(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    mistype(tenant)
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    tenant.until_ready("training-a", "CredentialsRejected", "False")
    tenant.until_true(lambda: account_says(tenant, "False", "CredentialsRejected"), "the account says so, too")
    time.sleep(SOME_POLLS_SECONDS)
    assert bad_signatures(tenant) == 1
    tenant.put_secret(accessKey=key_of(tenant), secretKey="good")
    tenant.until_ready("training-a")
    tenant.until_true(lambda: account_says(tenant, "True", "CredentialsValid"), "the account says so, too")


@side_by_side
def test_a_wrong_key_of_an_account_that_nobody_uses_is_said_and_mended_by_its_secret_alone(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    # It has the same Secret and asks by itself, too.
    tenant.remove_account()
    mistype(tenant)
    tenant.create_account(unused := f"{tenant.name}-unused")
    path = f"{ACCOUNTS}/{unused}"
    tenant.until_true(lambda: says(tenant.api.get(path) or {}, "Stalled", "True", "CredentialsRejected"), "stalled")
    assert kstatus.read(tenant.api.get(path) or {}) == "Failed"
    assert bad_signatures(tenant) == 1
    tenant.put_secret(accessKey=key_of(tenant), secretKey="good")
    # It is tried once a minute.
    tenant.kubectl("wait", "--for=condition=Ready", f"maacct/{unused}", "--timeout=240s")
    assert says(tenant.api.get(path) or {}, "Ready", "True", "CredentialsValid")


def test_a_rejected_key_is_told_without_the_resource_pool_that_was_asked_for(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    pools = tenant.everywhere(f"training-{number}" for number in range(3))
    mistype(tenant)
    for name in pools:
        tenant.until_ready(name, "CredentialsRejected", "False")
    tenant.until_true(lambda: account_says(tenant, "False", "CredentialsRejected"), "the account says so, too")
    words = {name: condition_of(tenant.get(name), "Ready")["message"] for name in pools}
    for said in [*words.values(), account_words(tenant)]:
        assert f"a call with the access key of ModelArtsAccount {tenant.name} was answered 401" in said
        assert not [pool for pool in pools.values() if pool in said]
    tenant.put_secret(accessKey=key_of(tenant), secretKey="good")


def test_a_wrong_key_is_not_locked_by_many_resource_pools_that_ask_at_once(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    tenant.put_key(secretKey="good")
    pools = tenant.everywhere(f"training-{number}" for number in range(12))
    operator.stop()
    mistype(tenant)
    operator.start()
    for name in pools:
        tenant.until_ready(name, "CredentialsRejected", "False")
    assert bad_signatures(tenant) <= MOST_BAD_SIGNATURES
    tenant.put_secret(accessKey=key_of(tenant), secretKey="good")
    for name in pools:
        tenant.until_ready(name)


@side_by_side
def test_a_wrong_key_is_not_locked_by_two_accounts_that_share_it(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    mistype(tenant)
    accounts = [f"{tenant.name}-{number}" for number in range(8)]
    for account in accounts:
        tenant.create_account(account)
        tenant.create(account, accountRef={"name": account}, nodePoolName=f"node-pool-{account}")
    for account in accounts:
        tenant.until_ready(account, "CredentialsRejected", "False")
    assert bad_signatures(tenant) <= MOST_BAD_SIGNATURES


@side_by_side
def test_a_key_that_is_replaced_is_used_from_the_next_poll_on(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.put_key()
    tenant.until_true(
        lambda: [r for r in tenant.cloud.requests(tenant.resource_pool) if r["accessKey"] == key_of(tenant)],
        "a call with the new key",
    )
    tenant.wait_for_looks(1)
    assert says(tenant.get("training-a"), "Ready", "True", "NodesAvailable")


@side_by_side
def test_a_temporary_key_is_used_with_its_token(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good", securityToken="token-of-the-test")
    tenant.put_secret(accessKey=key_of(tenant), secretKey="good", securityToken="token-of-the-test")
    tenant.mirrored("training-a")


@side_by_side
def test_a_deletion_is_held_by_a_rejected_key_and_goes_on_with_a_good_one(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    tenant.mirrored("training-a")
    mistype(tenant)
    tenant.until_ready("training-a", "CredentialsRejected", "False")
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "CredentialsRejected")
    assert "mistyped" not in message
    assert not tenant.deletes()
    assert bad_signatures(tenant) <= 2
    tenant.put_secret(accessKey=key_of(tenant), secretKey="good")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_key_that_is_rejected_while_nodes_go_releases_nothing(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    mistype(tenant)
    tenant.finish_delete("training-a")
    tenant.until_blocked("training-a", "CredentialsRejected")
    tenant.put_secret(accessKey=key_of(tenant), secretKey="good")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


@side_by_side
def test_a_missing_secret_is_named_and_found_as_soon_as_it_is_there(tenant: Tenant) -> None:
    tenant.api.delete(secret_of(tenant))
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    found = tenant.until_ready("training-a", "CredentialsUnavailable", "False")
    assert f"{NAMESPACE}/{tenant.name}" in str(found["status"])
    tenant.until_true(lambda: account_says(tenant, "False", "SecretNotFound"), "the account says so, too")
    tenant.put_secret(accessKey=tenant.cloud.hello["accessKey"], secretKey=tenant.cloud.hello["secretKey"])
    tenant.until_ready("training-a")


@side_by_side
def test_a_secret_without_its_label_is_not_read_and_the_command_for_it_is_told(tenant: Tenant) -> None:
    tenant.api.merge(secret_of(tenant), {"metadata": {"labels": {CREDENTIALS_LABEL: None}}})
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    found = tenant.until_ready("training-a", "CredentialsUnavailable", "False")
    (message,) = {c["message"] for c in found["status"]["conditions"] if c["type"] == "Ready"}
    tenant.run_as_told(message.replace("kubectl describe", "; kubectl describe"), "-n")
    tenant.until_ready("training-a")


@side_by_side
def test_an_account_says_what_is_missing_now_and_not_what_was_first(tenant: Tenant) -> None:
    tenant.api.merge(secret_of(tenant), {"metadata": {"labels": {CREDENTIALS_LABEL: None}}})
    tenant.create("training-a")
    tenant.until_true(lambda: "is not labelled" in account_words(tenant), "the label is missing")
    labelled = {"metadata": {"labels": {CREDENTIALS_LABEL: "true"}}}
    tenant.api.merge(secret_of(tenant), labelled | {"data": {"secretKey": None}})
    tenant.until_true(lambda: "no value for key secretKey" in account_words(tenant), "the key is missing")


@pytest.mark.parametrize("value", [b"\xff\xfe", b"a\x00b", b" \n"], ids=["not text", "control characters", "blank"])
def test_an_unreadable_value_is_told_by_its_key_and_never_shown(tenant: Tenant, value: bytes) -> None:
    encoded = base64.b64encode(value).decode()
    tenant.api.merge(secret_of(tenant), {"data": {"secretKey": encoded}})
    tenant.in_cloud("training-a")
    tenant.create("training-a")
    found = tenant.until_ready("training-a", "CredentialsUnavailable", "False")
    assert "secretKey" in str(found["status"])
    assert encoded not in str(found["status"])


def test_a_clock_that_is_off_is_told_apart_from_a_wrong_key(tenant: Tenant) -> None:
    tenant.put_key()
    tenant.mirrored("training-a")
    tenant.cloud.change({"timings": {"clockSkewSeconds": 3600}})
    try:
        tenant.until_ready("training-a", "ClockSkew", "False")
        tenant.until_true(lambda: account_says(tenant, "False", "ClockSkew"), "the account says so, too")
        since = tenant.cloud.last
        time.sleep(SOME_POLLS_SECONDS)
        assert not tenant.cloud.requests(tenant.resource_pool, since=since), "signed again, and the key in danger"
    finally:
        tenant.cloud.change({"timings": {"clockSkewSeconds": 0}})
    # Ours was not set, so this key rests for five minutes; another one is used at once.
    tenant.put_key()
    tenant.until_ready("training-a")
    tenant.until_true(lambda: account_says(tenant, "True", "CredentialsValid"), "the account says so, too")
