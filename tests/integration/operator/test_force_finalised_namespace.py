"""A namespace whose finalizers a person emptied, as many do with one that hangs: what is left waits and says so."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.api import NAMESPACES
from tests.support.commands import run
from tests.support.tenant import A_SECOND, Tenant

pytestmark = pytest.mark.long


def empty_finalizers(tenant: Tenant) -> None:
    emptied = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant.name}, "spec": {"finalizers": []}}
    tenant.api.replace(f"{NAMESPACES}/{tenant.name}/finalize", emptied)


@contextmanager
def namespace_gone(tenant: Tenant) -> Iterator[None]:
    tenant.until_true(lambda: tenant.api.get(f"{NAMESPACES}/{tenant.name}") is None, "no namespace")
    try:
        yield
    finally:
        if tenant.api.get(f"{NAMESPACES}/{tenant.name}") is None:
            tenant.api.create(NAMESPACES, {"metadata": {"name": tenant.name}})


@contextmanager
def namespace_ended(tenant: Tenant) -> Iterator[None]:
    """Deleted, and ended before anything in it was gone; there again afterwards, whatever happens."""
    tenant.api.delete(f"{NAMESPACES}/{tenant.name}")
    for name in ("training-a", "training-b"):
        tenant.until(name, lambda found: found["metadata"].get("deletionTimestamp"), "being deleted")
    empty_finalizers(tenant)
    with namespace_gone(tenant):
        yield


def commands_in_log(tenant: Tenant) -> list[str]:
    found = [
        re.findall(r"kubectl create namespace \S+", line["message"])
        for line in tenant.operator.lines()
        if line.get("object", "").startswith(f"{tenant.name}/")
    ]
    return [command for commands in found for command in commands]


def doctors_finding(tenant: Tenant) -> dict[str, Any]:
    place = f"{tenant.cloud.region}={tenant.cloud.endpoint}"
    done = run("doctor", "--kubeconfig", str(tenant.plane.kubeconfig), "--endpoint", place, "-o", "json")
    (found,) = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "namespaces"]
    return dict(found)


def test_what_is_left_of_a_namespace_says_so_and_is_held_when_that_is_created_again(tenant: Tenant) -> None:
    for name in ("training-a", "training-b"):
        tenant.mirrored(name)
    tenant.annotate("training-b", confirm_delete="training-b", paused="true")
    with namespace_ended(tenant):
        tenant.until_true(lambda: commands_in_log(tenant), "a command in the log")
        assert set(commands_in_log(tenant)) == {f"kubectl create namespace {tenant.name}"}
        finding = doctors_finding(tenant)
        assert finding["result"] == "Failed"
        assert f"{tenant.name} (2)" in finding["message"]
        assert not tenant.deletes()
        tenant.run_as_told(finding["remedy"], "create")
    tenant.annotate("training-b", paused=None)
    tenant.until_gone("training-b")
    message = tenant.until_blocked("training-a", "NamespaceTerminating")
    assert tenant.deletes() == ["accepted"]
    assert doctors_finding(tenant)["result"] == "OK"
    tenant.run_as_told(message, "annotate")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted", "accepted"]


def test_what_lives_on_without_its_namespace_is_counted_and_goes_on_when_that_is_created_again(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    empty_finalizers(tenant)
    # Without finalizers of its own nothing in it is deleted; the first says that it is Terminating, the second ends it.
    for _ in range(2):
        tenant.api.delete(f"{NAMESPACES}/{tenant.name}")
    with namespace_gone(tenant):
        tenant.until_true(lambda: homeless(tenant) == 1, "counted")
        assert f"{tenant.name} (1)" in doctors_finding(tenant)["message"]
        tenant.cloud.put_node_pool(tenant.resource_pool, "training-a", states={"available": 1, "abnormal": 1})
        tenant.until_true(lambda: commands_in_log(tenant), "a command in the log")
        assert tenant.get("training-a")["status"]["counts"]["abnormal"] == 0
        tenant.run_as_told(doctors_finding(tenant)["remedy"], "create")
        tenant.until("training-a", lambda found: found["status"]["counts"]["abnormal"] == 1, "mirrored again")
    tenant.until_true(lambda: homeless(tenant) == 0, "counted no more")
    # Deleted in the very second in which the namespace was created, it could have gone with the one before.
    time.sleep(A_SECOND)
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes() == ["accepted"]


def homeless(tenant: Tenant) -> float:
    return tenant.operator.metrics().value("objects", state="namespace_gone")
