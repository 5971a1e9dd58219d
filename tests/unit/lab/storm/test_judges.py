from dataclasses import replace
from typing import Any

import pytest

from lab.harness.simulator import Call, State
from lab.storm.cases import Case
from lab.storm.evidence import Evidence, Snapshot, Write
from lab.storm.journal import Journal
from lab.storm.judges import judge_ending, judge_releasing, judge_sending, judge_tidiness
from lab.storm.on_call import needs_a_person
from lab.storm.report import timeline
from lab.storm.world import ACCOUNTS, ObjectPlan, Plan
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER

PLAIN = ObjectPlan("plain-00", "ml", Case.PLAIN, "rp-a", "np-00")
LIVING = ObjectPlan("living-00", "ml", Case.LIVING, "rp-a", "living-00")
KEPT = ObjectPlan("retained-00", "ml", Case.RETAINED, "rp-a", "retained-00")
LATER = ObjectPlan("retained-later-00", "ml", Case.RETAINED_LATER, "rp-a", "later")
PREPAID = ObjectPlan("prepaid-00", "ml", Case.PREPAID, "rp-a", "prepaid-00")
TWINS = tuple(ObjectPlan(f"twin-0{number}", "ml", Case.TWIN, "rp-a", "twin") for number in (0, 1))
NODES = {"creating": 0, "available": 2, "abnormal": 0, "deleting": 0}
ACCOUNT_BODIES: dict[str, Any] = {
    account.name: {
        "metadata": {"name": account.name},
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "CredentialsValid", "message": ""}]},
    }
    for account in ACCOUNTS
}


def a_call(number: int, time: float, node_pool: str = "np-00", **keys: Any) -> Call:  # noqa: ANN401
    call = Call(number, time, "delete_node_pool", "rp-a", node_pool, 200, "accepted", request_id="request")
    return replace(call, **keys)


def a_storm(*objects: ObjectPlan, **keys: Any) -> Evidence:  # noqa: ANN401
    timings = {"acceptDelaySeconds": 0, "deleteSeconds": 3}
    plan = Plan(1, 60.0, 1, objects, (), {"plain": (("AK", "0123secret"),)}, {}, timings)
    journal = Journal(began=0.0)
    journal.deletion_asked = {one.title: 100.0 for one in objects if one.case is not Case.LIVING}
    journal.uids = {one.title: f"uid-{one.name}" for one in objects}
    evidence = Evidence(plan, journal, (), (), Snapshot({}, {}, {}))
    return replace(evidence, **keys)


def a_body(*, deleted: bool = False, **conditions: tuple[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"generation": 1, "finalizers": [NODE_POOL_FINALIZER]}
        | ({"deletionTimestamp": "now"} if deleted else {}),
        "status": {
            "observedGeneration": 1,
            "counts": NODES,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": ""}
                for kind, (status, reason) in conditions.items()
            ],
        },
    }


def rules(violations: list[Any]) -> list[str]:
    return [violation.rule for violation in violations]


def test_one_accepted_delete_of_a_deleted_object_is_fine() -> None:
    assert judge_sending(a_storm(PLAIN, calls=[a_call(1, 101)])) == []


@pytest.mark.parametrize(
    ("planned", "call"),
    [
        pytest.param(LIVING, a_call(1, 101, "living-00"), id="of an object that lives"),
        pytest.param(KEPT, a_call(1, 101, "retained-00"), id="of an object with policy Retain"),
        pytest.param(PREPAID, a_call(1, 101, "prepaid-00", effect="none", status=400), id="of a prepaid node pool"),
        pytest.param(PLAIN, a_call(1, 99), id="before its deletion"),
        pytest.param(PLAIN, a_call(1, 101, "spare"), id="of a node pool without an object"),
    ],
)
def test_a_delete_that_nobody_asked_for_is_found(planned: ObjectPlan, call: Call) -> None:
    assert rules(judge_sending(a_storm(planned, calls=[call]))) == ["only what was deleted with policy Delete"]


def test_a_delete_long_after_the_policy_became_retain_is_found() -> None:
    storm = a_storm(LATER, calls=[a_call(1, 150, "later", effect="none", status=400)])
    assert judge_sending(storm) == []
    storm.journal.retained[LATER.title] = 119.0
    assert rules(judge_sending(storm)) == ["only what was deleted with policy Delete"]


def test_a_whole_resource_pool_is_never_deleted() -> None:
    call = a_call(1, 101, "", operation="delete_pool")
    assert rules(judge_sending(a_storm(PLAIN, calls=[call]))) == ["no delete_pool"]


