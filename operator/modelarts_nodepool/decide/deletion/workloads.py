"""The guard of running jobs: they hold the deletion of their nodes, unless the object or the account says otherwise.

ModelArts does not promise to refuse the DELETE of a node pool in use. list_workloads names the jobs of the resource
pool; the nodes that `billing` fetched say which of them run here. Called by decide/deletion/table.py; the decisions
are explained in docs/decisions/0028-running-jobs.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from modelarts_nodepool.api.account import RunningWorkloads
from modelarts_nodepool.api.annotations import ineffective_override
from modelarts_nodepool.api.node_pool import Counts
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.absence import Missing, weigh_failure
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look
from modelarts_nodepool.decide.deletion.in_flight import shown_counts
from modelarts_nodepool.decide.failures import hold_for, needs_a_person
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact, Failure
from modelarts_nodepool.errors import (
    Conflict,
    MalformedAnswer,
    NotFound,
    PermissionDenied,
    RefusedByModelArts,
    WrongEndpoint,
)
from modelarts_nodepool.logs import clean_name
from modelarts_nodepool.ports import CloudNode, CloudWorkload, Moment

# A hold asks for the jobs every minute; once it has asked for ten minutes, every five.
ASKED_OFTEN = timedelta(minutes=1)
ASKED_SELDOM = timedelta(minutes=5)
OFTEN_FOR = timedelta(minutes=10)
# A request that fails for a passing cause is repeated for so long; then the nodes' own figures decide. The hold is
# visible after five minutes, and the alert DeletionBlocked comes after fifteen. An unreadable answer is repeated, too:
# a body can be cut once, and a list can change while its pages are read.
RETRIED_FOR = timedelta(minutes=10)
UNREADABLE_FOR = timedelta(seconds=20)

_OVER = frozenset({"completed", "terminated", "failed"})
_WAITING = frozenset({"queue", "pending"})
_ON_NODES = frozenset({"creating", "running", "abnormal", "terminating"})
_NAMED_JOBS = 5
_NAMED_NODES = 5
_LONGEST_NAME = 64
_LONGEST_WORD = 20


def may_run(workload: CloudWorkload) -> bool:
    """Whether the job may be on nodes: neither over nor waiting. A status that this version does not know may be."""
    return _status(workload) not in _OVER | _WAITING


def is_wanted(observed: DeletionObserved) -> bool:
    """Whether the jobs matter: the account does not ignore them, and the object does not override them."""
    return (
        observed.account is not None
        and observed.account.account.spec.running_workloads is RunningWorkloads.HOLD
        and Reason.WORKLOADS_RUNNING not in observed.node_pool.overrides
    )


def fetched_with_nodes(observed: DeletionObserved) -> frozenset[Fact]:
    """What to fetch beside the nodes, the first time and after reconcile-at: in a row they would delay the DELETE."""
    counts, asked = shown_counts(observed) or Counts(), observed.reconcile_requested
    if observed.workloads is None:
        is_needed = observed.nodes is None and counts.total > 0
    else:
        is_needed = asked is not None and observed.workloads.begun < asked
    return frozenset({Fact.WORKLOADS}) if is_needed and is_wanted(observed) else frozenset()


def workloads(observed: DeletionObserved, moment: Moment) -> Decision | None:
    """Hold while jobs run on the nodes; fetch the jobs if they are missing, or hold and are old.

    An old list without jobs passes here: the last guard fetches it again together with all else that is old.
    """
    evidence = observed.workloads
    if not is_wanted(observed) or not _nodes_of(observed):
        return None
    if evidence is None:
        return Look(frozenset({Fact.WORKLOADS}))
    if evidence.value is not None:
        words = _describe_jobs(observed, evidence.value)
    elif is_unavailable(evidence, moment):
        words = _describe_use(observed, evidence.failure)
    else:
        return _failed(observed, evidence, moment)
    if not words:
        return None
    asked_every = _asked_every(evidence, moment)
    if not observed.is_usable(evidence, moment, asked_every):
        return Look(frozenset({Fact.WORKLOADS}))
    node_pool = observed.node_pool
    words = (
        f"{words}; continues automatically when no job runs there; to delete the node pool now and end its jobs"
        f"{ineffective_override(node_pool, Reason.WORKLOADS_RUNNING)}: "
        f"{remedies.override(node_pool, Reason.WORKLOADS_RUNNING)}; {remedies.way_out(node_pool)}"
    )
    return Hold(Reason.WORKLOADS_RUNNING, words, asked_every - moment.age_of(evidence.begun))


def is_unavailable(evidence: Evidence[object], moment: Moment) -> bool:
    """Whether the list cannot be had, so that the nodes' own figures decide. False if it was answered.

    At once for an answer that a repetition does not change; later for a passing cause; never for rejected credentials,
    without which no DELETE is possible either.
    """
    failure = evidence.failure
    if evidence.value is not None:
        return False
    if isinstance(failure, PermissionDenied | NotFound | WrongEndpoint) or _is_refused(failure):
        return True
    if failure is not None and needs_a_person(failure):
        return False
    if isinstance(failure, MalformedAnswer):
        since = evidence.begun if evidence.unreadable_since is None else evidence.unreadable_since
        if moment.age_of(since) >= UNREADABLE_FOR:
            return True
    return _run_of(evidence, moment) >= RETRIED_FOR


def _retried_for(failure: Failure | None) -> timedelta:
    return UNREADABLE_FOR if isinstance(failure, MalformedAnswer) else RETRIED_FOR


def why_unavailable(failure: Failure | None) -> str:
    """Why the jobs cannot be listed. Without times and request ids, so that a status stays as it is."""
    if isinstance(failure, PermissionDenied):
        return "ModelArts denies list_workloads (permission modelarts:pool:get)"
    if isinstance(failure, NotFound | WrongEndpoint):
        return "ModelArts does not offer list_workloads for it"
    if isinstance(failure, MalformedAnswer):
        return "the answer to list_workloads is unreadable"
    if _is_refused(failure):
        return "ModelArts refuses list_workloads"
    return f"list_workloads has failed for {int(RETRIED_FOR.total_seconds()) // 60} minutes"


def _is_refused(failure: Failure | None) -> bool:
    return isinstance(failure, RefusedByModelArts) and not isinstance(failure, Conflict)


def _run_of(evidence: Evidence[object], moment: Moment) -> timedelta:
    """For how long list_workloads has been answered, or has failed."""
    return moment.age_of(evidence.begun if evidence.since is None else evidence.since)


def _asked_every(evidence: Evidence[object], moment: Moment) -> timedelta:
    return ASKED_OFTEN if _run_of(evidence, moment) < OFTEN_FOR else ASKED_SELDOM


def _failed(observed: DeletionObserved, evidence: Evidence[object], moment: Moment) -> Decision:
    weighed = weigh_failure(evidence, Fact.WORKLOADS, moment)
    if isinstance(weighed, Missing) or not observed.is_usable(evidence, moment, ASKED_SELDOM):
        return Look(frozenset({Fact.WORKLOADS}))
    node_pool = observed.node_pool
    what = "whether jobs run on the nodes is unknown (list_workloads could not be read)"
    also = (
        f"{_continues(weighed.failure)}to delete the node pool now and end any jobs on it"
        f"{ineffective_override(node_pool, Reason.WORKLOADS_RUNNING)}: "
        f"{remedies.override(node_pool, Reason.WORKLOADS_RUNNING)}"
    )
    return hold_for(node_pool, weighed.failure, what, weighed.retry_after, also=also)


def _continues(failure: Failure) -> str:
    """When the deletion goes on without the list. A person who reads of a hold must not be surprised by the DELETE."""
    if needs_a_person(failure):
        return ""
    seconds = int(_retried_for(failure).total_seconds())
    time = f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"  # noqa: PLR2004 - a minute
    return f"if list_workloads fails for {time}, the deletion continues unless nodes show accelerators in use; "


# The jobs.


@dataclass(frozen=True, slots=True)
class _Job:
    """A job that holds. `nodes`: on how many of the node pool's nodes; 0 if ModelArts does not name them."""

    workload: CloudWorkload
    nodes: int

    @property
    def order(self) -> tuple[int, str, str, str]:
        """The largest first; the same jobs always in the same order."""
        return -self.nodes, self.workload.kind, self.workload.name, self.workload.uid


