"""The status of an object that is not being deleted, and the status of an account. Pure.

For an object the first that applies: a problem that a person must fix, ModelArts cannot be reached, or the counts.
For an account: did its credentials work when they were last used? Called by controllers/node_pool.py and
controllers/account.py after each poll and each change of the object. While it is being deleted: deletion/status.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelarts_nodepool.api.account import AccountStatus
from modelarts_nodepool.api.annotations import unusual_pause
from modelarts_nodepool.api.meta import (
    Condition,
    ConditionStatus,
    ConditionType,
    Said,
    find_condition,
    set_conditions,
)
from modelarts_nodepool.api.names import is_valid_node_pool_name, is_valid_resource_pool_name
from modelarts_nodepool.api.node_pool import Counts, NodePoolShape, NodePoolStatus
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.failures import (
    describe_resource_pool,
    keep_steady,
    needs_a_person,
    not_protected,
    reason_of,
)
from modelarts_nodepool.decide.observed import AbnormalNodes, AccountView, Failure, LiveObserved
from modelarts_nodepool.errors import CloudError, NotFound, SecretNotFound
from modelarts_nodepool.logs import clean_name
from modelarts_nodepool.ports import CloudNode, CloudNodePool

# Paused is set anew each time; DeletionBlocked belongs to a deletion.
_NOT_KEPT = frozenset({ConditionType.PAUSED, ConditionType.DELETION_BLOCKED})
# Of a node, by the page ListNodePoolNodes. A node in phase Checking does not count as available, either.
_ABNORMAL = "Abnormal"
_EXPECTED_PHASES = frozenset({"Available", "Creating", "Deleting", ""})
_NAMED_NODES = 5
_LONGEST_NODE, _LONGEST_REASON = 80, 100
_NEGATIVE = frozenset({ConditionType.STALLED, ConditionType.RECONCILING})


def say_ready(name: str, counts: Counts, shape: NodePoolShape) -> dict[ConditionType, Said]:
    """Ready, with Reconciling beside it while nodes come or go and none is available."""
    # Never less than the nodes that exist: "1 of 0 nodes" would be wrong.
    total = max(shape.count, counts.total)
    if counts.available > 0:
        words = f"{counts.available} of {total} nodes of node pool {name} are available"
        return {ConditionType.READY: _said(ConditionStatus.TRUE, Reason.NODES_AVAILABLE, words)}
    if shape.count == 0 and counts.total == 0:
        words = f"node pool {name} exists and has no nodes, as requested"
        return {ConditionType.READY: _said(ConditionStatus.TRUE, Reason.NODE_POOL_EMPTY, words)}
    if counts.creating > 0:
        words = f"{counts.creating} of {total} nodes of node pool {name} are being created, none is available"
        return _in_progress(Reason.NODES_CREATING, words)
    if counts.deleting > 0:
        words = f"{counts.deleting} nodes of node pool {name} are being deleted in the cloud, none is available"
        return _in_progress(Reason.NODES_DELETING, words)
    words = f"none of the {total} nodes of node pool {name} is available; check it in the ModelArts console"
    return {ConditionType.READY: _said(ConditionStatus.FALSE, Reason.NO_NODES_AVAILABLE, words)}


def say_healthy(
    name: str,
    counts: Counts,
    shape: NodePoolShape,
    abnormal: AbnormalNodes | None = None,
    last: Condition | None = None,
) -> Said:
    """NodesHealthy: Argo CD reads it, kstatus does not, so one abnormal node in a hundred fails no sync.

    `last`: the condition that is shown; its names stay if the nodes cannot be read.
    """
    if counts.abnormal > 0:
        words = f"{counts.abnormal} of {counts.total} nodes of node pool {name} are abnormal"
        if abnormal is None and last is not None and last.message.startswith(f"{words}:"):
            return _said(ConditionStatus.FALSE, Reason.NODES_ABNORMAL, last.message)
        if abnormal is not None:
            words += _name_abnormal(abnormal.nodes, counts) + describe_resource_pool(abnormal.resource_pool)
        return _said(ConditionStatus.FALSE, Reason.NODES_ABNORMAL, f"{words}; check them in the ModelArts console")
    if counts.total < shape.count and counts.creating == 0 and counts.deleting == 0:
        words = f"node pool {name} has {counts.total} of {shape.count} nodes and none is being created"
        return _said(ConditionStatus.FALSE, Reason.NODES_MISSING, words)
    return _said(ConditionStatus.TRUE, Reason.ALL_NODES_HEALTHY, f"no node of node pool {name} is abnormal or missing")


def pick_abnormal(nodes: Iterable[CloudNode]) -> tuple[CloudNode, ...]:
    """Up to five nodes that are neither available nor coming nor going, the abnormal ones first, by name."""
    found = [node for node in nodes if node.phase not in _EXPECTED_PHASES]
    return tuple(sorted(found, key=lambda node: (node.phase != _ABNORMAL, node.name))[:_NAMED_NODES])


def _name_abnormal(nodes: tuple[CloudNode, ...], counts: Counts) -> str:
    """`: one (Abnormal), two (Abnormal: GPU lost) and 3 more`; empty without names."""
    if not nodes:
        return ""
    named = [_name_node(node) for node in nodes[: counts.abnormal]]
    more = f" and {counts.abnormal - len(named)} more" if counts.abnormal > len(named) else ""
    return f": {', '.join(named)}{more}"


def _name_node(node: CloudNode) -> str:
    why = f": {clean_name(node.reason, _LONGEST_REASON)}" if node.reason else ""
    return f"{clean_name(node.name, _LONGEST_NODE)} ({clean_name(node.phase, _LONGEST_NODE)}{why})"


def say_as_last(conditions: Iterable[Condition]) -> dict[ConditionType, Said] | None:
    """The last conditions; None if there are none, or if they contradict each other.

    They can contradict each other after a manual change of the status.
    """
    last = {condition.type: condition for condition in conditions if condition.type not in _NOT_KEPT}
    ready = last.get(ConditionType.READY)
    raised = [last[kind] for kind in ConditionType if kind in _NEGATIVE and kind in last]
    if ready is None or any(condition.status is not ConditionStatus.TRUE for condition in raised):
        return None
    types = {condition.type for condition in raised}
    fits = {
        ConditionStatus.TRUE: not types,
        ConditionStatus.FALSE: len(types) < len(_NEGATIVE),
        ConditionStatus.UNKNOWN: types == {ConditionType.RECONCILING},
    }
    if not fits[ready.status]:
        return None
    return {
        kind: Said(status=condition.status, reason=condition.reason, message=condition.message)
        for kind, condition in last.items()
    }


def _in_progress(reason: Reason, words: str) -> dict[ConditionType, Said]:
    return {
        ConditionType.RECONCILING: _said(ConditionStatus.TRUE, reason, words),
        ConditionType.READY: _said(ConditionStatus.FALSE, reason, words),
    }


def _said(status: ConditionStatus, reason: Reason, message: str) -> Said:
    return Said(status=status, reason=reason, message=message)


_NAMED_NODE_POOLS = 5
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason, with a message that says how to fix it."""

    reason: Reason
    message: str