@pytest.mark.parametrize(
    ("earlier", "later", "is_wrong"),
    [
        pytest.param(a_call(1, 101), a_call(2, 400), True, id="accepted"),
        pytest.param(a_call(1, 101, status=500, effect="none"), a_call(2, 150), True, id="unknown, lately"),
        pytest.param(a_call(1, 101, status=0, effect="none"), a_call(2, 150), True, id="no answer, lately"),
        pytest.param(a_call(1, 101, status=409, effect="none"), a_call(2, 150), True, id="conflict, lately"),
        pytest.param(a_call(1, 101, status=500, effect="none"), a_call(2, 222), False, id="unknown, two minutes ago"),
        pytest.param(a_call(1, 101, status=429, effect="none"), a_call(2, 105), False, id="throttled"),
        pytest.param(a_call(1, 101, status=401, effect="none"), a_call(2, 105), False, id="not let in"),
    ],
)
def test_a_delete_while_an_earlier_one_is_in_effect_is_found(earlier: Call, later: Call, *, is_wrong: bool) -> None:
    found = rules(judge_sending(a_storm(PLAIN, calls=[earlier, later])))
    assert found == (["no DELETE while an earlier one is in effect"] if is_wrong else [])


def test_more_deletes_than_the_budget_are_found() -> None:
    objects = tuple(ObjectPlan(f"plain-0{n}", "ml", Case.PLAIN, "rp-e", f"plain-0{n}") for n in range(5))
    calls = [a_call(n, 101 + 10 * n, f"plain-0{n}", resource_pool="rp-e") for n in range(5)]
    assert rules(judge_sending(a_storm(*objects, calls=calls))) == ["no more DELETEs than the budget"]
    calls[-1] = replace(calls[-1], time=101 + 60)
    assert judge_sending(a_storm(*objects, calls=calls)) == []


def released(planned: ObjectPlan, moment: float) -> Write:
    return Write(planned.title, moment, moment, "", 200)


def entered(*objects: ObjectPlan) -> dict[str, Any]:
    entries = [{"uid": f"uid-{one.name}", "finishedTime": "2026-01-02T03:04:05Z"} for one in objects]
    return {"plain": {"status": {"recentDeletions": entries}}}


def test_an_object_that_goes_after_its_node_pool_is_fine() -> None:
    last = Snapshot({}, entered(PLAIN), {})
    storm = a_storm(PLAIN, calls=[a_call(1, 101)], writes=[released(PLAIN, 104.5)], last=last)
    assert judge_releasing(storm) == []


@pytest.mark.parametrize(
    ("calls", "moment", "cloud"),
    [
        pytest.param([a_call(1, 101)], 103.5, {}, id="too early"),
        pytest.param([a_call(1, 101, effect="none", status=500)], 150, {}, id="never deleted"),
        pytest.param([a_call(1, 101)], 150, {PLAIN.place: NODES}, id="still there"),
    ],
)
def test_an_object_that_goes_before_its_node_pool_is_found(calls: list[Call], moment: float, cloud: State) -> None:
    storm = a_storm(PLAIN, calls=calls, writes=[released(PLAIN, moment)], last=Snapshot({}, entered(PLAIN), cloud))
    assert rules(judge_releasing(storm)) == ["no object gone while its node pool lives"]


def test_a_release_that_no_account_remembers_is_found() -> None:
    storm = a_storm(PLAIN, calls=[a_call(1, 101)], writes=[released(PLAIN, 105)], last=Snapshot({}, entered(), {}))
    assert rules(judge_releasing(storm)) == ["every release is on record"]


def test_a_delete_on_record_is_no_release_on_record() -> None:
    sent: dict[str, Any] = {"plain": {"status": {"recentDeletions": [{"uid": "uid-plain", "outcome": "Accepted"}]}}}
    storm = a_storm(PLAIN, calls=[a_call(1, 101)], writes=[released(PLAIN, 105)], last=Snapshot({}, sent, {}))
    assert rules(judge_releasing(storm)) == ["every release is on record"]


def test_of_two_deleted_twins_only_the_second_has_to_wait() -> None:
    calls, last = [a_call(1, 101, "twin")], Snapshot({}, entered(*TWINS), {})
    fine = a_storm(*TWINS, calls=calls, writes=[released(TWINS[1], 102), released(TWINS[0], 105)], last=last)
    assert judge_releasing(fine) == []
    wrong = a_storm(*TWINS, calls=calls, writes=[released(TWINS[1], 102), released(TWINS[0], 103)], last=last)
    assert rules(judge_releasing(wrong)) == ["no object gone while its node pool lives"]


HELD = a_body(deleted=True, DeletionBlocked=("True", "YearlyMonthlyBilling"))
READY = a_body(Ready=("True", "NodesAvailable"))