def _describe_jobs(observed: DeletionObserved, listed: Iterable[CloudWorkload]) -> str:
    nodes = _nodes_of(observed)
    jobs = sorted(_find_jobs(listed, nodes), key=lambda job: job.order)
    if not jobs:
        return ""
    named = ", ".join(_describe_job(job) for job in jobs[:_NAMED_JOBS])
    more = f", and {len(jobs) - _NAMED_JOBS} more" if len(jobs) > _NAMED_JOBS else ""
    verb = "1 job runs" if len(jobs) == 1 else f"{len(jobs)} jobs run"
    has_unplaced = any(job.nodes == 0 for job in jobs)
    where = "on nodes, or may run on nodes," if has_unplaced else "on nodes"
    return f"{verb} {where} of node pool {observed.node_pool_name}: {named}{more}"


def _nodes_of(observed: DeletionObserved) -> Sequence[CloudNode]:
    nodes = (observed.nodes.value if observed.nodes else None) or ()
    counts = shown_counts(observed) or Counts()
    if not nodes and counts.available + counts.abnormal > 0:
        # Counted and not listed: a job may be on any of them.
        return (CloudNode("", None),)
    return nodes


def _find_jobs(listed: Iterable[CloudWorkload], nodes: Sequence[CloudNode]) -> list[_Job]:
    """The jobs that hold, each once."""
    by_ip: dict[str, list[CloudNode]] = {}
    for node in nodes:
        if node.host_ip:
            by_ip.setdefault(node.host_ip, []).append(node)
    merged: dict[object, CloudWorkload] = {}
    for number, workload in enumerate(listed):
        if may_run(workload):
            key = workload.uid or number
            merged[key] = _merge(merged[key], workload) if key in merged else workload
    found = (_find_job(workload, nodes, by_ip) for workload in merged.values())
    return [job for job in found if job is not None]