def find_problem(observed: LiveObserved) -> Problem | None:
    """The first problem that applies. None if there is none, or if ModelArts only cannot be reached."""
    return (
        _protection_problem(observed)
        or _account_problem(observed)
        or _identity_problem(observed)
        or _name_problem(observed)
        or _failure_problem(observed)
        or _absence_problem(observed)
    )


def _protection_problem(observed: LiveObserved) -> Problem | None:
    if observed.finalizer_refused is None:
        return None
    return Problem(Reason.NOT_PROTECTED, not_protected(observed.finalizer_refused))


def _account_problem(observed: LiveObserved) -> Problem | None:
    node_pool, view = observed.node_pool, observed.account
    name = node_pool.spec.account_ref.name
    if view is None:
        words = f"ModelArtsAccount {name} does not exist; create it: {remedies.create_account()}"
        return Problem(Reason.ACCOUNT_NOT_FOUND, words)
    if view.account.is_terminating and node_pool.status.identity is None:
        words = (
            f"ModelArtsAccount {name} is being deleted and accepts no new objects; to keep the node pool, set "
            f"spec.deletionPolicy to Retain{remedies.by_hand(node_pool.metadata, remedies.retain(node_pool))}; then "
            "delete this object and create it again with another spec.accountRef"
        )
        return Problem(Reason.ACCOUNT_TERMINATING, words)
    if not view.is_granted:
        words = (
            f"ModelArtsAccount {name} grants namespace {node_pool.metadata.namespace} no access to resource pool "
            f"{node_pool.spec.pool_name}; add it to "
            f"spec.grants{remedies.by_hand(view.account.metadata, remedies.edit_account(name))}"
        )
        return Problem(Reason.NOT_GRANTED, words)
    return None


