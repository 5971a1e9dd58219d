"""Draws the sixty objects of a plan: which cases, in which resource pools, with which annotations. Pure."""

from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from lab.storm.cases import Case, is_possible
from lab.storm.world import (
    CAREFUL,
    DOOMED_NAMESPACE,
    LAST_RESOURCE_POOL,
    NAMESPACES,
    THRIFTY,
    ObjectPlan,
)
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, PAUSED_ANNOTATION
from modelarts_nodepool.api.reasons import Reason

OBJECTS = 60
DELETED = 30
LATE = 5
THRIFTY_DELETED = 6
RENAMED = 0.6
OWN_NAME = 0.3  # so many node pools are not called as their objects are
ORDINARY = ("rp-a", "rp-b", "rp-c", "rp-d")
# How often a case is drawn: from, to. Twins, heirs, doomed and last ones are drawn as groups of two.
TIMES: Mapping[Case, tuple[int, int]] = {
    Case.RETAINED: (1, 3),
    Case.RETAINED_LATER: (0, 1),
    Case.PREPAID: (1, 2),
    Case.LOCKED: (0, 1),
    Case.IN_USE: (0, 1),
    Case.UNCONFIRMED: (0, 1),
    Case.PAUSED: (0, 1),
    Case.UNPAUSED: (0, 1),
    Case.FOREIGN: (0, 1),
    Case.OVERRIDDEN: (0, 1),
    Case.VANISHED: (0, 2),
    Case.TWIN: (0, 2),
    Case.HANDED_OVER: (1, 3),
    Case.DOOMED: (0, 1),
    Case.LAST: (0, 1),
}
GROUPS: Mapping[Case, tuple[Case, Case]] = {
    Case.TWIN: (Case.TWIN, Case.TWIN),
    Case.HANDED_OVER: (Case.HANDED_OVER, Case.HEIR),
    Case.DOOMED: (Case.DOOMED, Case.DOOMED_CONFIRMED),
    Case.LAST: (Case.LAST, Case.LAST),
}
SHARED = frozenset({Case.TWIN, Case.HANDED_OVER})  # both objects of the group stand for one node pool
IN_CLOUD: Mapping[Case, Mapping[str, Any]] = {
    Case.PREPAID: {"prepaidNodes": 1},
    Case.LOCKED: {"lockedNodes": 1},
    Case.IN_USE: {"inUse": True},
    Case.RETAINED_LATER: {"inUse": True},
}
LIVES = frozenset({Case.LIVING, Case.HEIR})


def draw_objects(rng: Random, rows: Collection[Reason]) -> tuple[ObjectPlan, ...]:
    """Sixty objects, thirty of them to be deleted."""
    special = _draw_special(rng, rows)
    deleted = sum(planned.case not in LIVES for planned in special)
    plain = [
        _draw_one(rng, Case.PLAIN, number, THRIFTY.resource_pools[0] if number < THRIFTY_DELETED else None)
        for number in range(DELETED - deleted)
    ]
    rest = OBJECTS - len(special) - len(plain)
    has_last = any(planned.case is Case.LAST for planned in special)
    places = (*ORDINARY, *THRIFTY.resource_pools) if has_last else (*ORDINARY, *THRIFTY.resource_pools, "rp-last")
    living = [
        _draw_one(rng, Case.LIVING, number, places[number % len(places)], is_late=number < LATE)
        for number in range(rest)
    ]
    return (*special, *plain, *living)


def _draw_special(rng: Random, rows: Collection[Reason]) -> list[ObjectPlan]:
    drawn: list[ObjectPlan] = []
    for case, (least, most) in TIMES.items():
        times = rng.randint(least, most)
        if not is_possible(case, rows):
            continue
        for number in range(times):
            drawn += _draw_group(rng, case, number) if case in GROUPS else [_draw_one(rng, case, number)]
    return drawn


def _draw_group(rng: Random, case: Case, number: int) -> list[ObjectPlan]:
    place = LAST_RESOURCE_POOL if case is Case.LAST else rng.choice(ORDINARY)
    shared = f"{case}-{number:02}" if case in SHARED else None
    # As GitOps tools rename: the new object is applied, a moment later the old one is pruned.
    is_renamed = case is Case.HANDED_OVER and rng.random() < RENAMED
    return [
        _draw_one(
            rng, member, 2 * number + position, place, node_pool=shared, is_late=is_renamed and member is Case.HEIR
        )
        for position, member in enumerate(GROUPS[case])
    ]


def _draw_one(
    rng: Random,
    case: Case,
    number: int,
    resource_pool: str | None = None,
    *,
    node_pool: str | None = None,
    is_late: bool = False,
) -> ObjectPlan:
    place = resource_pool or rng.choice(CAREFUL.resource_pools if case is Case.UNCONFIRMED else ORDINARY)
    name = f"{case}-{number:02}"
    own = f"np-{name}" if rng.random() < OWN_NAME else name
    namespace = rng.choice(NAMESPACES)
    if case in {Case.DOOMED, Case.DOOMED_CONFIRMED}:
        namespace = DOOMED_NAMESPACE
    annotations = {}
    is_confirmed = case is Case.DOOMED_CONFIRMED or place in CAREFUL.resource_pools
    if is_confirmed and case not in {Case.UNCONFIRMED, Case.DOOMED}:
        annotations[CONFIRM_ANNOTATION] = node_pool or own
    if case in {Case.PAUSED, Case.UNPAUSED}:
        annotations[PAUSED_ANNOTATION] = "true"
    cloud = {"count": rng.randint(1, 6), **IN_CLOUD.get(case, {})}
    return ObjectPlan(name, namespace, case, place, node_pool or own, annotations, cloud, is_late)
