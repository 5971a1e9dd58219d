"""When a node pool is proven gone and when a DELETE may be sent, written from the design a second time.

Plain comparisons and nothing of the code under test: what test_properties.py holds the decisions against.
"""

import re
from datetime import timedelta
from typing import Any

from modelarts_nodepool import errors
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence
from tests.support.builders import NOON
from tests.unit.decide.situations import MONOTONIC


def is_since(evidence: Evidence[Any] | None, observed: DeletionObserved) -> bool:
    if evidence is None or evidence.begun < observed.deletion_seen:
        return False
    return observed.send_finished is None or evidence.begun >= observed.send_finished


def wanted_name(observed: DeletionObserved) -> str:
    pinned = observed.node_pool.status.identity
    return pinned.node_pool_name if pinned else "training-a"


def is_the_account_in_order(observed: DeletionObserved) -> bool:
    pinned, view = observed.node_pool.status.identity, observed.account
    return view is not None and view.is_granted and (pinned is None or pinned == view.identity)


def is_proven_gone(observed: DeletionObserved) -> bool:
    listing = observed.listing
    if not is_the_account_in_order(observed) or listing is None or not is_since(listing, observed):
        return False
    if listing.value is None:
        return is_resource_pool_gone(observed)
    if wanted_name(observed) in listing.value.node_pools:
        return False
    shown = observed.shown
    if shown is not None and is_since(shown, observed) and isinstance(shown.failure, errors.NotFound):
        return True
    return is_absent_one_interval_later(observed)


def is_absent_one_interval_later(observed: DeletionObserved) -> bool:
    listing, earlier, view = observed.listing, observed.earlier_listing, observed.account
    if listing is None or earlier is None or earlier.value is None or view is None:
        return False
    interval = min(view.account.spec.active_poll_interval, view.account.spec.poll_interval).total_seconds()
    return (
        observed.record.accepted_time is not None
        and is_since(earlier, observed)
        and wanted_name(observed) not in earlier.value.node_pools
        and listing.begun - earlier.begun >= max(interval, 1)
    )


def is_resource_pool_gone(observed: DeletionObserved) -> bool:
    listing, shown, listed = observed.listing, observed.resource_pool, observed.resource_pools
    begun = begin_of_the_run(observed)
    return (
        listing is not None
        and isinstance(listing.failure, errors.NotFound)
        and shown is not None
        and shown.begun >= begun
        and listed is not None
        and listed.begun >= begun
        and is_since(shown, observed)
        and isinstance(shown.failure, errors.ResourcePoolNotFound)
        and is_since(listed, observed)
        and listed.value is not None
        and "pool-a" not in listed.value
    )


def begin_of_the_run(observed: DeletionObserved) -> float:
    """The first LIST of those in a row that say that the resource pool does not exist."""
    listing, earlier = observed.listing, observed.earlier_listing
    assert listing is not None
    if earlier is None or not isinstance(earlier.failure, errors.NotFound) or not is_since(earlier, observed):
        return listing.begun
    return min(listing.begun, earlier.begun)


def is_fresh(evidence: Evidence[Any] | None, observed: DeletionObserved) -> bool:
    return (
        evidence is not None
        and evidence.value is not None
        and evidence.begun >= observed.deletion_seen
        and MONOTONIC - evidence.begun < 60
        and (observed.reconcile_requested is None or evidence.begun >= observed.reconcile_requested)
    )


def is_overridden(observed: DeletionObserved, reason: str) -> bool:
    text = observed.node_pool.metadata.annotations.get("modelarts.huaweicloud.com/override", "")
    return re.fullmatch(rf"(\w+,)*{reason}(,\w+)*@uid-of-training-a", text) is not None


def is_billing_in_order(observed: DeletionObserved) -> bool:
    shown, listed = observed.resource_pool, observed.nodes
    if shown is None or shown.value is None or listed is None or listed.value is None:
        return False
    billings = [shown.value.billing.value, *(node.billing.value for node in listed.value if node.billing)]
    if "1" in billings or any(node.is_locked for node in listed.value):
        return False
    return "unknown" not in billings or is_overridden(observed, "BillingUnknown")


def is_none_to_be_asked_for_jobs(observed: DeletionObserved) -> bool:
    """Ignored, overridden, or without a node on which one could run."""
    view = observed.account
    ignored = view is not None and view.account.spec.running_workloads.value == "Ignore"
    assert observed.nodes is not None
    return ignored or is_overridden(observed, "WorkloadsRunning") or observed.nodes.value == ()


