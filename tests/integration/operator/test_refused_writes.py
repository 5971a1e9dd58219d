"""Policies and webhooks of other people that refuse the operator's writes, on the real API server."""

import json
import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.harness.failures import ApiError
from modelarts_nodepool.api.names import GROUP, NODE_POOL_FINALIZER
from tests.support.api import ACCOUNTS, NAMESPACES, node_pools_in
from tests.support.commands import run
from tests.support.conditions import condition_of, says
from tests.support.kstatus import read
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long(300)

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
FINALIZERS = "has(object.metadata.finalizers) ? object.metadata.finalizers : []"
NO_FINALIZER_IS_ADDED = f"!('{NODE_POOL_FINALIZER}' in ({FINALIZERS}))"
NO_FINALIZER_IS_REMOVED = f"'{NODE_POOL_FINALIZER}' in ({FINALIZERS})"
NO_DELETE_IS_SENT = "!has(object.status.deletion) || !has(object.status.deletion.sentTime)"
# Beside what a test is about, each of them refuses a ConfigMap of the tenant's name: that shows when it is in force.
SIGN = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
IS_NO_SIGN = "object.kind != 'ConfigMap'"
WORDS = "finalizers and records are frozen here"


@contextmanager
def refused(tenant: Tenant, expression: str, resource: str = "modelartsnodepools") -> Iterator[None]:
    """A policy of somebody else's, in this tenant's namespace alone, until the block ends."""
    name = f"{tenant.name}.example.com"
    rule = {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [resource]}
    sign = SIGN | {"resourceNames": [tenant.name]}
    constraints: dict[str, Any] = {"resourceRules": [rule, sign]}
    if "account" in resource:
        rule["resourceNames"] = [tenant.name]
    else:
        constraints["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": tenant.name}}
    policy = {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": constraints,
            "validations": [
                {"expression": f"{IS_NO_SIGN} && ({expression})", "message": WORDS, "reason": "Forbidden"},
            ],
        },
    }
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    try:
        tenant.api.create(f"{ADMISSION}/validatingadmissionpolicies", policy)
        tenant.api.create(f"{ADMISSION}/validatingadmissionpolicybindings", binding)
        until_in_force(tenant)
        yield
    finally:
        tenant.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{name}")
        tenant.api.delete(f"{ADMISSION}/validatingadmissionpolicies/{name}")


