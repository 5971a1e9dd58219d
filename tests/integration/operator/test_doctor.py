"""doctor on a real cluster beside a real operator: each thing broken once, named with its remedy, nothing changed."""

import json
import secrets
import select
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import CREDENTIALS_LABEL
from tests.support.api import ACCOUNTS, secrets_in
from tests.support.commands import Done, interrupted, run
from tests.support.conditions import condition_of
from tests.support.limits import QUICKLY_SECONDS
from tests.support.operator import NAMESPACE, USER, OperatorProcess
from tests.support.side_by_side import side_by_side
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

OPERATOR_FLAGS = ("--leader-election",)
OF_CLUSTER = [
    *("API server", "CRD modelartsnodepools", "CRD modelartsaccounts"),
    *("permissions", "Lease", "namespaces", "object writes", "accounts"),
]
OF_ACCOUNT = [
    "account",
    "credentials",
    "endpoint",
    "clock",
    "log-in",
    "project",
    "resource pools",
    "node pools",
    "jobs",
]
OPERATORS_WORD = "account status"

Found = dict[str, dict[str, Any]]


def examine(tenant: Tenant, *args: str, kubeconfig: Path | None = None, endpoint: str | None = None) -> Done:
    """What doctor says of this test's account."""
    return run(
        *("doctor", "--account", tenant.name, "--kubeconfig", str(kubeconfig or tenant.plane.kubeconfig)),
        *("--endpoint", f"{tenant.cloud.region}={endpoint or tenant.cloud.endpoint}", *args),
    )


def findings(tenant: Tenant, *args: str, kubeconfig: Path | None = None, endpoint: str | None = None) -> Found:
    """By check, of a run that finds something to mend."""
    done = examine(tenant, "-o", "json", *args, kubeconfig=kubeconfig, endpoint=endpoint)
    assert done.returncode == 1, done
    assert not done.stderr
    return {check["check"]: check for check in json.loads(done.stdout)["checks"]}


def row_of(tenant: Tenant, check: str) -> dict[str, Any]:
    """One row of a run that finds nothing to mend."""
    done = examine(tenant, "-o", "json")
    assert done.returncode == 0, done
    (row,) = [each for each in json.loads(done.stdout)["checks"] if each["check"] == check]
    return dict(row)


def results(found: Found, result: str) -> list[str]:
    return [name for name, check in found.items() if check["result"] == result]


def key_of(tenant: Tenant) -> str:
    return f"AK{tenant.name}"


def is_tried(tenant: Tenant, account: str) -> bool:
    """Whether the operator knows what the account's credentials are good for."""
    found = tenant.api.get(f"{ACCOUNTS}/{account}") or {}
    return condition_of(found, "Ready").get("status") in {"True", "False"}


