"""Flux, kubectl and Argo CD read every status that decide/ can write as people would, and agree with each other."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.decide.deletion.decision import Hold, Wait
from modelarts_nodepool.decide.deletion.status import decide_deleting_status
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.observed import DeletionObserved, LiveObserved
from modelarts_nodepool.decide.status import decide_account_status, decide_status
from modelarts_nodepool.errors import CredentialsRejected, ServerFailure
from tests.support import argocd, kstatus
from tests.support.builders import NOON, a_cloud_node_pool, a_listing, a_node_pool, an_account
from tests.support.layouts import flux
from tests.unit.decide.arbitrary import deletions, observations, usual
from tests.unit.decide.deletion_rows import TABLE
from tests.unit.decide.situations import HOUR, NOW, an_observation

DELETED_AT = "2026-05-01T11:00:00Z"
EXPRESSIONS = {
    exprs["kind"]: {name: exprs[name] for name in ("inProgress", "failed", "current") if name in exprs}
    for step in flux().steps.values()
    for exprs in step.manifest["spec"].get("healthCheckExprs", [])
}


def body_of(node_pool: NodePool, status: Mapping[str, Any]) -> dict[str, Any]:
    """As a reader of the API sees it."""
    metadata: dict[str, Any] = {"name": node_pool.metadata.name, "generation": node_pool.metadata.generation}
    if node_pool.metadata.deleted is not None:
        metadata["deletionTimestamp"] = DELETED_AT
    return {"kind": "ModelArtsNodePool", "metadata": metadata, "status": dict(status)}


def living(observed: LiveObserved) -> dict[str, Any]:
    return body_of(observed.node_pool, decide_status(observed, NOON).status.to_wire())


def dying(observed: DeletionObserved) -> dict[str, Any] | None:
    """None where nothing is written."""
    status = decide_deleting_status(observed, decide_deletion(observed, NOW), HOUR, NOON)
    return None if status is None else body_of(observed.node_pool, status.to_wire())


def counted(**counts: int) -> LiveObserved:
    asked_for = counts.pop("asked_for", None)
    return an_observation(seen=a_listing(a_cloud_node_pool(asked_for=asked_for, **counts)))


NEW = a_node_pool().finalized().created(NOON)
OLD = a_node_pool().finalized().created(NOON - HOUR)
FAULT = ServerFailure("list_node_pools was answered 503: busy.")
# Row of the design's table of status: what Flux makes of it, what its sample expressions do, what Argo CD does.
LIVING = {
    "AccountNotFound: first 5 minutes": (an_observation(NEW, account=None), "InProgress", "InProgress", "Progressing"),
    "AccountNotFound": (an_observation(OLD, account=None), "Failed", "Failed", "Degraded"),
    "NodePoolNotFound": (an_observation(OLD, seen=a_listing()), "Failed", "Failed", "Degraded"),
    "ObservationStale": (an_observation(OLD, seen_age=HOUR, failure=FAULT), "InProgress", "InProgress", "Progressing"),
    "NodesAvailable": (counted(available=3), "Current", "Current", "Healthy"),
    "NodesAbnormal": (counted(available=2, abnormal=1), "Current", "Failed", "Degraded"),
    "NodesMissing": (counted(available=2, asked_for=3), "Current", "Failed", "Degraded"),
    "Paused": (
        an_observation(OLD.paused(), seen=a_listing(a_cloud_node_pool(available=3))), "Current", "Current", "Suspended",
    ),
    "NodePoolEmpty": (counted(), "Current", "Current", "Healthy"),
    "NodesCreating": (counted(creating=2), "InProgress", "InProgress", "Progressing"),
    "NodesCreating: and abnormal": (counted(creating=2, abnormal=1), "InProgress", "InProgress", "Progressing"),
    "NodesDeleting": (counted(deleting=2), "InProgress", "InProgress", "Progressing"),
    "NoNodesAvailable": (counted(abnormal=2), "InProgress", "Failed", "Degraded"),
}  # fmt: skip


@pytest.mark.parametrize("row", LIVING)
def test_a_living_object_is_read_as_it_is(row: str) -> None:
    observed, flux, strict_flux, argo = LIVING[row]
    body = living(observed)
    assert kstatus.read(body) == flux
    assert kstatus.read_with(EXPRESSIONS["ModelArtsNodePool"], body) == strict_flux
    health = argocd.health_of(body)
    assert health.status == argo
    assert health.message


def test_an_object_that_no_operator_has_seen_is_in_progress() -> None:
    """With the default of the CRD; without it kstatus would call the object done."""
    fresh = body_of(a_node_pool().build(), {"observedGeneration": -1})
    assert kstatus.read(fresh) == "InProgress"
    assert kstatus.read_with(EXPRESSIONS["ModelArtsNodePool"], fresh) == "InProgress"
    assert argocd.health_of(fresh).status == "Progressing"
    assert kstatus.read(body_of(a_node_pool().build(), {})) == "Current"
    assert argocd.health_of(body_of(a_node_pool().build(), {})).status == "Progressing"


def test_a_change_that_was_not_looked_at_yet_is_in_progress() -> None:
    body = living(counted(available=3))
    body["metadata"]["generation"] += 1
    assert kstatus.read(body) == "InProgress"
    assert argocd.health_of(body).status == "Progressing"


@pytest.mark.parametrize("row", TABLE)
def test_an_object_being_deleted_is_terminating_and_argo_shows_why_it_is_held(row: str) -> None:
    observed = TABLE[row][0]
    decision = decide_deletion(observed, NOW)
    body = dying(observed) or body_of(observed.node_pool, observed.node_pool.status.to_wire())
    assert kstatus.read(body) == kstatus.read_with(EXPRESSIONS["ModelArtsNodePool"], body) == "Terminating"
    health = argocd.health_of(body)
    assert health.status == "Progressing"
    # Argo CD 3.6 shows the one, a development version of it the other.
    assert health.message == health.deletion_message
    if dying(observed) is not None and isinstance(decision, Hold | Wait):
        assert decision.message in health.message


@usual
@given(observations())
def test_argo_and_flux_never_contradict_each_other(observed: LiveObserved) -> None:
    body = living(observed)
    # Where nothing is known yet, what stood there before stands; without conditions the operator never wrote it.
    assume(body["status"].get("conditions"))
    flux, argo = kstatus.read(body), argocd.health_of(body).status
    agreeing = {
        "Current": {"Healthy", "Suspended", "Degraded"},
        "InProgress": {"Progressing", "Degraded"},
        "Failed": {"Degraded"},
    }
    assert argo in agreeing[flux]


@usual
@given(deletions())
def test_no_status_of_a_deletion_breaks_the_script(observed: DeletionObserved) -> None:
    body = dying(observed)
    if body is not None:
        assert argocd.health_of(body).status == "Progressing"
        assert kstatus.read(body) == "Terminating"


ACCOUNTS = {
    "valid": ({"was_used": True, "failure": None}, "Current", "Healthy"),
    "rejected": ({"was_used": True, "failure": CredentialsRejected("401")}, "Failed", "Degraded"),
    # For seconds, then it is verified.
    "not-used": ({"was_used": False, "failure": None}, "InProgress", "Progressing"),
    "out-of-reach": ({"was_used": True, "failure": FAULT}, "InProgress", "Progressing"),
}


@pytest.mark.parametrize("case", ACCOUNTS)
def test_an_account_is_read_as_it_is(case: str) -> None:
    given_facts, flux, argo = ACCOUNTS[case]
    status = decide_account_status(an_account().build(), now=NOON, **given_facts)  # type: ignore[arg-type]
    body = {"kind": "ModelArtsAccount", "metadata": {"generation": 1}, "status": status.to_wire()}
    assert kstatus.read(body) == flux
    assert argocd.health_of(body).status == argo


def test_an_account_being_deleted_says_what_it_waits_for() -> None:
    status = decide_account_status(an_account().build(), was_used=True, failure=None, now=NOON)
    metadata = {"generation": 2, "deletionTimestamp": DELETED_AT}
    body = {"kind": "ModelArtsAccount", "metadata": metadata, "status": status.to_wire()}
    health = argocd.health_of(body)
    assert (health.status, kstatus.read(body)) == ("Progressing", "Terminating")
    assert "no node pool object refers to the account" in health.deletion_message


def test_the_sandbox_has_neither_string_nor_math() -> None:
    for text in ('return {status = string.upper("x")}', "return {status = math.max(1)}", 'return ("x"):upper()'):
        with pytest.raises(argocd.LuaError):
            argocd.run(text, {})