def _identity_problem(observed: LiveObserved) -> Problem | None:
    node_pool, view = observed.node_pool, observed.account
    pinned = node_pool.status.identity
    if pinned is not None and view is not None and pinned != view.identity:
        words = (
            f"the object refers to node pool {pinned.node_pool_name} of resource pool {pinned.pool_name} in project "
            f"{pinned.project_id} ({pinned.region}), but account and spec now give another "
            f"{view.changed_from(pinned)}; create the account again with the old values; or delete this object and "
            "create another one; to keep the node pool, first set spec.deletionPolicy to "
            f"Retain{remedies.by_hand(node_pool.metadata, remedies.retain(node_pool))}"
        )
        return Problem(Reason.IDENTITY_MISMATCH, words)
    if observed.older_duplicate is not None:
        words = (
            f"{observed.older_duplicate} is older and refers to the same node pool; delete one of the two objects; the "
            "node pool is kept while the other object "
            f"exists{remedies.by_hand(node_pool.metadata, remedies.delete(node_pool))}"
        )
        return Problem(Reason.DUPLICATE_OBJECT, words)
    return None


def _name_problem(observed: LiveObserved) -> Problem | None:
    node_pool = observed.node_pool
    is_valid = is_valid_resource_pool_name(node_pool.spec.pool_name)
    if is_valid and is_valid_node_pool_name(node_pool.node_pool_name):
        return None
    words = (
        "spec.poolName or spec.nodePoolName is not a valid ModelArts name; no request was sent; names are immutable: "
        "create another object; before you delete this one, set spec.deletionPolicy to "
        f"Retain{remedies.by_hand(node_pool.metadata, remedies.retain(node_pool))}"
    )
    return Problem(Reason.INVALID_OBJECT, words)


def _failure_problem(observed: LiveObserved) -> Problem | None:
    failure, node_pool = observed.failure, observed.node_pool
    if isinstance(failure, NotFound):
        words = (
            f"resource pool {node_pool.spec.pool_name} does not exist in ModelArts; check spec.poolName, which is the "
            f"resource pool's ID and not its display name: {remedies.describe(node_pool)}"
        )
        return Problem(Reason.RESOURCE_POOL_NOT_FOUND, words)
    if failure is None or not needs_a_person(failure):
        return None
    said = str(failure).rstrip(". ")
    return Problem(reason_of(failure), f"{said}; see: {remedies.describe_account(node_pool.spec.account_ref.name)}")


def _absence_problem(observed: LiveObserved) -> Problem | None:
    if observed.seen is None or observed.failure is not None:
        return None
    node_pool = observed.node_pool
    name = node_pool.node_pool_name
    if name in observed.seen.node_pools:
        return None
    words = (
        f"resource pool {node_pool.spec.pool_name} has no node pool {name} (it has: "
        f"{_names_shown(observed.seen.node_pools, name)}); correct the name in a new object, or delete this "
        f"one{remedies.by_hand(node_pool.metadata, remedies.delete(node_pool))}"
    )
    return Problem(Reason.NODE_POOL_NOT_FOUND, words)


def _names_shown(names: Iterable[str], wanted: str) -> str:
    """Up to five names that ModelArts shows, the most similar first: a wrong capital is easy to miss.

    A name that is not valid in a request is quoted in ASCII and shortened.
    """
    found = sorted(
        names, key=lambda name: (name.casefold() != wanted.casefold(), not is_valid_node_pool_name(name), name)
    )
    shown = [name if is_valid_node_pool_name(name) else _quoted(name) for name in found[:_NAMED_NODE_POOLS]]
    return ", ".join([*shown, "…"] if len(found) > len(shown) else shown) or "no node pools"


