"""/metrics of the running operator against what the cloud, the API server's audit log and the objects say."""

from datetime import UTC, datetime

import pytest

from modelarts_nodepool.server.gauges import ObjectState
from tests.support.cloud import Cloud
from tests.support.operator import USER, OperatorProcess
from tests.support.tenant import SLOW, Tenant

pytestmark = pytest.mark.long

# What a healthy operator shows once it has mirrored, held and deleted; counters without an occasion have no sample.
PRESENT = {
    "account_ready",
    "build_info",
    "cloud_request_duration_seconds",
    "cloud_requests",
    "deletion_blocked",
    "deletion_duration_seconds",
    "deletions",
    "leader",
    "nodes",
    "objects",
    "orphans",
    "poll_lag_seconds",
    "reconcile_duration_seconds",
    "reconciles",
    "standing_confirmations",
    "status_writes",
    "unreadable_node_pools",
    "watch_last_event_age_seconds",
}


@pytest.fixture(scope="module", autouse=True)
def begun(cloud: Cloud) -> datetime:
    """Before the module's operator is started: what others wrote until then is none of its doing."""
    assert not cloud.requests(), "an operator is at work already"
    return datetime.now(UTC)


def states(operator: OperatorProcess) -> dict[str, float]:
    found = operator.metrics()
    return {state.value: found.value("objects", state=state.value) for state in ObjectState}


def sampled(operator: OperatorProcess) -> set[str]:
    return {name for name, family in operator.metrics().families.items() if family.samples}


def test_living_objects_nodes_and_accounts_are_shown_and_go_with_what_they_are_about(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    tenant.mirrored("training-a", cloud={"states": {"available": 3, "abnormal": 1}})
    tenant.mirrored("training-b")
    tenant.annotate("training-b", confirm_delete="training-b")
    mine = {"account": tenant.name, "resource_pool": tenant.resource_pool}
    tenant.until_metric(1, "standing_confirmations")
    found = operator.metrics()
    nodes = {state: found.value("nodes", state=state, **mine) for state in found.labels_of("nodes", "state")}
    assert nodes == {"creating": 0, "available": 5, "abnormal": 1, "deleting": 0}
    assert states(operator) == dict.fromkeys(states(operator), 0) | {"ready": 2}
    tenant.until_metric(1, "account_ready", account=tenant.name)
    assert found.value("leader") == 1
    assert found.value("build_info") == 1
    tenant.until_true(lambda: operator.metrics().value("poll_lag_seconds") < 10, "a poll in time")
    tenant.until_true(lambda: operator.metrics().value("watch_last_event_age_seconds") < 40, "an event of the watch")
    tenant.tear_down()
    tenant.until_true(
        lambda: tenant.name not in operator.metrics().labels_of("account_ready", "account"), "no series of the account"
    )
    tenant.until_true(
        lambda: tenant.name not in operator.metrics().labels_of("nodes", "account"), "no series of the nodes"
    )


def test_a_held_deletion_is_shown_by_its_reason_and_counted_when_it_is_done(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    before = operator.metrics()
    tenant.mirrored("held", finalizers=["tests.example.com/other"])
    tenant.mirrored("slow", cloud=SLOW)
    tenant.delete("held", "slow")
    tenant.until_blocked("held", "OtherFinalizers")
    tenant.until("slow", lambda found: found["status"]["counts"]["deleting"] == 2, "deleting")
    tenant.until_metric(1, "objects", state="blocked")
    tenant.until_metric(1, "objects", state="deleting")
    tenant.until_metric(1, "deletion_blocked", reason="OtherFinalizers")
    tenant.until_metric(1, "deletion_blocked")
    tenant.api.merge(tenant.path("held"), {"metadata": {"finalizers": ["modelarts.huaweicloud.com/node-pool"]}})
    tenant.finish_delete("slow")
    tenant.until_gone("held", "slow")
    tenant.until_metric(0, "deletion_blocked")
    tenant.until_metric(before.value("deletions_total") + 2, "deletions_total")
    tenant.until_metric(before.value("deletions_total", outcome="Gone") + 2, "deletions_total", outcome="Gone")
    seconds = "deletion_duration_seconds_count"
    tenant.until_metric(before.value(seconds) + 2, seconds)


def test_an_object_that_was_stripped_counts_as_an_orphan(tenant: Tenant, operator: OperatorProcess) -> None:
    before = operator.metrics().value("orphans_total")
    tenant.mirrored("training-a")
    tenant.api.merge(tenant.path("training-a"), {"metadata": {"finalizers": None}})
    tenant.delete("training-a")
    tenant.api.strip(tenant.path("training-a"))
    tenant.until_metric(before + 1, "orphans_total")


def test_every_metric_is_there_and_calls_and_writes_are_those_that_others_saw(
    tenant: Tenant, operator: OperatorProcess, begun: datetime
) -> None:
    tenant.mirrored("training-a")
    wanted = PRESENT - {"deletion_blocked"}
    tenant.until_true(lambda: sampled(operator) >= wanted, "a sample of every metric")
    found = operator.metrics()
    assert set(found.families) >= PRESENT
    deletes = [request for request in tenant.cloud.deletes() if request["status"]]
    assert found.value("cloud_requests_total", operation="delete_node_pool") == len(deletes)
    seen_by_cloud = len(tenant.cloud.requests(None, "list_node_pools"))
    counted = found.value("cloud_requests_total", operation="list_node_pools")
    later = operator.metrics().value("cloud_requests_total", operation="list_node_pools")
    assert counted <= later
    # Calls go on all the time: those of two scrapes enclose what the cloud saw in between, but for one under way.
    assert counted - 2 <= seen_by_cloud
    assert found.value("cloud_request_duration_seconds_count", operation="list_node_pools") == counted
    assert found.value("reconciles_total", result="failed") == 0
    assert found.value("reconciles_total") == found.value("reconcile_duration_seconds_count")

    def written() -> int:
        audit = tenant.plane.audit().by_user(USER).since(begun).writes().on("modelartsnodepools")
        return len([event for event in audit.events if event.subresource == "status" and event.code == 200])

    tenant.until_true(
        lambda: operator.metrics().value("status_writes_total") == written(), "every status write counted"
    )
