"""Accounts without a Secret, on the real control plane: keys that last for seconds, and what happens without them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.simulator.issuers import SECRET_MARK, TOKEN_MARK
from tests.support.api import ACCOUNTS, Object, events_in, secrets_in
from tests.support.cloud import SCENARIO, Cloud
from tests.support.conditions import condition_of, says
from tests.support.operator import NAMESPACE, OperatorProcess
from tests.support.side_by_side import side_by_side
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

ID_TOKEN = "eyJhbGciOiJub25lIn0.CANARYTOKENOFTHEPOD.c2lnbmF0dXJl"
# Refreshed by half of that: a deletion that waits for half a minute sees several keys come and go.
SHORT_SECONDS = 10
LONG_SECONDS = 3600
KEYS_TO_OUTLIVE = 4


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    issuers = {"issuers": {"validSeconds": SHORT_SECONDS, "idToken": ID_TOKEN}}
    with Cloud.running(tmp_path_factory.mktemp("cloud"), SCENARIO | issuers) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def operator(identity: Path, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """One in a Pod that has every identity at once; nothing that it ever logs holds a secret."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "token").write_text(f"{ID_TOKEN}\n")
    operator = OperatorProcess(
        identity,
        f"{cloud.region}={cloud.endpoint}",
        folder / "operator.log",
        *("--metadata-endpoint", cloud.endpoint, "--sts-endpoint", cloud.endpoint),
        environment={
            "HC_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.endpoint}/v1/credentials",
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "token"),
            "HUAWEICLOUD_OIDC_PROVIDER_URN": "iam::0123:oidcProvider:cluster",
            "HUAWEICLOUD_OIDC_AGENCY_URN": "iam::0123:agency:node-pools",
            "HUAWEICLOUD_OIDC_TOKEN_FILE": str(folder / "token"),
            # Nobody may be asked through it.
            "HTTP_PROXY": "http://127.0.0.1:9",
        },
    )
    try:
        operator.start()
        yield operator
        code, _ = operator.stop()
        assert code == 0, operator.tail()
    finally:
        operator.end()
    assert not operator.errors()
    assert not marks_in(operator.text())


def marks_in(text: str) -> list[str]:
    return [mark for mark in (SECRET_MARK, TOKEN_MARK, "CANARYTOKENOFTHEPOD") if mark in text]


def log_in_by(tenant: Tenant, source: str) -> None:
    """Let the account use this source, and take its Secret away."""
    tenant.change_account(credentials={"source": source, "secretName": None})
    tenant.api.delete(f"{secrets_in(NAMESPACE)}/{tenant.name}")


def keys_of(tenant: Tenant, since: int = 0) -> list[str]:
    """The keys that signed the tenant's requests, each once, in order."""
    calls = tenant.cloud.requests(tenant.resource_pool, None, since)
    return list(dict.fromkeys(str(call["accessKey"]) for call in calls))


def account_of(tenant: Tenant) -> Object:
    found = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert found is not None
    return found


def outlive_several_keys(tenant: Tenant, source: str) -> None:
    log_in_by(tenant, source)
    tenant.mirrored("training-a", cloud=SLOW)
    tenant.until_true(lambda: says(account_of(tenant), "Ready", "True", "CredentialsValid"), "the account is ready")
    since = tenant.cloud.last
    tenant.delete("training-a")
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.until_true(lambda: len(keys_of(tenant, since)) >= KEYS_TO_OUTLIVE, "several keys came and went")
    assert says(tenant.get("training-a"), "Ready", "False", "DeletingNodePool")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    calls = tenant.cloud.requests(tenant.resource_pool, None, since)
    assert {call["signature"] for call in calls} == {"valid"}
    assert all(key.startswith("HST") for key in keys_of(tenant, since))
    assert not marks_in(f"{account_of(tenant)} {tenant.api.items(events_in(tenant.name))}")


@side_by_side
def test_a_deletion_outlives_several_keys_of_the_metadata_service(tenant: Tenant) -> None:
    outlive_several_keys(tenant, "Metadata")