def is_the_answer_about_jobs_fresh(observed: DeletionObserved) -> bool:
    """The list, or a failure of it that lets the nodes' own figures decide."""
    jobs = observed.workloads
    if jobs is None or MONOTONIC - jobs.begun >= 60 or jobs.begun < observed.deletion_seen:
        return False
    if observed.reconcile_requested is not None and jobs.begun < observed.reconcile_requested:
        return False
    if jobs.value is not None:
        return True
    assert observed.nodes is not None
    if any(node.is_in_use for node in observed.nodes.value or ()):
        return False
    if isinstance(jobs.failure, errors.CredentialsRejected | errors.CredentialsUnavailable | errors.ClockSkew):
        return False
    final = (
        errors.PermissionDenied,
        errors.NotFound,
        errors.WrongEndpoint,
        errors.RefusedByModelArts,
    )
    long = 20 if isinstance(jobs.failure, errors.MalformedAnswer) else 600
    has_failed_long = MONOTONIC - (jobs.begun if jobs.since is None else jobs.since) >= long
    return has_failed_long or (isinstance(jobs.failure, final) and not isinstance(jobs.failure, errors.Conflict))


def is_a_job_known_here(observed: DeletionObserved) -> bool:
    """A job that ModelArts calls alive names the address of one of the nodes."""
    if observed.workloads is None or observed.workloads.value is None or is_none_to_be_asked_for_jobs(observed):
        return False
    assert observed.nodes is not None
    own = {node.host_ip for node in observed.nodes.value or ()} - {""}
    alive = {"creating", "running", "abnormal", "terminating"}
    return any(job.status.lower() in alive and job.host_ips & own for job in observed.workloads.value)


def may_an_earlier_delete_be_in_effect(observed: DeletionObserved) -> bool:
    record, listing = observed.record, observed.listing
    assert listing is not None
    assert listing.value is not None
    shown = listing.value.node_pools[wanted_name(observed)].counts
    assert shown is not None
    if shown.deleting and shown.deleting == shown.creating + shown.available + shown.abnormal + shown.deleting:
        return True
    if record.sent_time is None:
        return False
    finished = observed.send_finished
    if shown.deleting or (finished is not None and MONOTONIC - finished < 120):
        return True
    if finished is None and is_another_s_delete_news(observed):
        return True
    if record.sent_time > NOON:
        return finished is None and observed.sent_seen is None
    return NOON - record.sent_time < timedelta(minutes=2)


def is_another_s_delete_news(observed: DeletionObserved) -> bool:
    """Found in the object less than two minutes ago, and nobody knows what came of it or when it really was."""
    record, seen = observed.record, observed.sent_seen
    if seen is None or record.sent_time is None or MONOTONIC - seen >= 120:
        return False
    return record.sent_time > NOON or (record.outcome is not None and record.outcome.value == "Unknown")


def is_a_pause_on(observed: DeletionObserved) -> bool:
    record, finished = observed.record, observed.send_finished
    if any(asked is not None and (finished is None or asked >= finished) for asked in requests(observed)):
        return False
    error = record.last_error
    refused = record.outcome is not None and record.outcome.value == "Refused"
    if refused and error is not None and timedelta() <= NOON - error.time < timedelta(minutes=5):
        return True
    if record.accepted_time is None:
        return False
    since = record.nothing_deleting_since
    if since is None or timedelta() <= NOON - since < timedelta(minutes=30):
        return True
    return finished is not None and MONOTONIC - finished < 1800


def requests(observed: DeletionObserved) -> tuple[float | None, ...]:
    return (observed.reconcile_requested, observed.went_past)


def has_just_failed(observed: DeletionObserved) -> bool:
    failure, at = observed.last_failure, observed.last_failure_at
    if failure is None or at is None or any(asked is not None and asked >= at for asked in requests(observed)):
        return False
    paced_elsewhere = isinstance(failure, errors.RefusedByModelArts | errors.PermissionDenied)
    return not paced_elsewhere and MONOTONIC - at < 30


