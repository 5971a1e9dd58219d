"""WorkloadsRunning: which jobs hold a deletion, what the message says, when it is asked again, and without the list."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from modelarts_nodepool import errors
from modelarts_nodepool.api.account import RunningWorkloads
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.decision import Decision, Hold, Look, Send
from modelarts_nodepool.decide.deletion.table import decide_deletion
from modelarts_nodepool.decide.deletion.workloads import may_run
from modelarts_nodepool.decide.observed import DeletionObserved, Evidence, Fact
from modelarts_nodepool.ports import CloudNode, CloudWorkload, Moment
from tests.support.builders import a_cloud_node_pool, a_listing, an_account
from tests.unit.decide import arbitrary
from tests.unit.decide.arbitrary import JOB_STATUSES, deletions, thorough, usual
from tests.unit.decide.oracles import may_send
from tests.unit.decide.situations import (
    MONOTONIC,
    NOW,
    SECOND,
    a_deleted_object,
    a_deletion,
    a_job,
    failed,
    jobs,
    listed,
    looked,
    nodes,
)

A, B = CloudNode("node-1", None, host_ip="10.0.0.1"), CloudNode("node-2", None, host_ip="10.0.0.2")
HERE, ELSEWHERE = "10.0.0.1", "10.9.9.9"
IDLE, BUSY = replace(A, is_in_use=False), replace(A, is_in_use=True)
NO_IP = CloudNode("node-3", None, phase="Available")
ENDED = ("Completed", "Terminated", "Failed")
LIST_WORKLOADS = Look(frozenset({Fact.WORKLOADS}))


def decide(*shown: CloudWorkload, on: tuple[CloudNode, ...] = (A, B)) -> Decision:
    return decide_deletion(a_deletion(nodes=nodes(*on), workloads=jobs(*shown)), NOW)


def message(*shown: CloudWorkload, on: tuple[CloudNode, ...] = (A, B)) -> str:
    decision = decide(*shown, on=on)
    assert isinstance(decision, Hold), decision
    assert decision.reason is Reason.WORKLOADS_RUNNING
    return decision.message.partition("; continues automatically when no job runs there; ")[0]


@pytest.mark.parametrize(
    ("status", "holds"),
    [
        *((status, status in {"Creating", "Running", "Abnormal", "Terminating"}) for status in JOB_STATUSES),
        ("running", True),
        (" RUNNING ", True),
        ("completed", False),
        ("FAILED", False),
        ("Preempted", True),
        ("", True),
    ],
)
def test_a_job_on_a_node_holds_by_its_status(status: str, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    job = a_job("llama", HERE, status=status)
    assert isinstance(decide(job), Hold if holds else Send)
    assert may_run(job) is holds


@pytest.mark.parametrize(
    ("job", "on", "holds"),
    [
        (a_job("j", HERE), (A, B), True),
        (a_job("j", HERE, ELSEWHERE), (A, B), True),
        (a_job("j", ELSEWHERE), (A, B), False),
        # The figures of a node are minutes old at times: a job that names the node counts.
        *(
            (a_job("j", HERE, status=status), (IDLE,), True)
            for status in ("Creating", "Running", "Abnormal", "Terminating")
        ),
        # ModelArts does not tell where the job runs.
        (a_job("j"), (IDLE,), False),
        (a_job("j"), (BUSY,), True),
        (a_job("j"), (A,), True),
        (a_job("j"), (IDLE, B), True),
        (a_job("j"), (replace(A, host_ip="", phase="Creating"),), False),
        # ModelArts does not tell the address of a node.
        (a_job("j", ELSEWHERE), (A, NO_IP), True),
        (a_job("j", ELSEWHERE), (A, replace(NO_IP, phase="")), True),
        (a_job("j", ELSEWHERE), (A, replace(NO_IP, is_in_use=False)), False),
        (a_job("j", ELSEWHERE), (A, replace(NO_IP, phase="Creating")), False),
        (a_job("j", ELSEWHERE), (A, replace(NO_IP, phase="Abnormal")), False),
        (a_job("j", ELSEWHERE), (A, replace(NO_IP, phase="Abnormal", is_in_use=True)), True),
        (a_job("j", ELSEWHERE), (BUSY, B), False),
        # A status that this version does not know: the nodes say whether the job is over.
        (a_job("j", HERE, status="Preempted"), (IDLE, B), False),
        (a_job("j", HERE, status="Preempted"), (BUSY, B), True),
        (a_job("j", HERE, status="Preempted"), (A, B), True),
        (a_job("j", HERE, "10.0.0.2", status="Preempted"), (IDLE, B), True),
        (a_job("j", status="Preempted"), (A, B), False),
        (a_job("j", status="Preempted"), (BUSY, B), True),
        (a_job("j", ELSEWHERE, status="Preempted"), (A, NO_IP), False),
    ],
)
def test_the_place_of_a_job_decides(job: CloudWorkload, on: tuple[CloudNode, ...], holds: bool) -> None:  # noqa: FBT001
    assert isinstance(decide(job, on=on), Hold if holds else Send)


def test_accelerators_in_use_without_a_job_do_not_hold_where_the_jobs_are_listed() -> None:
    assert decide(on=(BUSY,)) == Send()
    assert decide(a_job("j", HERE, status="Completed"), on=(BUSY,)) == Send()


def test_nodes_that_are_counted_and_not_listed_may_run_any_job() -> None:
    overriding = a_deleted_object().overriding(Reason.BILLING_UNKNOWN)
    observed = a_deletion(overriding, nodes=nodes(), workloads=jobs(a_job("j", ELSEWHERE)))
    assert isinstance(decide_deletion(observed, NOW), Hold)
    assert decide_deletion(replace(observed, workloads=jobs()), NOW) == Send()


def test_without_nodes_no_jobs_are_asked_for() -> None:
    assert decide_deletion(a_deletion(nodes=nodes(), listing=listed(creating=2), workloads=None), NOW) == Send()


def test_the_jobs_are_fetched_beside_the_first_list_of_nodes_and_alone_later() -> None:
    both = frozenset({Fact.NODES, Fact.WORKLOADS})
    assert decide_deletion(a_deletion(nodes=None, workloads=None), NOW) == Look(both)
    assert decide_deletion(a_deletion(nodes=None, workloads=None, listing=listed()), NOW) == Look(
        both - {Fact.WORKLOADS}
    )
    assert decide_deletion(a_deletion(nodes=nodes(A, ago=301), workloads=None), NOW) == Look(frozenset({Fact.NODES}))
    assert decide_deletion(a_deletion(workloads=None), NOW) == LIST_WORKLOADS


def test_an_account_that_ignores_jobs_and_an_override_ask_for_none() -> None:
    account = an_account().ignoring_jobs()
    overriding = a_deleted_object().overriding(Reason.WORKLOADS_RUNNING)
    for bare in (
        {"nodes": None, "workloads": None},
        {"workloads": None},
        {"workloads": jobs(a_job("j", HERE), ago=90)},
    ):
        ignoring = a_deletion(**bare)
        for observed in (
            replace(ignoring, account=account.seen_by(ignoring.node_pool)),
            a_deletion(overriding, **bare),
        ):
            decision = decide_deletion(observed, NOW)
            assert isinstance(decision, Send | Look)
            assert decision in {Send(), Look(frozenset({Fact.NODES}))}


@pytest.mark.parametrize("given", ["Hold", "hold", "ignore", "", None, 1, True])
def test_every_value_but_ignore_holds(given: object) -> None:
    account = an_account().ignoring_jobs().build()
    assert account.spec.running_workloads is RunningWorkloads.IGNORE
    bypassed = type(account.spec).model_validate(account.spec.to_wire() | {"runningWorkloads": given})
    assert bypassed.running_workloads is RunningWorkloads.HOLD


# Words.


def test_the_message_names_five_jobs_and_counts_the_others() -> None:
    shown = [a_job(f"job-{number}", HERE) for number in range(7)]
    words = message(*shown, replace(a_job("big", HERE, "10.0.0.2"), kind="infer"))
    assert words == (
        "8 jobs run on nodes of node pool training-a: infer big (for 3 d, on 2 nodes), train job-0 (for 3 d, on 1 "
        "node), train job-1 (for 3 d, on 1 node), train job-2 (for 3 d, on 1 node), train job-3 (for 3 d, on 1 node), "
        "and 3 more"
    )
    assert message(*reversed(shown)) == message(*shown)
    assert "job-4 (for 3 d, on 1 node)" in message(*shown[:5])
    assert "more" not in message(*shown[:5])


def test_a_job_that_is_listed_twice_counts_once() -> None:
    again = a_job("llama", "10.0.0.2", status="Strange")
    assert message(a_job("llama", HERE), again).endswith(
        "1 job runs on nodes of node pool training-a: train llama (for 3 d, on 2 nodes)"
    )
    assert message(again, a_job("llama", HERE)).endswith("train llama (for 3 d, on 2 nodes)")
    without = replace(a_job("llama", HERE), uid="")
    assert message(without, without).startswith("2 jobs run")
    # Running on one page and completed on the next: asked again a minute later.
    assert message(a_job("llama", HERE), a_job("llama", HERE, status="Completed")).startswith("1 job runs")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (a_job("j", HERE, status="Terminating"), "train j (Terminating, for 3 d, on 1 node)"),
        (a_job("j", HERE, status="Creating", running=None), "train j (Creating, on 1 node)"),
        (a_job("j", HERE, status=""), "train j (without a status, for 3 d, on 1 node)"),
        (a_job("j", HERE, kind=""), "job j (for"),
        (a_job("", HERE), "train uid-of- (for"),
        (a_job("", HERE, uid=""), "train without a name (for"),
        (a_job("a\nb\x1b[2J", HERE), "train a b [2J (for"),
        (a_job("n" * 500, HERE), f"train {'n' * 63}… (for"),
        (a_job("password=hunter22", HERE), "train password=*** (for"),
    ],
)
def test_what_the_cloud_calls_a_job_is_cleaned_and_cut(job: CloudWorkload, words: str) -> None:
    assert words in message(job)


def test_a_job_whose_nodes_are_not_known_is_marked() -> None:
    words = message(a_job("j"), a_job("k", HERE))
    assert words == (
        "2 jobs run on nodes, or may run on nodes, of node pool training-a: train k (for 3 d, on 1 node), train j (for "
        "3 d, nodes not known)"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "less than 10 min"),
        (599, "less than 10 min"),
        (600, "10 min"),
        (3599, "50 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (86_400, "1 d"),
        (86_400 * 21 + 7, "21 d"),
    ],
)
def test_how_long_is_rounded_so_that_few_looks_write_a_status(seconds: int, words: str) -> None:
    assert f"train j (for {words}, on 1 node)" in message(a_job("j", HERE, running=timedelta(seconds=seconds)))


# When it is asked again.


@pytest.mark.parametrize(("since", "lasts"), [(None, 60), (599, 60), (600, 300), (10**6, 300)])
def test_a_hold_asks_every_minute_and_after_ten_minutes_every_five(since: float | None, lasts: float) -> None:
    def after(ago: float) -> Decision:
        long = since if since is None or since < 600 else since + ago
        return decide_deletion(a_deletion(workloads=jobs(a_job("j", HERE), ago=ago, since=long)), NOW)

    young = after(1)
    assert isinstance(young, Hold)
    assert young.retry_after == timedelta(seconds=lasts - 1)
    assert isinstance(after(lasts - 0.1), Hold)
    assert after(lasts) == LIST_WORKLOADS


def test_a_list_that_lets_the_delete_pass_is_younger_than_a_minute() -> None:
    for since in (None, 10_000):
        assert decide_deletion(a_deletion(workloads=jobs(ago=59.9, since=since)), NOW) == Send()
        assert decide_deletion(a_deletion(workloads=jobs(ago=60, since=since)), NOW) == LIST_WORKLOADS


def test_a_list_from_before_the_deletion_or_before_reconcile_at_does_not_count() -> None:
    for workloads in (jobs(), jobs(a_job("j", HERE)), failed(errors.NotFound("404"))):
        passed = a_deletion(workloads=workloads, deletion_seen=MONOTONIC - 1)
        assert isinstance(decide_deletion(passed, NOW), Send | Hold)
        renewed = {
            "listing": listed(0.5, available=2),
            "nodes": nodes(A, ago=0.5),
            "resource_pool": passed.resource_pool,
        }
        asked = replace(passed, reconcile_requested=MONOTONIC - 1)
        assert isinstance(decide_deletion(asked, NOW), Send | Hold)
        renewed["resource_pool"] = replace(passed.resource_pool, begun=MONOTONIC - 0.5)  # type: ignore[type-var]
        asked = replace(passed, reconcile_requested=MONOTONIC - 0.9, **renewed)  # type: ignore[arg-type]
        assert decide_deletion(asked, NOW) == LIST_WORKLOADS


def test_a_hold_reads_neither_nodes_nor_billing_every_minute() -> None:
    """They are five minutes old at most, and read again before the DELETE."""
    old = {"nodes": nodes(A, ago=200), "resource_pool": replace(a_deletion().resource_pool, begun=MONOTONIC - 200)}  # type: ignore[type-var]
    assert isinstance(decide_deletion(a_deletion(**old, workloads=jobs(a_job("j", HERE))), NOW), Hold)
    assert decide_deletion(a_deletion(**old), NOW) == Look(frozenset({Fact.NODES, Fact.RESOURCE_POOL}))


# Without the list.

LASTING = [
    errors.PermissionDenied("403"),
    errors.NotFound("404"),
    errors.ResourcePoolNotFound("404"),
    errors.WrongEndpoint("APIG.0101"),
    errors.RefusedByModelArts("400"),
]
PASSING = [
    errors.ServerFailure("503"),
    errors.NoAnswer("timeout"),
    errors.CircuitOpen("open"),
    errors.Throttled("429"),
    errors.Unreachable("refused"),
    errors.Conflict("409"),
    errors.CloudError("?"),
]
FOR_PEOPLE = [errors.CredentialsRejected("401"), errors.ClockSkew("401"), errors.CredentialsUnavailable("no Secret")]


def without_list(failure: errors.OperatorError, *on: CloudNode, ago: float = 1, since: float | None = None) -> Decision:
    evidence: Evidence[tuple[CloudWorkload, ...]] = failed(failure, ago)  # type: ignore[arg-type]
    begun = None if since is None else MONOTONIC - since
    evidence = replace(evidence, since=begun, unreadable_since=begun)
    return decide_deletion(a_deletion(nodes=nodes(*on), workloads=evidence), NOW)


@pytest.mark.parametrize("failure", LASTING, ids=lambda failure: type(failure).__name__)
def test_without_the_list_the_nodes_own_figures_decide(failure: errors.CloudError) -> None:
    assert without_list(failure, A, IDLE) == Send()
    busy = [replace(BUSY, name=f"n{number}") for number in range(7)]
    decision = without_list(failure, *busy, IDLE)
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.WORKLOADS_RUNNING
    assert decision.message.startswith(
        "nodes n0, n1, n2, n3, n4 and 2 more show accelerators in use; the jobs cannot be"
    )
    assert decision.retry_after == 59 * SECOND
    assert str(failure) not in decision.message.replace("403", "")


@pytest.mark.parametrize("failure", PASSING, ids=lambda failure: type(failure).__name__)
def test_a_passing_failure_is_repeated_for_ten_minutes_first(failure: errors.CloudError) -> None:
    for on in (A, BUSY):
        decision = without_list(failure, on, since=599)
        assert isinstance(decision, Hold)
        assert decision.reason is Reason.CLOUD_UNAVAILABLE
        assert decision.is_transient
        assert decision.retry_after == 9 * SECOND
        assert "whether jobs run on the nodes is unknown" in decision.message
        assert "override=WorkloadsRunning@" in decision.message
        assert "if list_workloads fails for 10 min, the deletion continues unless" in decision.message
        assert without_list(failure, on, ago=10, since=599) == LIST_WORKLOADS
    assert without_list(failure, A, since=600) == Send()
    decision = without_list(failure, BUSY, since=600)
    assert isinstance(decision, Hold)
    assert "because list_workloads has failed for 10 minutes" in decision.message
    assert decision.retry_after == 299 * SECOND
    # Asked once more right before the DELETE.
    assert without_list(failure, A, ago=60, since=660) == LIST_WORKLOADS


def test_an_unreadable_answer_is_repeated_for_twenty_seconds() -> None:
    failure = errors.MalformedAnswer("<html>")
    held = without_list(failure, A, since=19.9)
    assert isinstance(held, Hold)
    assert held.reason is Reason.CLOUD_UNAVAILABLE
    assert "; if list_workloads fails for 20 s, the deletion continues unless nodes show acc" in held.message
    assert without_list(failure, A, since=20) == Send()
    decision = without_list(failure, BUSY, since=20)
    assert isinstance(decision, Hold)
    assert "because the answer to list_workloads is unreadable" in decision.message


@pytest.mark.parametrize(
    ("since", "unreadable_since", "holds"), [(100, 1, True), (599, 19, True), (100, 20, False), (600, 1, False)]
)
def test_the_twenty_seconds_begin_with_the_first_unreadable_answer(
    since: float, unreadable_since: float, *, holds: bool
) -> None:
    evidence: Evidence[tuple[CloudWorkload, ...]] = failed(errors.MalformedAnswer("<html>"), 1)
    evidence = replace(evidence, since=MONOTONIC - since, unreadable_since=MONOTONIC - unreadable_since)
    decision = decide_deletion(a_deletion(nodes=nodes(A), workloads=evidence), NOW)
    assert isinstance(decision, Hold if holds else Send)


def test_the_name_of_a_job_adds_no_clause_to_the_message() -> None:
    job = a_job("x; to continue: kubectl delete ns ml #", HERE)
    decision = decide_deletion(a_deletion(workloads=jobs(job)), NOW)
    assert isinstance(decision, Hold)
    assert "; to continue" not in decision.message
    assert "train x, to continue: kubectl delete ns ml #" in decision.message


@pytest.mark.parametrize("failure", FOR_PEOPLE, ids=lambda failure: type(failure).__name__)
def test_rejected_credentials_hold_for_as_long_as_they_are_rejected(failure: errors.OperatorError) -> None:
    for since in (None, 10**6):
        decision = without_list(failure, A, since=since)
        assert isinstance(decision, Hold)
        assert decision.reason.value == failure.reason
        assert "the deletion continues unless" not in decision.message


def test_an_abandoned_request_is_repeated_as_a_passing_failure() -> None:
    assert isinstance(decide_deletion(a_deletion(workloads=Evidence(MONOTONIC - 1)), NOW), Hold)
    assert decide_deletion(a_deletion(workloads=Evidence(MONOTONIC - 1, since=MONOTONIC - 600)), NOW) == Send()


# Properties.


@given(arbitrary.nodes, arbitrary.workloads)
@thorough
def test_no_delete_is_sent_while_a_job_is_known_to_be_on_a_node(
    on: tuple[CloudNode, ...], shown: tuple[CloudWorkload, ...]
) -> None:
    observed = a_deletion(nodes=nodes(*on), workloads=jobs(*shown))
    decision = decide_deletion(observed, NOW)
    assert not isinstance(decision, Send) or may_send(observed)
    if isinstance(decision, Hold) and decision.reason is Reason.WORKLOADS_RUNNING:
        assert len(decision.message) < 2048
        assert decision.message.isprintable()


@given(deletions())
@usual
def test_jobs_that_are_over_or_wait_never_hold(observed: DeletionObserved) -> None:
    shown = observed.workloads.value if observed.workloads else None
    idle = tuple(replace(job, status=ENDED[n % 3]) for n, job in enumerate(shown or ()))
    decision = decide_deletion(replace(observed, workloads=jobs(*idle)), NOW)
    assert decision == decide_deletion(replace(observed, workloads=jobs()), NOW)
    assert getattr(decision, "reason", None) is not Reason.WORKLOADS_RUNNING


@given(deletions())
@usual
def test_an_ignoring_account_never_asks_and_never_holds(observed: DeletionObserved) -> None:
    if observed.account is None:
        return
    view = observed.account
    spec = view.account.spec.model_copy(update={"running_workloads": RunningWorkloads.IGNORE})
    ignoring = replace(observed, account=replace(view, account=replace(view.account, spec=spec)))
    decision = decide_deletion(ignoring, NOW)
    assert not isinstance(decision, Look) or Fact.WORKLOADS not in decision.facts
    assert getattr(decision, "reason", None) is not Reason.WORKLOADS_RUNNING


@given(deletions())
@usual
def test_time_alone_does_not_change_the_words_of_a_hold(observed: DeletionObserved) -> None:
    decision = decide_deletion(observed, NOW)
    later = decide_deletion(observed, Moment(NOW.utc + SECOND / 100, NOW.monotonic + 0.01))
    if isinstance(decision, Hold) and decision.reason is Reason.WORKLOADS_RUNNING and isinstance(later, Hold):
        assert later.message == decision.message


def test_ten_thousand_jobs_are_joined_in_a_moment() -> None:
    many = [a_job(f"job-{number:05}", f"10.{number // 250}.{number % 250}.9") for number in range(10_000)]
    on = [CloudNode(f"n{number}", None, host_ip=f"10.0.{number}.9") for number in range(200)]
    assert message(*many, on=tuple(on)).startswith("200 jobs run on nodes of node pool training-a: train job-00000")
    alone = a_listing(a_cloud_node_pool(available=2))
    assert isinstance(decide_deletion(a_deletion(listing=looked(alone), workloads=jobs(*many)), NOW), Hold)
