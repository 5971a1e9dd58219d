"""Regions of other clouds: served where the settings know their endpoint, named with the missing setting where not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import ACCOUNTS
from tests.support.cloud import Cloud
from tests.support.commands import Done, run
from tests.support.conditions import condition_of, says
from tests.support.operator import OperatorProcess, at_work
from tests.support.tenant import Tenant

KNOWN, UNKNOWN = "eu-de", "eu-nl"


@pytest.fixture(scope="module")
def operator(identity: Path, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """It knows where the API of one region of another cloud is."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    flags = ("--endpoint", f"{KNOWN}={cloud.endpoint}")
    with at_work(OperatorProcess(identity, f"{cloud.region}={cloud.endpoint}", log, *flags)) as operator:
        yield operator


def in_region(tenant: Tenant, region: str) -> str:
    name = f"{tenant.name}-{region}"
    tenant.create_account(name, region=region)
    return name


def command(tenant: Tenant, account: str, *args: str) -> Done:
    where = ("--kubeconfig", str(tenant.plane.kubeconfig), "--account", account)
    return run(*args, *where, "--endpoint", f"{KNOWN}={tenant.cloud.endpoint}")


def test_a_region_of_another_cloud_is_served_where_the_settings_know_it(tenant: Tenant) -> None:
    account = in_region(tenant, KNOWN)
    tenant.in_cloud("nodePool-1")
    tenant.create("training-a", accountRef={"name": account}, nodePoolName="nodePool-1")
    found = tenant.until_ready("training-a")
    assert found["status"]["identity"]["region"] == KNOWN
    assert found["status"]["identity"]["nodePoolName"] == "nodePool-1"
    tenant.delete("training-a")
    tenant.until_gone("training-a")
    assert tenant.deletes("nodePool-1") == ["accepted"]


def test_a_region_that_nobody_knows_is_named_with_the_flag_and_nothing_is_sent(tenant: Tenant) -> None:
    since = tenant.cloud.last
    account = in_region(tenant, UNKNOWN)
    tenant.create("training-a", accountRef={"name": account})
    found = tenant.until_ready("training-a", "EndpointUnknown", "False")
    settings = f"--endpoint {UNKNOWN}=https://HOST, with Helm --set operator.endpoints.{UNKNOWN}=https://HOST"
    assert settings in condition_of(found, "Ready")["message"]
    tenant.until_true(lambda: says(account_of(tenant, account), "Stalled", "True", "EndpointUnknown"), "said")
    assert settings in condition_of(account_of(tenant, account), "Ready")["message"]

    doctor = command(tenant, account, "doctor", "-o", "json")
    (line,) = [each for each in json.loads(doctor.stdout)["checks"] if each["check"] == "endpoint"]
    assert (line["result"], doctor.returncode) == ("Failed", 1)
    assert settings in line["message"]
    inventory = command(tenant, account, "inventory")
    assert inventory.returncode == 1
    assert "EndpointUnknown" in inventory.stderr
    assert settings in inventory.stderr

    tenant.delete("training-a")
    words = tenant.until_blocked("training-a", "EndpointUnknown")
    assert settings in words
    assert not list(tenant.cloud.requests(tenant.resource_pool, since=since))
    tenant.run_as_told(words, "patch")
    tenant.until_gone("training-a")
    assert not tenant.deletes()


def account_of(tenant: Tenant, name: str) -> dict[str, Any]:
    return dict(tenant.api.get(f"{ACCOUNTS}/{name}") or {})