def _quoted(name: str) -> str:
    shown = ascii(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...")
    return f"{shown}, which is not a valid name"


STALLED_AFTER = timedelta(minutes=5)
STALE_AFTER = timedelta(minutes=5)
STALE_POLLS = 3


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """The status to write, and when time alone may change it (None: only a change can)."""

    status: NodePoolStatus
    recheck_after: timedelta | None = None


def decide_status(observed: LiveObserved, now: datetime) -> LiveVerdict:
    """The whole status. Equal to the object's own status if nothing has to be written."""
    problem = find_problem(observed)
    if problem is not None:
        return _with_problem(observed, problem, now)
    view, shown = observed.account, _shown(observed)
    if view is None or shown is None or shown.counts is None or _is_out_of_reach(observed):
        return _out_of_reach(observed, now)
    return LiveVerdict(_as_counted(observed, view, shown, shown.counts, now))


def say_paused(node_pool: NodePool) -> dict[ConditionType, Said]:
    """The condition Paused, only while the object is paused."""
    if not node_pool.is_paused:
        return {}
    resume = remedies.by_hand(node_pool.metadata, remedies.unpause(node_pool))
    words = f"no DELETE is sent{unusual_pause(node_pool)}; the status is still updated; remove the annotation{resume}"
    return {ConditionType.PAUSED: Said(status=ConditionStatus.TRUE, reason=Reason.PAUSED, message=words)}


def _shown(observed: LiveObserved) -> CloudNodePool | None:
    """The node pool in the newest successful LIST."""
    return observed.seen.node_pools.get(observed.node_pool.node_pool_name) if observed.seen else None


def _is_out_of_reach(observed: LiveObserved) -> bool:
    # Also without a failure: if no poll finished for so long, the last one is out of date.
    return observed.failure is not None or _until_stale(observed) <= timedelta()


def _until_stale(observed: LiveObserved) -> timedelta:
    interval = observed.account.poll_interval if observed.account else timedelta()
    return max(STALE_AFTER, STALE_POLLS * interval) - observed.seen_age


def _as_counted(
    observed: LiveObserved, view: AccountView, shown: CloudNodePool, counts: Counts, now: datetime
) -> NodePoolStatus:
    """Ready and NodesHealthy from the counts."""
    said = say_ready(shown.name, counts, shown.shape)
    said[ConditionType.NODES_HEALTHY] = say_healthy(
        shown.name,
        counts,
        shown.shape,
        observed.abnormal,
        find_condition(observed.node_pool.status.conditions, ConditionType.NODES_HEALTHY),
    )
    return _build(
        observed,
        said,
        now,
        counts=counts,
        node_pool=shown.shape,
        identity=observed.node_pool.status.identity or view.identity,
    )


def _with_problem(observed: LiveObserved, problem: Problem, now: datetime) -> LiveVerdict:
    """Reconciling at first, Stalled after five minutes: GitOps tools fail at once on Stalled."""
    left = _until_stalled(observed.node_pool, now)
    kind = ConditionType.RECONCILING if left > timedelta() else ConditionType.STALLED
    said = {
        kind: Said(status=ConditionStatus.TRUE, reason=problem.reason, message=problem.message),
        ConditionType.READY: Said(status=ConditionStatus.FALSE, reason=problem.reason, message=problem.message),
        ConditionType.NODES_HEALTHY: _unobserved(problem.reason, problem.message),
    }
    return LiveVerdict(_build(observed, said, now), left if left > timedelta() else None)


def _until_stalled(node_pool: NodePool, now: datetime) -> timedelta:
    conditions = node_pool.status.conditions
    stalled = find_condition(conditions, ConditionType.STALLED)
    if (
        stalled is not None
        and stalled.status is ConditionStatus.TRUE
        and stalled.observed_generation == node_pool.metadata.generation
    ):
        return timedelta()
    reconciling = find_condition(conditions, ConditionType.RECONCILING)
    since = now
    if reconciling is not None and reconciling.status is ConditionStatus.TRUE:
        since = reconciling.last_transition_time
    elif not conditions:
        since = node_pool.metadata.created
    # A time in the future means that the clock was set back: check again after five minutes.
    return min(STALLED_AFTER - (now - since), STALLED_AFTER)


def _out_of_reach(observed: LiveObserved, now: datetime) -> LiveVerdict:
    """The last conditions stay for a while, then ObservationStale replaces them."""
    status, left = observed.node_pool.status, _until_stale(observed)
    if left > timedelta():
        if not status.conditions:
            # No conditions yet: observedGeneration -1 reads as "in progress".
            return LiveVerdict(status, left)
        said = say_as_last(status.conditions)
        if said is not None:
            return LiveVerdict(_build(observed, said, now), left)
    words = f"{_why_unreadable(observed)}; the counts are from the last successful poll; retries automatically"
    said = {
        ConditionType.RECONCILING: Said(status=ConditionStatus.TRUE, reason=Reason.OBSERVATION_STALE, message=words),
        ConditionType.READY: Said(status=ConditionStatus.UNKNOWN, reason=Reason.OBSERVATION_STALE, message=words),
        ConditionType.NODES_HEALTHY: _unobserved(Reason.OBSERVATION_STALE, words),
    }
    return LiveVerdict(_build(observed, said, now))


def _why_unreadable(observed: LiveObserved) -> str:
    if observed.failure is not None:
        return str(observed.failure).rstrip(". ")
    shown = _shown(observed)
    if shown is None or shown.counts is not None:
        return "no poll of the resource pool has finished recently"
    return f"ModelArts returned unreadable counts for node pool {shown.name} ({shown.problem or 'no numbers'})"


def _unobserved(reason: Reason, message: str) -> Said:
    return Said(status=ConditionStatus.UNKNOWN, reason=reason, message=message)


def _build(observed: LiveObserved, said: dict[ConditionType, Said], now: datetime, **changes: object) -> NodePoolStatus:
    node_pool = observed.node_pool
    before = node_pool.status
    generation = node_pool.metadata.generation
    steady = keep_steady(said, before.conditions)
    return before.model_copy(
        update={
            **changes,
            "observed_generation": generation,
            "conditions": set_conditions(steady | say_paused(node_pool), before.conditions, generation, now),
            "last_handled_reconcile_at": observed.reconcile_at or before.last_handled_reconcile_at,
            # This object was never deleted: a record here comes from a backup and would be believed.
            "deletion": None,
        }
    )


def decide_account_status(account: Account, *, was_used: bool, failure: Failure | None, now: datetime) -> AccountStatus:
    """The whole status; equal to the account's own status if nothing has to be written.

    While ModelArts cannot be reached, the last conditions stay: such a failure says nothing about credentials.
    """
    before = account.status
    # Also after a restart: the conditions of the last process stay until this process has a result.
    is_new = not _says_nothing(failure) and (was_used or failure is not None)
    said = (None if is_new else say_as_last(before.conditions)) or _say(failure, was_used=was_used)
    generation = account.metadata.generation
    conditions = set_conditions(keep_steady(said, before.conditions), before.conditions, generation, now)
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})