@contextmanager
def dead_webhook(tenant: Tenant) -> Iterator[None]:
    """A webhook that nobody answers for: as when its Pods are gone, with the default failurePolicy Fail."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        path = f"{ADMISSION}/validatingwebhookconfigurations"
        resources = ["modelartsnodepools", "modelartsnodepools/status"]
        rule = {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": resources}
        webhook = {
            "name": f"{tenant.name}.example.com",
            "clientConfig": {"url": f"https://127.0.0.1:{port}/"},
            "rules": [rule, SIGN],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": tenant.name}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 2,
        }
        try:
            tenant.api.create(path, {"metadata": {"name": tenant.name}, "webhooks": [webhook]})
            until_in_force(tenant)
            yield
        finally:
            tenant.api.delete(f"{path}/{tenant.name}")


def until_in_force(tenant: Tenant) -> None:
    """It takes a moment until the API server heeds a new policy or webhook."""
    path = f"{NAMESPACES}/{tenant.name}/configmaps?dryRun=All"

    def is_refused() -> bool:
        try:
            tenant.api.create(path, {"metadata": {"name": tenant.name}})
        except ApiError:
            return True
        return False

    tenant.until_true(is_refused, "a policy or webhook in force")


def refusals(tenant: Tenant, reason: str) -> float:
    return tenant.operator.metrics().value("writes_refused_total", reason=reason)


def unwritable(tenant: Tenant) -> float:
    return tenant.operator.metrics().value("objects_unwritable")


def complaints(tenant: Tenant) -> list[str]:
    lines = [line for line in tenant.operator.lines() if line["level"] == "warning"]
    return [line["message"] for line in lines if "cannot be written" in line["message"]]


def doctors_finding(tenant: Tenant) -> dict[str, Any]:
    place = f"{tenant.cloud.region}={tenant.cloud.endpoint}"
    # Other tests leave a Lease that nobody renews in the default namespace, and this check wants a Lease in order.
    where = ["--kubeconfig", str(tenant.plane.kubeconfig), "--operator-namespace", tenant.name]
    done = run("doctor", *where, "--endpoint", place, "-o", "json")
    (found,) = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "object writes"]
    return dict(found)


def entries(tenant: Tenant) -> list[str]:
    found = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
    assert found is not None
    return [entry["outcome"] for entry in found["status"].get("recentDeletions", [])]


def test_a_release_that_a_policy_refuses_is_shown_with_its_words_and_done_when_it_is_lifted(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    before, begun = refusals(tenant, "Forbidden"), time.monotonic()
    with refused(tenant, NO_FINALIZER_IS_REMOVED):
        tenant.delete("training-a")
        message = tenant.until_blocked("training-a", "ReleaseRefused")
        assert WORDS in message
        assert "node pool training-a is gone" in message
        tenant.run_as_told(message, "get")
        assert tenant.deletes() == ["accepted"]
        account = tenant.api.get(f"{ACCOUNTS}/{tenant.name}")
        tenant.until_true(lambda: refusals(tenant, "Forbidden") - before >= 5, "retries")
        # 1, 2, 4, 8, 16 and 32 seconds, then a minute.
        elapsed = time.monotonic() - begun
        assert refusals(tenant, "Forbidden") - before <= 3 + math.log2(1 + elapsed) + elapsed / 60
        assert tenant.api.get(f"{ACCOUNTS}/{tenant.name}") == account, "the account is not written for each retry"
        assert entries(tenant) == ["Gone"]
        tenant.until_event("training-a", "DeletionBlocked")
        assert tenant.events("training-a").count("DeletionBlocked") == 1
        assert unwritable(tenant) == 1
        finding = doctors_finding(tenant)
        assert finding["result"] == "Failed"
        assert f"{tenant.name}/training-a (ReleaseRefused)" in finding["message"]
    tenant.until_gone("training-a")
    assert entries(tenant) == ["Gone"]
    assert tenant.deletes() == ["accepted"]
    tenant.until_true(lambda: unwritable(tenant) == 0, "none counted any more")


def test_an_object_whose_finalizer_a_policy_refuses_says_that_it_is_not_protected(tenant: Tenant) -> None:
    tenant.in_cloud("training-a")
    with refused(tenant, NO_FINALIZER_IS_ADDED):
        tenant.create("training-a")
        found = tenant.until_ready("training-a", "NotProtected", "False")
        assert not tenant.is_held("training-a")
        assert says(found, "Reconciling", "True", "NotProtected")
        message = condition_of(found, "Ready")["message"]
        assert WORDS in message
        assert "its node pool stays in the cloud and costs money" in message
        tenant.run_as_told(message, "get")
        assert read(found) == "InProgress"
        tenant.until_event("training-a", "NotProtected")
        assert tenant.events("training-a") == ["NotProtected"]
        finding = doctors_finding(tenant)
        assert f"{tenant.name}/training-a (NotProtected)" in finding["message"]
    tenant.until_ready("training-a")
    assert tenant.is_held("training-a")
    assert tenant.events("training-a") == ["NotProtected"]


def test_nothing_is_sent_while_a_policy_refuses_the_record_that_goes_before_it(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    with refused(tenant, NO_DELETE_IS_SENT, "modelartsnodepools/status"):
        tenant.delete("training-a")
        message = tenant.until_blocked("training-a", "RefusedByAPIServer")
        assert WORDS in message
        assert not tenant.deletes()
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


def test_an_audit_entry_that_a_policy_refuses_holds_the_object_that_says_so(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    with refused(tenant, "false", "modelartsaccounts/status"):
        tenant.delete("training-a")
        message = tenant.until_blocked("training-a", "ReleaseRefused")
        assert WORDS in message
        assert f"modelartsaccounts/{tenant.name}/status" in message
    tenant.until_gone("training-a")
    assert entries(tenant) == ["Gone"]


def test_a_status_that_cannot_be_written_is_told_by_event_metric_log_and_doctor(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    with refused(tenant, "false", "modelartsnodepools/status"):
        tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", states={"available": 1, "abnormal": 1})
        tenant.until_event("training-a", "RefusedByAPIServer")
        tenant.until_true(lambda: unwritable(tenant) == 1, "counted")
        # One log line a minute covers all objects: an earlier test may have used the line of this minute.
        tenant.until_true(lambda: any(WORDS in line for line in complaints(tenant)), "a line of the log")
        assert says(tenant.get("training-a"), "NodesHealthy", "True"), "nothing on the object can show it"
    tenant.until("training-a", lambda found: found["status"]["counts"]["abnormal"] == 1, "mirrored again")


@pytest.mark.parametrize("count", [30])
def test_a_webhook_that_is_down_costs_one_attempt_a_minute_for_each_object_and_one_log_line(
    tenant: Tenant, count: int
) -> None:
    names = [f"np-{number}" for number in range(count)]
    tenant.change_account(activePollInterval="1s", pollInterval="1s")
    for name in names:
        tenant.in_cloud(name)
        tenant.create(name)
    for name in names:
        tenant.until_ready(name)
    lines = len(complaints(tenant))
    begun = time.monotonic()
    with dead_webhook(tenant):
        for name in names[:10]:
            tenant.delete(name)
        for name in names[10:]:
            tenant.cloud.put_node_pool(tenant.resource_pool, name, states={"available": 1, "abnormal": 1})
        tenant.until_true(lambda: unwritable(tenant) == count, "all counted")
        # Seven attempts are quick, within 70 seconds; then there is one a minute.
        time.sleep(80)
        before, since = refusals(tenant, "WebhookFailed"), time.monotonic()
        time.sleep(60)
        attempts = refusals(tenant, "WebhookFailed") - before
        # Of whole minutes: on a busy machine this was a moment more than one.
        assert attempts <= count * ((time.monotonic() - since) / 60 + 0.1)
        assert len(complaints(tenant)) - lines <= 1 + (time.monotonic() - begun) / 60
        status, body = tenant.operator.readiness()
        assert status == 503
        assert "node pool objects cannot be written" in body
        assert not tenant.deletes()
        assert f"{tenant.name}.example.com" in doctors_finding(tenant)["message"]
    tenant.until_gone(*names[:10])
    assert tenant.deletes() == ["accepted"] * 10
    for name in names[10:]:
        tenant.until(name, lambda found: found["status"]["counts"]["abnormal"] == 1, "mirrored")
    tenant.until_true(lambda: tenant.operator.readiness()[0] == 200, "ready again")
    assert len(tenant.api.items(node_pools_in(tenant.name))) == count - 10