def may_send(observed: DeletionObserved) -> bool:
    node_pool, listing = observed.node_pool, observed.listing
    if (
        node_pool.spec.deletion_policy.value == "Retain"
        or observed.retain_seen
        or not is_the_account_in_order(observed)
    ):
        return False
    if not is_since(listing, observed) or not is_fresh(listing, observed):
        return False
    assert listing is not None
    assert listing.value is not None
    shown = listing.value.node_pools.get(wanted_name(observed))
    if shown is None or shown.counts is None or ".." in wanted_name(observed):
        return False
    foreign = set(node_pool.metadata.finalizers) - {"modelarts.huaweicloud.com/node-pool"}
    return (
        not may_an_earlier_delete_be_in_effect(observed)
        and not is_a_pause_on(observed)
        and not has_just_failed(observed)
        and node_pool.metadata.annotations.get("modelarts.huaweicloud.com/paused") in {None, "false"}
        and (not foreign or is_overridden(observed, "OtherFinalizers"))
        and is_fresh(observed.resource_pool, observed)
        and is_fresh(observed.nodes, observed)
        and is_billing_in_order(observed)
        and not is_a_job_known_here(observed)
        and (is_none_to_be_asked_for_jobs(observed) or is_the_answer_about_jobs_fresh(observed))
        and is_the_container_in_order(observed.definition, observed)
        and is_the_container_in_order(observed.namespace, observed)
        and (is_confirmed(observed) or not is_confirmation_asked_for(observed))
        and (is_confirmed(observed) or not node_pool.metadata.owners)
        and (is_another_node_pool_left(observed) or is_overridden(observed, "LastNodePool"))
        and is_a_slot_free(observed)
        and observed.unreadable_duplicate is None
        and not (record_is_clean(observed) and (heirs(observed) or observed.unplaced_duplicate is not None))
    )


def is_confirmed(observed: DeletionObserved) -> bool:
    given_name = observed.node_pool.metadata.annotations.get("modelarts.huaweicloud.com/confirm-delete")
    return given_name == wanted_name(observed)


def is_confirmation_asked_for(observed: DeletionObserved) -> bool:
    return observed.account is not None and observed.account.account.spec.require_confirmation


def is_the_container_in_order(container: Evidence[Any] | None, observed: DeletionObserved) -> bool:
    if is_confirmed(observed):
        return True
    if container is None or container.failure is not None or container.begun < observed.deletion_seen:
        return False
    deleted = observed.node_pool.metadata.deleted
    assert deleted is not None
    found = container.value
    if MONOTONIC - container.begun >= 60 or found is None or found.created is None:
        return False
    is_a_later_one = found.created > observed.node_pool.metadata.created and found.created >= deleted
    return not is_a_later_one and (found.deleted is None or found.deleted > deleted)


def is_another_node_pool_left(observed: DeletionObserved) -> bool:
    assert observed.listing is not None
    assert observed.listing.value is not None
    for name, shown in observed.listing.value.node_pools.items():
        counts = shown.counts
        total = 0 if counts is None else counts.creating + counts.available + counts.abnormal + counts.deleting
        is_going = counts is not None and total > 0 and counts.deleting == total
        if name != wanted_name(observed) and name not in observed.leaving and not is_going:
            return True
    return False


def is_a_slot_free(observed: DeletionObserved) -> bool:
    budget = observed.budget
    return budget is None or budget.limit is None or budget.used + budget.ahead < budget.limit


def record_is_clean(observed: DeletionObserved) -> bool:
    return observed.record.sent_time is None


def heirs(observed: DeletionObserved) -> list[str]:
    """Others that go on with the node pool, are about to, or delete it themselves."""
    mine = observed.node_pool.metadata
    found = []
    for twin in observed.duplicates:
        theirs = twin.metadata
        is_ours = "modelarts.huaweicloud.com/node-pool" in theirs.finalizers
        is_older = (theirs.created, theirs.uid) < (mine.created, mine.uid)
        deletes = is_ours and twin.spec.deletion_policy.value == "Delete"
        if theirs.deleted is None or (deletes and (has_sent(twin) or is_older)):
            found.append(theirs.uid)
    return found


def is_an_heir_that_acts(heir: NodePool) -> bool:
    """It lives, or its DELETE is written down: two that are deleted never hand over to each other."""
    return heir.metadata.deleted is None or has_sent(heir)


def has_sent(twin: NodePool) -> bool:
    """Its own DELETE is written down: one from more than an hour before it was created came out of a backup."""
    sent = twin.status.deletion.sent_time if twin.status.deletion is not None else None
    return sent is not None and twin.metadata.created - sent <= timedelta(hours=1)
