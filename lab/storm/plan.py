"""A plan: all that happens in a storm, when and to whom, as a pure function of its seed.

run.py carries it out. Timing on the machine varies from run to run; the plan never does.
"""

from collections.abc import Collection, Iterator
from random import Random

from lab.storm.cases import Case
from lab.storm.draw_faults import draw_fault
from lab.storm.draw_objects import LIVES, draw_objects
from lab.storm.world import (
    ACCOUNTS,
    DOOMED_NAMESPACE,
    Happening,
    ObjectPlan,
    Plan,
    Verb,
)
from modelarts_nodepool.api.reasons import Reason

# One of each so often, on average.
FAULT_EVERY, TOUCH_EVERY, NODES_EVERY, ACCOUNT_EVERY = 1.2, 2.0, 6.0, 5.0
API_RESTART_EVERY, OPERATOR_EVERY, FREEZE_EVERY, ROTATION_EVERY = 70.0, 40.0, 80.0, 60.0
DELETIONS_OVER_BY = 0.7


def build_plan(seed: int, fault_seconds: float, rows: Collection[Reason]) -> Plan:
    """The plan of a seed for so many seconds of faults, and an operator that has these rows of the table."""
    objects = draw_objects(_stream(seed, "objects"), rows)
    happenings = [
        *_life(_stream(seed, "life"), objects, fault_seconds),
        *_people(_stream(seed, "people"), objects, fault_seconds),
        *_cloud(_stream(seed, "cloud"), objects, fault_seconds),
        *_machines(_stream(seed, "machines"), fault_seconds),
    ]
    rng = _stream(seed, "ground")
    return Plan(
        seed=seed,
        fault_seconds=fault_seconds,
        operators=rng.choice((1, 2, 2)),
        objects=objects,
        happenings=tuple(sorted(happenings, key=lambda happening: (happening.at, happening.verb, happening.target))),
        secrets={account.name: _keys(rng, account.name) for account in ACCOUNTS},
        shape={
            "resources": rng.choice(("object", "list")),
            "notFound": rng.choice(("404", "400")),
            "repeatDelete": rng.choice(("200", "409")),
        },
        timings={
            "createSeconds": 3,
            "deleteSeconds": rng.randint(2, 4),
            "acceptDelaySeconds": rng.choice((0, 0, 1, 3)),
            "latencySeconds": 0.02,
        },
    )


def _stream(seed: int, what: str) -> Random:
    """A stream of its own for each part: a change in one leaves the others as they are."""
    return Random(f"{seed}/{what}")  # noqa: S311 - the same storm at each run is the point


def _keys(rng: Random, account: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"AK{account.upper()}{turn}", f"{rng.getrandbits(160):040x}") for turn in range(20))


def _life(rng: Random, objects: tuple[ObjectPlan, ...], seconds: float) -> Iterator[Happening]:
    """Creations and deletions, and what belongs to a case."""
    namespace_goes = round(rng.uniform(1, seconds * DELETIONS_OVER_BY), 1)
    if any(planned.case is Case.DOOMED for planned in objects):
        yield Happening(namespace_goes, Verb.DELETE_NAMESPACE, DOOMED_NAMESPACE)
    moments: dict[tuple[str, str], float] = {}
    for planned in objects:
        at = round(rng.uniform(1, seconds * DELETIONS_OVER_BY), 1)
        if planned.is_late:
            # An heir comes a moment before what it replaces goes.
            at = moments.get(planned.place, at)
            yield Happening(at, Verb.CREATE, planned.title)
        if planned.case in LIVES or planned.namespace == DOOMED_NAMESPACE:
            continue
        # Objects of one node pool are deleted almost together.
        at = round(moments.setdefault(planned.place, at) + rng.uniform(0, 0.4), 1)
        yield Happening(at, Verb.DELETE, planned.title, _details(planned, objects))
        yield from _afterwards(rng, planned, at, seconds)