@pytest.mark.parametrize(
    ("planned", "body", "nodes", "is_settled"),
    [
        pytest.param(LIVING, READY, NODES, True, id="living and mirrored"),
        pytest.param(LIVING, READY, NODES | {"abnormal": 1}, False, id="living with old counts"),
        pytest.param(LIVING, a_body(Ready=("False", "ClockSkew")), NODES, False, id="living and not Ready"),
        pytest.param(LIVING, None, NODES, False, id="living and gone"),
        pytest.param(LIVING, READY, None, False, id="living and its node pool gone"),
        pytest.param(PLAIN, None, None, True, id="gone"),
        pytest.param(PLAIN, None, NODES, False, id="gone and its node pool there"),
        pytest.param(PLAIN, HELD, NODES, False, id="to be gone and held"),
        pytest.param(KEPT, None, NODES, True, id="retained"),
        pytest.param(KEPT, None, None, False, id="retained and its node pool gone"),
        pytest.param(PREPAID, HELD, NODES, True, id="held"),
        pytest.param(PREPAID, None, NODES, False, id="to be held and gone"),
        pytest.param(
            PREPAID,
            a_body(deleted=True, DeletionBlocked=("True", "CloudUnavailable")),
            NODES,
            False,
            id="held for another reason",
        ),
    ],
)
def test_each_case_has_its_own_ending(
    planned: ObjectPlan, body: dict[str, Any] | None, nodes: dict[str, int] | None, *, is_settled: bool
) -> None:
    plan = a_storm(planned).plan
    objects = {planned.title: body} if body else {}
    snapshot = Snapshot(objects, ACCOUNT_BODIES, {planned.place: nodes} if nodes else {})
    found = judge_ending(plan, snapshot)
    assert [violation.title for violation in found] == ([] if is_settled else [planned.title])


def test_of_the_last_node_pools_exactly_one_is_held() -> None:
    last = tuple(ObjectPlan(f"last-0{n}", "ml", Case.LAST, "rp-last", f"last-0{n}") for n in (0, 1))
    plan = a_storm(*last).plan
    blocked = a_body(deleted=True, DeletionBlocked=("True", "LastNodePool"))
    assert judge_ending(plan, Snapshot({last[0].title: blocked}, ACCOUNT_BODIES, {last[0].place: NODES})) == []
    both_gone = judge_ending(plan, Snapshot({}, ACCOUNT_BODIES, {}))
    assert ["not 0" in violation.words for violation in both_gone] == [True]


def test_an_account_that_is_not_ready_in_the_end_is_found() -> None:
    assert {violation.title for violation in judge_ending(a_storm().plan, Snapshot({}, {}, {}))} == {
        account.name for account in ACCOUNTS
    }


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("operator-1.log", '{"level": "info", "message": "key 0123secret"}', "no secret in logs or objects"),
        ("objects.yaml", "message: 0123secret", "no secret in logs or objects"),
        ("operator-1.log", '{"level": "debug", "message": "Signature=abc"}', "no secret in logs or objects"),
        ("operator-1.log", '{"level": "error", "message": "a deletion failed"}', "no exception that nobody foresaw"),
        ("operator-1.log", '{"level": "info", "message": "", "traceback": "…"}', "no exception that nobody foresaw"),
        ("operator-1.log", "Traceback (most recent call last):", "no exception that nobody foresaw"),
        ("operator-1.log", '{"level": "warning", "audit": "leak"}', "no leak is told where there is none"),
        ("operator-1.log", '{"level": "error", "message": "the Lease a/b is lost: x"}', None),
        ("operator-1.log", '{"level": "error", "logger": "kopf.watching", "message": "Request attempt #1/9"}', None),
        ("operator-1.log", '{"level": "error", "logger": "kopf._core.reactor.running", "traceback": "403"}', None),
        (
            "operator-1.log",
            '{"level": "error", "logger": "kopf.objects", "traceback": "KeyError"}',
            "no exception that nobody foresaw",
        ),
        ("operator-1.log", '{"level": "warning", "mess{"level": "info", "message": "started"}', None),
        ("kube-apiserver.log", "Traceback", None),
    ],
)
def test_secrets_and_errors_in_words_are_found(name: str, text: str, rule: str | None) -> None:
    assert rules(judge_tidiness(a_storm(texts={name: text}))) == ([rule] if rule else [])


def test_an_exit_that_was_not_ordered_is_found() -> None:
    storm = a_storm()
    storm.journal.unordered_exits.append("operator-1 ended by itself with exit code 1")
    assert rules(judge_tidiness(storm)) == ["no exit that was not ordered"]


@pytest.mark.parametrize(
    ("record", "is_needed"),
    [
        ({"outcome": "Refused", "attempt": 1}, True),
        ({"outcome": "Unknown", "attempt": 3}, True),
        ({"outcome": "Unknown", "attempt": 1}, False),
        (None, False),
    ],
)
def test_a_person_is_needed_where_the_cloud_refused_or_many_attempts_failed(
    record: dict[str, Any] | None, *, is_needed: bool
) -> None:
    assert needs_a_person({"status": {"deletion": record}}) is is_needed


def test_a_timeline_joins_operator_and_cloud_in_order_of_time() -> None:
    storm = a_storm(PLAIN, calls=[a_call(7, 102)], writes=[Write(PLAIN.title, 101, 101.1, "status", 200)])
    lines = timeline(PLAIN.title, storm)
    assert [line.split("s  ")[1].split(":")[0] for line in lines] == ["operator", "[7] cloud"]
    assert lines == sorted(lines)


def test_the_same_error_many_times_is_told_once() -> None:
    lines = [f'{{"ts": "{second}", "level": "error", "message": "a deletion failed"}}' for second in range(3)]
    assert rules(judge_tidiness(a_storm(texts={"operator-1.log": "\n".join(lines)}))) == [
        "no exception that nobody foresaw"
    ]
