"""What Flux, kubectl and Argo CD make of objects as the running operator writes them, not as a test would type them."""

from typing import Any

from tests.support import argocd, kstatus
from tests.support.conditions import says
from tests.support.side_by_side import side_by_side
from tests.support.tenant import SLOW, Tenant


def readings(body: dict[str, Any]) -> tuple[str, str]:
    """By kstatus and by our Lua."""
    return kstatus.read(body), argocd.health_of(body).status


@side_by_side
def test_a_node_pool_is_current_and_healthy_when_its_nodes_are_and_shows_what_becomes_of_them(tenant: Tenant) -> None:
    ready = tenant.mirrored("training-a")
    assert readings(ready) == ("Current", "Healthy")
    tenant.in_cloud("training-a", {"states": {"available": 1, "abnormal": 1}})
    hurt = tenant.until("training-a", lambda body: says(body, "NodesHealthy", "False", "NodesAbnormal"), "abnormal")
    assert readings(hurt) == ("Current", "Degraded")
    tenant.in_cloud("training-a", {"states": {"creating": 2}, "createSeconds": 3600})
    creating = tenant.until_ready("training-a", "NodesCreating", "False")
    assert readings(creating) == ("InProgress", "Progressing")


@side_by_side
def test_a_node_pool_that_is_not_there_yet_is_in_progress(tenant: Tenant) -> None:
    tenant.create("missing")
    assert readings(tenant.until_ready("missing", "NodePoolNotFound", "False")) == ("InProgress", "Progressing")


@side_by_side
def test_a_pause_is_shown_beside_good_health(tenant: Tenant) -> None:
    tenant.mirrored("training-a")
    tenant.annotate("training-a", paused="true")
    paused = tenant.until("training-a", lambda body: says(body, "Paused", "True", "Paused"), "paused")
    assert readings(paused) == ("Current", "Suspended")


@side_by_side
def test_a_held_deletion_says_why_and_a_sent_one_how_far_it_is(tenant: Tenant) -> None:
    tenant.mirrored("held")
    tenant.annotate("held", paused="true")
    tenant.delete("held")
    message = tenant.until_blocked("held", "Paused")
    body = tenant.get("held")
    assert readings(body) == ("Terminating", "Progressing")
    assert argocd.health_of(body).deletion_message == f"Paused: {message}"
    tenant.mirrored("sent", cloud=SLOW)
    tenant.delete("sent")
    sent = tenant.until_ready("sent", "DeletingNodePool", "False")
    assert readings(sent) == ("Terminating", "Progressing")
    assert "DeletingNodePool: " in argocd.health_of(sent).deletion_message


@side_by_side
def test_an_account_is_current_and_healthy_before_and_after_its_first_use(tenant: Tenant) -> None:
    def account() -> dict[str, Any]:
        found = tenant.api.get(f"/apis/modelarts.huaweicloud.com/v1alpha1/modelartsaccounts/{tenant.name}")
        assert found is not None
        return found

    # As an admin or a pipeline waits, with no object there.
    tenant.kubectl("wait", "--for=condition=Ready", f"maacct/{tenant.name}", "--timeout=240s")
    assert says(account(), "Ready", "True", "CredentialsValid")
    assert readings(account()) == ("Current", "Healthy")
    tenant.mirrored("training-a")
    assert readings(account()) == ("Current", "Healthy")
