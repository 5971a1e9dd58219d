"""inventory on a real cluster and a false cloud: what is there, what is missing, and manifests that adopt the rest."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from tests.support.commands import Done, run
from tests.support.tenant import Tenant

pytestmark = pytest.mark.long

OPERATOR_RUNS = False


def take(tenant: Tenant, *args: str) -> Done:
    """The inventory of this test's account and resource pools."""
    return run(
        *("inventory", "--account", tenant.name, "--pool", tenant.resource_pool),
        *("--kubeconfig", str(tenant.plane.kubeconfig)),
        *("--endpoint", f"{tenant.cloud.region}={tenant.cloud.endpoint}", *args),
    )


def found(tenant: Tenant, *args: str) -> dict[str, Any]:
    done = take(tenant, "-o", "json", *args)
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def states(inventory: dict[str, Any]) -> dict[str, str]:
    return {f"{row['poolName']}/{row['nodePoolName']}": row["state"] for row in inventory["nodePools"]}


def test_the_cloud_is_compared_with_the_cluster_and_what_is_unmanaged_is_adopted(tenant: Tenant) -> None:
    other = tenant.another_resource_pool("y", billingMode="1")
    tenant.in_cloud("training-a", {"states": {"available": 3, "abnormal": 1}})
    tenant.in_cloud("training-b")
    tenant.in_cloud("training-b", resource_pool=other)
    tenant.create("training-a")
    tenant.create("training-x")
    pool, both = tenant.resource_pool, ("--pool", other)
    before = found(tenant, *both)
    assert states(before) == {
        f"{pool}/stays": "Unmanaged",
        f"{pool}/training-a": "Managed",
        f"{pool}/training-b": "Unmanaged",
        f"{pool}/training-x": "Missing",
        f"{other}/training-b": "Unmanaged",
    }
    (row,) = [row for row in before["nodePools"] if row["nodePoolName"] == "training-a"]
    assert row["counts"] == {"creating": 0, "available": 3, "abnormal": 1, "deleting": 0}
    assert (row["flavor"], row["billing"]) == ("modelarts.vm.gpu.t4u8", "pay-per-use")
    assert {each["poolName"]: each["billing"] for each in before["resourcePools"]} == {
        pool: "pay-per-use",
        other: "yearly/monthly",
    }
    printed = take(tenant, *both, "-o", "yaml", "--namespace", tenant.name)
    assert printed.returncode == 0
    manifests = {each["metadata"]["name"]: each["spec"] for each in yaml.safe_load_all(printed.stdout)}
    assert manifests.keys() == {"stays", f"training-b-{pool}", f"training-b-{other}"}
    assert {spec["deletionPolicy"] for spec in manifests.values()} == {"Retain"}
    for dry in (("--dry-run=server",), ()):
        tenant.plane.kubectl.run("apply", "--server-side", "--validate=strict", *dry, "-f", "-", stdin=printed.stdout)
    after = found(tenant, *both)
    assert after["states"] == {"Managed": 4, "Duplicate": 0, "Unmanaged": 0, "Missing": 1, "Unknown": 0}
    assert "Nothing to adopt" in take(tenant, *both, "-o", "yaml", "--namespace", tenant.name).stdout


def test_a_held_deletion_is_listed_with_its_node_hours(tenant: Tenant) -> None:
    tenant.in_cloud("training-a", {"states": {"available": 3, "abnormal": 1}})
    tenant.create("training-a")
    tenant.patch("training-a", {"metadata": {"finalizers": [NODE_POOL_FINALIZER]}})
    tenant.delete("training-a")
    since = datetime.now(UTC) - timedelta(hours=10)
    condition = {
        "type": "DeletionBlocked",
        "status": "True",
        "reason": "Paused",
        "message": "",
        "observedGeneration": 2,
    }
    condition["lastTransitionTime"] = since.isoformat(timespec="seconds")
    status = json.dumps({"status": {"conditions": [condition]}})
    tenant.kubectl(
        "patch", "manp", "training-a", "-n", tenant.name, "--subresource=status", "--type=merge", "-p", status
    )
    (row,) = [row for row in found(tenant)["nodePools"] if row["nodePoolName"] == "training-a"]
    assert (row["held"]["reason"], row["held"]["nodes"]) == ("Paused", 4)
    assert 40 <= row["held"]["nodeHours"] < 41
    assert "Held deletions: 1. Their nodes: 4. Node-hours so far: 40." in take(tenant).stdout


def test_what_cannot_be_listed_is_unknown_and_the_exit_code_says_so(tenant: Tenant) -> None:
    tenant.create("stays")
    tenant.put_key(secretKey="good", allow=["list_pools"])
    done = take(tenant)
    assert done.returncode == 1
    assert "PermissionDenied" in done.stderr
    assert [line.split()[3] for line in done.stdout.splitlines()[1:3]] == ["Unknown", "Unknown"]
    assert "Nothing to adopt" in take(tenant, "-o", "yaml", "--namespace", tenant.name).stdout


def test_a_wrong_key_is_used_once_and_never_shown(tenant: Tenant) -> None:
    tenant.put_key(secretKey="good")
    tenant.put_secret(accessKey=f"AK{tenant.name}", secretKey="CANARY-mistyped")
    tenant.create_account(f"{tenant.name}-twin")
    done = take(tenant, "--account", f"{tenant.name}-twin")
    assert done.returncode == 1
    assert "CredentialsRejected" in done.stderr
    assert "CANARY" not in done.stdout + done.stderr
    assert tenant.cloud.key_state(f"AK{tenant.name}")["badSignatures"] == 1


def test_what_the_manifests_still_need_is_said_beside_them(tenant: Tenant) -> None:
    tenant.change_account(grants=[{"namespaces": ["elsewhere"], "resourcePools": ["*"]}])
    done = take(tenant, "-o", "yaml", "--namespace", f"{tenant.name}-new", "--deletion-policy", "Delete")
    assert done.returncode == 0
    (manifest,) = yaml.safe_load_all(done.stdout)
    assert manifest["spec"]["deletionPolicy"] == "Delete"
    for words in ("not granted yet", f"kubectl create namespace {tenant.name}-new", "permanently deletes"):
        assert words in done.stderr


def test_names_that_are_not_there_are_wrong_usage(tenant: Tenant) -> None:
    for flag in ("--account", "--pool"):
        done = take(tenant, flag, "nobody")
        assert done.returncode == 2
        assert "nobody" in done.stderr
        assert not done.stdout