def test_all_is_well_in_a_table_and_in_json(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.until_true(
        lambda: "CredentialsValid" in json.dumps(tenant.api.get(f"{ACCOUNTS}/{tenant.name}")), "the account status"
    )
    done = examine(tenant)
    assert done.returncode == 0, done
    assert not done.stderr
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["CHECK", "RESULT", "FOUND"]
    names = [*OF_CLUSTER, *(f"{tenant.name}: {check}" for check in [*OF_ACCOUNT, OPERATORS_WORD])]
    assert [row.partition("   ")[0] for row in rows[: len(names)]] == names
    assert f"{len(names)} checks: {len(names)} OK." in rows
    report = json.loads(examine(tenant, "-o", "json").stdout)
    assert report["results"] == {"OK": len(names), "Warning": 0, "Failed": 0, "NotChecked": 0}
    assert report["server"] == tenant.plane.server


def test_jobs_that_cannot_be_listed_are_a_warning_and_ignored_ones_are_not_listed(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.change_account(grants=[{"namespaces": [tenant.name], "resourcePools": [tenant.resource_pool]}])
    tenant.cloud.put_job(tenant.resource_pool, "llama", "training-a")
    assert row_of(tenant, "jobs")["message"] == "list_workloads is allowed; running: 1"
    tenant.cloud.fault(
        operation="list_workloads", resourcePool=tenant.resource_pool, status=403, errorCode="ModelArts.0010"
    )
    jobs = row_of(tenant, "jobs")
    assert jobs["result"] == "Warning"
    assert "only nodes that show accelerators in use hold a deletion there" in jobs["message"]
    since = tenant.cloud.last
    tenant.change_account(runningWorkloads="Ignore")
    assert row_of(tenant, "jobs")["result"] == "OK"
    assert not tenant.cloud.requests(tenant.resource_pool, "list_workloads", since)


def test_the_operator_may_run_it_as_it_is(tenant: Tenant, identity: Path) -> None:
    report = json.loads(examine(tenant, "-o", "json", kubeconfig=identity).stdout)
    assert report["results"]["Failed"] == 0, report
    (permissions,) = [check for check in report["checks"] if check["check"] == "permissions"]
    assert permissions["result"] == "OK"
    assert USER in permissions["message"]


def test_it_changes_nothing_anywhere(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    begun, last = datetime.now(UTC), tenant.cloud.last
    examine(tenant)
    examine(tenant, "--service-account", "self")
    calls = [call for call in tenant.cloud.requests(since=last) if call["accessKey"] in {key_of(tenant), None}]
    assert {call["operation"] for call in calls} == {"list_pools", "list_node_pools", "list_workloads"}
    asked = tenant.plane.audit().since(begun).by_user("lab-admin").by_agent("modelarts-nodepool-operator/")
    assert len(asked) > 40
    assert {event.resource for event in asked.writes()} == {
        "selfsubjectreviews",
        "selfsubjectaccessreviews",
        "subjectaccessreviews",
    }


@side_by_side
def test_a_wrong_key_is_used_once_although_two_accounts_share_it(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    tenant.put_secret(accessKey=key_of(tenant), secretKey="mistyped")
    twin = f"{tenant.name}-twin"
    tenant.create_account(twin)
    # The operator tries the key, too: that is over once both accounts say what came of it.
    tenant.until_true(lambda: is_tried(tenant, tenant.name) and is_tried(tenant, twin), "both accounts tried")
    before = tenant.cloud.key_state(key_of(tenant))["badSignatures"]
    done = examine(tenant, "--account", twin, "-o", "json")
    assert done.returncode == 1
    log_ins = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "log-in"]
    assert [check["result"] for check in log_ins] == ["Failed", "Failed"]
    assert all(f"Secret {NAMESPACE}/{tenant.name}" in check["remedy"] for check in log_ins)
    assert tenant.cloud.key_state(key_of(tenant))["badSignatures"] == before + 1


@side_by_side
def test_what_is_wrong_with_a_secret_is_told_with_a_command_that_mends_it(tenant: Tenant) -> None:
    path = f"{secrets_in(NAMESPACE)}/{tenant.name}"
    tenant.api.merge(path, {"metadata": {"labels": {CREDENTIALS_LABEL: None}}})
    found = findings(tenant)
    assert "not labelled" in found["credentials"]["message"]
    tenant.run_as_told(found["credentials"]["remedy"], "-n")
    assert examine(tenant).returncode == 0
    tenant.put_secret(accessKey="only")
    assert "no value for key secretKey" in findings(tenant)["credentials"]["message"]
    tenant.put_secret(accessKey="two words", secretKey="fine")
    log_in = findings(tenant)["log-in"]
    assert log_in["result"] == "Failed"
    assert "not allowed in an HTTP header" in log_in["message"]
    tenant.api.delete(path)
    found = findings(tenant)
    assert "create secret generic" in found["credentials"]["remedy"]
    assert results(found, "Failed") == ["credentials"]
    assert results(found, "NotChecked") == ["log-in", "project", "resource pools", "node pools", "jobs"]
    assert "“credentials”" in found["node pools"]["message"]
    assert found["endpoint"]["result"] == "OK"


@side_by_side
def test_a_wrong_project_is_told_from_a_wrong_key(tenant: Tenant) -> None:
    tenant.put_key(projectId="another-project")
    found = findings(tenant)
    assert found["log-in"]["result"] == "OK"
    assert results(found, "Failed") == ["project"]
    assert "is not a project of these credentials" in found["project"]["message"]


@side_by_side
def test_a_permission_that_is_missing_in_the_cloud_is_named(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good", allow=["list_node_pools"])
    found = findings(tenant)
    assert "list_pools is not allowed" in found["project"]["message"]
    assert "modelarts:pool:list" in found["project"]["remedy"]
    tenant.put_key(secretKey="good", allow=["list_pools"])
    tenant.change_account(grants=[{"namespaces": [tenant.name], "resourcePools": [tenant.resource_pool]}])
    found = findings(tenant)
    assert results(found, "Failed") == ["node pools"]
    assert "PermissionDenied" in found["node pools"]["message"]


@side_by_side
def test_a_grant_of_what_is_not_there_shows_what_there_is(tenant: Tenant) -> None:
    tenant.change_account(grants=[{"namespaces": [tenant.name], "resourcePools": ["display-name"]}])
    found = findings(tenant)
    assert results(found, "Failed") == ["resource pools"]
    assert "granted but missing: display-name" in found["resource pools"]["message"]


def test_with_a_skewed_clock_no_signature_is_spent(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    tenant.cloud.change({"timings": {"clockSkewSeconds": 2000}})
    try:
        found = findings(tenant)
    finally:
        tenant.cloud.change({"timings": {"clockSkewSeconds": 0}})
    assert " s behind the server: signatures are refused" in found["clock"]["message"]
    assert "chronyc" in found["clock"]["remedy"]
    assert found["log-in"]["result"] == "NotChecked"
    assert tenant.cloud.key_state(key_of(tenant))["badSignatures"] == 0


@side_by_side
def test_an_endpoint_that_is_down_is_not_trusted_or_is_not_modelarts_is_told_apart(tenant: Tenant) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = findings(tenant, endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}")["endpoint"]
    assert "no connection" in down["message"]
    assert "curl -v" in down["remedy"]
    # The API server's certificate is its own, and it is no ModelArts.
    certificate = tenant.plane.folder / "certificates" / "apiserver.crt"
    distrusted = findings(tenant, endpoint=tenant.plane.server)["endpoint"]
    assert "not trusted" in distrusted["message"]
    assert "--ca-bundle" in distrusted["remedy"]
    stranger = findings(tenant, "--ca-bundle", str(certificate), endpoint=tenant.plane.server)["endpoint"]
    assert stranger["result"] == "Failed"
    assert "but it is not ModelArts" in stranger["message"]


@side_by_side
def test_a_restricted_service_account_lacks_verbs_that_are_named(tenant: Tenant) -> None:
    tenant.kubectl("create", "serviceaccount", "weak", "-n", tenant.name)
    found = findings(tenant, "--service-account", f"{tenant.name}/weak")
    assert results(found, "Failed") == ["permissions"]
    assert f"system:serviceaccount:{tenant.name}:weak lacks" in found["permissions"]["message"]
    assert "get, list, watch, patch modelartsnodepools" in found["permissions"]["message"]
    assert "kubectl apply --server-side --force-conflicts -k deploy/kustomize/base" in found["permissions"]["remedy"]


@side_by_side
def test_whoever_may_nothing_is_told_so_line_by_line(tenant: Tenant) -> None:
    tenant.kubectl("create", "serviceaccount", "weak", "-n", tenant.name)
    weak = tenant.plane.service_account_kubeconfig_blocking(tenant.name, "weak")
    found = findings(tenant, kubeconfig=weak)
    assert found["API server"]["result"] == "OK"
    assert found["permissions"]["result"] == "Warning"
    assert "--service-account self" in found["permissions"]["remedy"]
    # Without a Lease that can be read nobody is known to write.
    assert results(found, "NotChecked") == ["object writes"]
    asked = {"API server", "permissions", "object writes"}
    assert results(found, "Failed") == [name for name in OF_CLUSTER if name not in asked]
    assert all("403" in found[name]["message"] for name in results(found, "Failed"))
    assert findings(tenant, "--service-account", "self", kubeconfig=weak)["permissions"]["result"] == "Failed"


def test_without_an_api_server_everything_else_is_not_checked(tenant: Tenant, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(tenant.plane.kubeconfig.read_text().replace(tenant.plane.server, "https://127.0.0.1:1"))
    found = findings(tenant, kubeconfig=elsewhere)
    assert results(found, "Failed") == ["API server"]
    assert results(found, "NotChecked") == OF_CLUSTER[1:]


def test_a_stopped_operator_is_noticed(tenant: Tenant, operator: OperatorProcess) -> None:
    operator.stop()
    try:
        found = findings(tenant)
    finally:
        operator.start()
    assert results(found, "Failed") == ["Lease"]
    assert "it has no holder" in found["Lease"]["message"]


@side_by_side
def test_an_account_that_is_not_there_is_wrong_usage(tenant: Tenant) -> None:
    done = examine(tenant, "--account", "nobody")
    assert done.returncode == 2
    assert tenant.name in done.stderr
    assert not done.stdout


@side_by_side
def test_no_secret_is_ever_printed(tenant: Tenant) -> None:
    key, token = (f"CANARY{secrets.token_hex(12)}" for _ in range(2))
    tenant.put_key(secretKey=key, securityToken=token)
    good = {"accessKey": key_of(tenant), "secretKey": key, "securityToken": token}
    tenant.put_secret(**good)
    shown = [examine(tenant), examine(tenant, "-o", "json")]
    echo = f"Authorization: SDK-HMAC-SHA256 Access=AK, Signature=CANARYSIGNATURE {key} X-Security-Token: {token}"
    tenant.cloud.fault(operation="list_node_pools", resourcePool=tenant.resource_pool, status=400, errorMsg=echo)
    tenant.change_account(grants=[{"namespaces": [tenant.name], "resourcePools": [tenant.resource_pool]}])
    shown.append(examine(tenant))
    assert shown[-1].returncode == 1
    tenant.put_secret(**(good | {"secretKey": f"{key}\x00"}))
    shown.append(examine(tenant))
    tenant.put_secret(**(good | {"secretKey": f"{key}-wrong"}))
    shown.append(examine(tenant, "-o", "json"))
    assert [done.returncode for done in shown] == [0, 0, 1, 1, 1]
    assert not [done for done in shown if "CANARY" in done.stdout + done.stderr]


def test_ctrl_c_ends_it_at_once_and_without_a_traceback(tenant: Tenant, installed: ControlPlane) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        done, seconds = interrupted(
            *("doctor", "--account", tenant.name, "--kubeconfig", str(installed.kubeconfig)),
            *("--endpoint", f"{tenant.cloud.region}=http://127.0.0.1:{silent.getsockname()[1]}"),
            when=lambda: bool(select.select([silent], [], [], 0)[0]),
        )
    assert done.returncode == 130
    assert "Traceback" not in done.stdout + done.stderr
    assert seconds < QUICKLY_SECONDS