def _says_nothing(failure: Failure | None) -> bool:
    return isinstance(failure, CloudError) and failure.is_transient


def _say(failure: Failure | None, *, was_used: bool) -> Mapping[ConditionType, Said]:
    if failure is not None and needs_a_person(failure):
        reason = Reason.SECRET_NOT_FOUND if isinstance(failure, SecretNotFound) else reason_of(failure)
        return _pair(ConditionType.STALLED, ConditionStatus.FALSE, reason, str(failure))
    if _says_nothing(failure):
        words = "ModelArts cannot be reached, so the credentials are not verified; retries automatically"
        return _pair(ConditionType.RECONCILING, ConditionStatus.UNKNOWN, Reason.NOT_YET_USED, words)
    if not was_used:
        words = "the credentials have not been used yet; the operator verifies them within seconds"
        return _pair(ConditionType.RECONCILING, ConditionStatus.UNKNOWN, Reason.NOT_YET_USED, words)
    # Also "not found" and a refusal: ModelArts answers so only after it accepted the credentials.
    words = "ModelArts accepted the credentials the last time they were used"
    return {
        ConditionType.READY: Said(status=ConditionStatus.TRUE, reason=Reason.CREDENTIALS_VALID, message=words),
    }


def _pair(kind: ConditionType, ready: ConditionStatus, reason: Reason, words: str) -> dict[ConditionType, Said]:
    return {
        kind: Said(status=ConditionStatus.TRUE, reason=reason, message=words),
        ConditionType.READY: Said(status=ready, reason=reason, message=words),
    }