@side_by_side
def test_a_deletion_outlives_several_keys_of_the_pod_identity_agent(tenant: Tenant) -> None:
    outlive_several_keys(tenant, "PodIdentity")


@side_by_side
def test_a_deletion_outlives_several_keys_of_the_token_service(tenant: Tenant) -> None:
    outlive_several_keys(tenant, "OIDC")


def test_one_key_serves_all_accounts_of_a_source(tenant: Tenant, cloud: Cloud) -> None:
    log_in_by(tenant, "PodIdentity")
    cloud.change({"issuers": {"validSeconds": LONG_SECONDS}})
    tenant.mirrored("training-a")
    accounts = [f"{tenant.name}-{number}" for number in range(4)]
    asked = len(cloud.requests(None, "issue_pod_identity_key"))
    for account in accounts:
        tenant.create_account(account, credentials={"source": "PodIdentity"})
        tenant.create(account, accountRef={"name": account}, nodePoolName=f"node-pool-{account}")
    for account in accounts:
        tenant.until_true(
            lambda account=account: says(  # type: ignore[misc]
                tenant.api.get(f"{ACCOUNTS}/{account}") or {}, "Ready", "True", "CredentialsValid"
            ),
            "another account logs in",
        )
    assert len(cloud.requests(None, "issue_pod_identity_key")) - asked <= 1


def test_a_key_that_is_taken_back_before_its_time_is_replaced_without_a_failure(tenant: Tenant, cloud: Cloud) -> None:
    cloud.change({"issuers": {"validSeconds": LONG_SECONDS}})
    log_in_by(tenant, "OIDC")
    tenant.mirrored("training-a")
    # A short key that is still in use from before has been refreshed by then.
    tenant.wait_for_looks(SHORT_SECONDS // 2)
    before, since = keys_of(tenant)[-1], cloud.last
    cloud.change({"credentials": {before: None}})
    tenant.wait_for_looks(3)
    rejected = [call for call in tenant.cloud.requests(tenant.resource_pool, None, since) if call["status"] == 401]
    assert [call["accessKey"] for call in rejected] == [before]
    assert len(cloud.requests(None, "issue_oidc_key", since)) == 1
    assert says(tenant.get("training-a"), "Ready", "True", "NodesAvailable")
    assert says(account_of(tenant), "Ready", "True", "CredentialsValid")


def test_an_issuer_that_is_down_holds_a_deletion_only_once_the_last_key_has_ended(
    tenant: Tenant, cloud: Cloud, operator: OperatorProcess
) -> None:
    cloud.change({"issuers": {"validSeconds": SHORT_SECONDS}})
    log_in_by(tenant, "Metadata")
    tenant.mirrored("training-a", cloud=SLOW)
    try:
        cloud.change({"issuers": {"failsWith": 500}})
        since = cloud.last
        tenant.wait_for_looks(2)
        assert says(tenant.get("training-a"), "Ready", "True", "NodesAvailable"), "the key in hand goes on"
        tenant.until_ready("training-a", "CredentialsUnavailable", "False")
        tenant.until_true(
            lambda: says(account_of(tenant), "Ready", "False", "CredentialsUnavailable"), "account says so"
        )
        tenant.delete("training-a")
        message = tenant.until_blocked("training-a", "CredentialsUnavailable")
        assert "the instance metadata service" in message
        assert not marks_in(str(tenant.get("training-a")))
        assert not tenant.deletes()
        # After 2, 4, 8, 16, 32 and every 60 seconds.
        assert len(cloud.requests(None, "issue_metadata_key", since)) <= 8, "a storm"
    finally:
        cloud.change({"issuers": {"failsWith": None}})
    tenant.until("training-a", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.finish_delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]
    assert "the last key stays in use" in operator.text()


def test_metrics_and_status_never_hold_a_secret(tenant: Tenant, operator: OperatorProcess) -> None:
    shown = [*tenant.api.items(ACCOUNTS), condition_of(account_of(tenant), "Ready")]
    assert not marks_in(str(shown))
    assert not marks_in(operator.ask("/metrics")[1])