def _merge(first: CloudWorkload, again: CloudWorkload) -> CloudWorkload:
    """A job that the list shows twice, because it changed between two pages."""
    is_known = _status(first) in _ON_NODES
    return replace(first if is_known else again, host_ips=first.host_ips | again.host_ips)


def _find_job(workload: CloudWorkload, nodes: Sequence[CloudNode], by_ip: dict[str, list[CloudNode]]) -> _Job | None:
    is_known = _status(workload) in _ON_NODES
    here = [node for ip in workload.host_ips & by_ip.keys() for node in by_ip[ip]]
    if here:
        # Of an unknown status it is not known whether the job is over: nodes that are not in use say so.
        holds = is_known or any(node.is_in_use is not False for node in here)
        return _Job(workload, len({node.name for node in here})) if holds else None
    places = (node for node in nodes if not (workload.host_ips and node.host_ip))
    holds = any(_may_be_place(node) if is_known else node.is_in_use is True for node in places)
    return _Job(workload, 0) if holds else None


def _may_be_place(node: CloudNode) -> bool:
    """Whether a job may be on this node where ModelArts does not report the address of one or the other."""
    if node.is_in_use is not None:
        return node.is_in_use
    # A node that has neither an address nor the phase Available is not there yet, or broken.
    return bool(node.host_ip) or node.phase in {"", "Available"}


def _describe_job(job: _Job) -> str:
    workload = job.workload
    kind, name = clean_name(workload.kind, _LONGEST_WORD) or "job", clean_name(workload.name, _LONGEST_NAME)
    if not name:
        name = clean_name(workload.uid, _LONGEST_NAME) or "without a name"
    about = [] if _status(workload) == "running" else [clean_name(workload.status, _LONGEST_WORD) or "without a status"]
    if workload.running is not None:
        about.append(f"for {_round(workload.running)}")
    nodes = "1 node" if job.nodes == 1 else f"{job.nodes} nodes"
    about.append(f"on {nodes}" if job.nodes else "nodes not known")
    return f"{kind} {name} ({', '.join(about)})"


def _round(running: timedelta) -> str:
    """Coarse, because each change of the message is a write: ten minutes, hours, days."""
    minutes = int(running.total_seconds()) // 60
    if minutes < 10:  # noqa: PLR2004 - what the words say
        return "less than 10 min"
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes // 10 * 10} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 24 else f"{hours // 24} d"  # noqa: PLR2004 - a day


def _status(workload: CloudWorkload) -> str:
    return workload.status.strip().casefold()


# Without the list.


def _describe_use(observed: DeletionObserved, failure: Failure | None) -> str:
    names = sorted(node.name for node in _nodes_of(observed) if node.is_in_use)
    if not names:
        return ""
    more = f" and {len(names) - _NAMED_NODES} more" if len(names) > _NAMED_NODES else ""
    named = ", ".join(clean_name(name, _LONGEST_NAME) for name in names[:_NAMED_NODES])
    what = f"node {named} shows" if len(names) == 1 else f"nodes {named}{more} show"
    return (
        f"{what} accelerators in use; the jobs cannot be named, because {why_unavailable(failure)} (resource pool "
        f"{observed.node_pool.spec.pool_name})"
    )
