from collections import Counter

import pytest

from lab.simulator.reading import to_scenario
from lab.simulator.scenario_faults import Fault
from lab.storm.cases import EXPECTED, Case, Ending, rows_of
from lab.storm.draw_objects import LIVES
from lab.storm.manifests import build_account, build_object, build_scenario
from lab.storm.plan import build_plan
from lab.storm.world import DOOMED_NAMESPACE, LAST_RESOURCE_POOL, SPARE, Plan, Verb
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.deletion.table import ROWS

ALL_ROWS = frozenset(Reason)
# Every case is in one of these; what holds for any plan is asked of the first five.
SEEDS = range(40)
STORMS = pytest.mark.parametrize("seed", SEEDS[:5])
FAULT_SECONDS = 80.0


def planned(seed: int) -> Plan:
    return build_plan(seed, FAULT_SECONDS, ALL_ROWS)


def test_a_seed_says_everything_that_happens() -> None:
    assert planned(7) == planned(7)


def test_another_seed_is_another_storm() -> None:
    assert planned(7).happenings != planned(8).happenings
    assert planned(7).secrets != planned(8).secrets


def test_the_operator_s_own_table_has_every_row_that_a_case_needs() -> None:
    needed = {expected.row for expected in EXPECTED.values() if expected.row is not None}
    assert needed <= rows_of(name for name, _ in ROWS)


def test_a_case_whose_row_is_missing_is_not_drawn() -> None:
    rows = ALL_ROWS - {Reason.HANDED_OVER, Reason.LAST_NODE_POOL}
    drawn = {one.case for seed in SEEDS for one in build_plan(seed, FAULT_SECONDS, rows).objects}
    assert not drawn & {Case.TWIN, Case.HANDED_OVER, Case.HEIR, Case.LAST}
    assert Case.DOOMED in drawn


def test_every_case_is_drawn_by_some_seed() -> None:
    assert {one.case for seed in SEEDS for one in planned(seed).objects} == set(Case)


@STORMS
def test_sixty_objects_over_six_resource_pools_and_half_are_deleted(seed: int) -> None:
    plan = planned(seed)
    assert len(plan.objects) == len({one.title for one in plan.objects}) == 60
    assert len({one.resource_pool for one in plan.objects}) == 6
    assert sum(one.case not in LIVES for one in plan.objects) == 30


@STORMS
def test_every_object_that_is_not_to_live_is_deleted_once_and_no_other_ever(seed: int) -> None:
    plan = planned(seed)
    deleted = Counter(one.target for one in plan.happenings if one.verb is Verb.DELETE)
    doomed = any(one.verb is Verb.DELETE_NAMESPACE for one in plan.happenings)
    for one in plan.objects:
        by_namespace = doomed and one.namespace == DOOMED_NAMESPACE
        assert deleted[one.title] + by_namespace == (one.case not in LIVES), one.title


@STORMS
def test_only_the_last_ones_are_in_danger_of_being_the_last(seed: int) -> None:
    plan = planned(seed)
    has_last = any(one.case is Case.LAST for one in plan.objects)
    for resource_pool in build_scenario(plan)["resourcePools"]:
        names = {node_pool["name"] for node_pool in resource_pool["nodePools"]}
        assert (SPARE not in names) == (has_last and resource_pool["name"] == LAST_RESOURCE_POOL)
    if has_last:
        cases = {one.case for one in plan.objects if one.resource_pool == LAST_RESOURCE_POOL}
        assert cases == {Case.LAST}


@STORMS
def test_the_simulator_and_the_api_understand_the_plan(seed: int) -> None:
    plan = planned(seed)
    scenario = to_scenario(build_scenario(plan))
    for one in plan.happenings:
        if one.verb is Verb.FAULT:
            Fault.model_validate(one.details)
    server_made = {"uid": "u", "resourceVersion": "1", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
    for each in plan.objects:
        body = build_object(each)
        body["metadata"] |= server_made
        NodePool.from_body(body)
        account = build_account(each.account, scenario.region, scenario.project_id)
        account["metadata"] |= server_made
        assert Account.from_body(account).spec.grants[0].allows(each.namespace, {}, each.resource_pool)


@STORMS
def test_everything_happens_while_there_are_faults(seed: int) -> None:
    assert all(0 <= one.at <= FAULT_SECONDS for one in planned(seed).happenings)


@STORMS
def test_two_objects_share_a_node_pool_only_as_twins_or_by_hand_over(seed: int) -> None:
    by_place: dict[tuple[str, str], list[Case]] = {}
    for one in planned(seed).objects:
        by_place.setdefault(one.place, []).append(one.case)
    shared = {tuple(sorted(cases)) for cases in by_place.values() if len(cases) > 1}
    assert shared <= {(Case.TWIN, Case.TWIN), (Case.HANDED_OVER, Case.HEIR)}


@STORMS
def test_what_is_renamed_is_deleted_after_its_heir_was_created(seed: int) -> None:
    plan = planned(seed)
    deletions = {one.target: one for one in plan.happenings if one.verb is Verb.DELETE}
    creations = {one.target: one.at for one in plan.happenings if one.verb is Verb.CREATE}
    for heir in plan.objects:
        if heir.case is Case.HEIR and heir.is_late:
            (former,) = [one for one in plan.objects if one.place == heir.place and one.case is Case.HANDED_OVER]
            assert deletions[former.title].details == {"after": heir.title}
            assert 0 <= deletions[former.title].at - creations[heir.title] <= 0.5


def test_no_case_is_expected_to_send_and_to_keep_its_node_pool_but_those_that_the_cloud_refuses() -> None:
    keeping = {case for case, one in EXPECTED.items() if one.ending in {Ending.LIVES, Ending.RELEASED, Ending.HELD}}
    sending = {case for case, one in EXPECTED.items() if one.may_send}
    assert keeping & sending == {Case.IN_USE, Case.RETAINED_LATER}