def _details(planned: ObjectPlan, objects: tuple[ObjectPlan, ...]) -> dict[str, str]:
    if planned.case is Case.OVERRIDDEN:
        return {"override": Reason.OTHER_FINALIZERS.value}
    heirs = [one.title for one in objects if one.case is Case.HEIR and one.is_late and one.place == planned.place]
    return {"after": heirs[0]} if heirs else {}


def _afterwards(rng: Random, planned: ObjectPlan, at: float, seconds: float) -> Iterator[Happening]:
    later = round(rng.uniform(at + 3, seconds), 1)
    match planned.case:
        case Case.RETAINED_LATER:
            yield Happening(later, Verb.RETAIN, planned.title)
        case Case.UNPAUSED:
            yield Happening(later, Verb.UNPAUSE, planned.title)
        case Case.FOREIGN:
            yield Happening(later, Verb.STRIP, planned.title)
        case Case.VANISHED:
            yield Happening(max(0.0, round(at - rng.uniform(-1, 3), 1)), Verb.VANISH, planned.title)
        case _:
            return


def _people(rng: Random, objects: tuple[ObjectPlan, ...], seconds: float) -> Iterator[Happening]:
    """Annotations on objects and accounts, written by others at the same time."""
    for number, at in enumerate(_moments(rng, seconds, TOUCH_EVERY)):
        kind = rng.choice(("note", "note", "note", "reconcile-at"))
        target = rng.choice(objects).title
        yield Happening(at, Verb.ANNOTATE, target, {"kind": kind, "value": str(number)})
    for number, at in enumerate(_moments(rng, seconds, ACCOUNT_EVERY)):
        target = rng.choice(ACCOUNTS).name
        yield Happening(at, Verb.TOUCH_ACCOUNT, target, {"value": str(number), "times": rng.randint(1, 6)})


def _cloud(rng: Random, objects: tuple[ObjectPlan, ...], seconds: float) -> Iterator[Happening]:
    """Faults, rotated keys, nodes that come and go."""
    for number, at in enumerate(_moments(rng, seconds, FAULT_EVERY)):
        yield Happening(at, Verb.FAULT, "cloud", draw_fault(rng, number))
    for at in _moments(rng, seconds, ROTATION_EVERY):
        yield Happening(at, Verb.ROTATE, rng.choice(ACCOUNTS).name, {"lag": round(rng.uniform(0.2, 6), 1)})
    living = [planned for planned in objects if planned.case in LIVES and not planned.is_late]
    for at in _moments(rng, seconds, NODES_EVERY):
        states = {state: rng.randint(0, 3) for state in ("creating", "available", "abnormal", "deleting")}
        states["available"] += 1
        yield Happening(at, Verb.CHANGE_NODES, rng.choice(living).title, states)


def _machines(rng: Random, seconds: float) -> Iterator[Happening]:
    """API-server restarts, operators killed and stopped."""
    for at in _moments(rng, seconds, API_RESTART_EVERY):
        yield Happening(at, Verb.RESTART_API, "kube-apiserver", {"down": round(rng.uniform(0, 5), 1)})
    for at in _moments(rng, seconds, OPERATOR_EVERY):
        verb = rng.choice((Verb.KILL, Verb.TERMINATE))
        yield Happening(at, verb, str(rng.randint(0, 1)), {"down": round(rng.uniform(0, 6), 1)})
    for at in _moments(rng, seconds * DELETIONS_OVER_BY, FREEZE_EVERY):
        # Longer than a Lease lasts: whoever thaws must see that another one leads.
        yield Happening(at, Verb.FREEZE, str(rng.randint(0, 1)), {"seconds": round(rng.uniform(5, 20), 1)})


def _moments(rng: Random, seconds: float, every: float) -> list[float]:
    """So many moments as fit, at least one, anywhere in the time."""
    return sorted(round(rng.uniform(0, seconds), 1) for _ in range(max(1, round(seconds / every))))
