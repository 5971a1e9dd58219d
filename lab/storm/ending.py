"""Judges how everything stands: each object as its case has to end. Pure.

performance.py asks again and again while things settle, and once more at the end.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.storm.cases import EXPECTED, Case, Ending
from lab.storm.evidence import Snapshot, Violation
from lab.storm.ground import ACCOUNTS, ObjectPlan, Plan
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER

RULE = "everything settles once the faults have stopped"
Body = Mapping[str, Any]


def judge_ending(plan: Plan, snapshot: Snapshot) -> list[Violation]:
    """Every object and account that is not as it should be in the end."""
    found = [_wrong(planned, snapshot) for planned in plan.objects]
    violations = [
        Violation(RULE, planned.title, words) for planned, words in zip(plan.objects, found, strict=True) if words
    ]
    return [*violations, *_wrong_groups(plan, snapshot), *_wrong_accounts(snapshot)]


def _wrong(planned: ObjectPlan, snapshot: Snapshot) -> str:
    """What is wrong with one object, in words; empty when nothing is."""
    expected = EXPECTED[planned.case]
    body, nodes = snapshot.objects.get(planned.title), snapshot.cloud.get(planned.place)
    match expected.ending:
        case Ending.LIVES:
            return _not_mirrored(body, nodes)
        case Ending.HELD:
            return _not_held(planned, body, nodes)
        case Ending.GONE_OR_HELD if body is not None:
            return _not_held(planned, body, nodes)
        case Ending.GONE | Ending.GONE_OR_HELD:
            return _left(body, nodes, with_node_pool=False)
        case Ending.RELEASED:
            return _left(body, nodes, with_node_pool=True)
        case Ending.LET_GO:
            return _not_let_go(body, nodes)


def _left(body: Body | None, nodes: object, *, with_node_pool: bool) -> str:
    if body is not None:
        return f"the object is still there: {describe(body)}"
    if nodes is None and with_node_pool:
        return "its node pool is gone and was to stay"
    return "" if nodes is None or with_node_pool else "the object is gone and its node pool is still there"


def _not_mirrored(body: Body | None, nodes: Mapping[str, int] | None) -> str:
    if body is None:
        return "the object is gone and was to live"
    if nodes is None:
        return "its node pool is gone and was to stay"
    status = body.get("status", {})
    shown = status.get("counts") or {}
    if {state: shown.get(state, 0) for state in nodes} != dict(nodes):
        return f"status says {dict(shown)}, the cloud {dict(nodes)}: {describe(body)}"
    if status.get("observedGeneration") != body["metadata"]["generation"]:
        return "observedGeneration is not the generation"
    wanted = "True" if nodes["available"] else "False"
    ready, _, _ = condition(body, "Ready")
    return "" if ready == wanted and not condition(body, "Stalled")[0] else f"not as its nodes are: {describe(body)}"


def _not_held(planned: ObjectPlan, body: Body | None, nodes: object) -> str:
    if body is None:
        return "the object is gone and was to be held"
    if nodes is None:
        return "its node pool is gone and was to be held"
    if NODE_POOL_FINALIZER not in body["metadata"].get("finalizers", []):
        return "our finalizer is gone and it was to be held"
    blocked, reason, _ = condition(body, "DeletionBlocked")
    reasons = EXPECTED[planned.case].reasons
    return (
        ""
        if blocked == "True" and reason in reasons
        else f"not held for {', '.join(sorted(reasons))}: {describe(body)}"
    )


def _not_let_go(body: Body | None, nodes: object) -> str:
    if body is None:
        return "the object is gone although another finalizer was on it"
    if NODE_POOL_FINALIZER in body["metadata"].get("finalizers", []):
        return f"our finalizer is still there: {describe(body)}"
    return "" if nodes is None else "our finalizer is gone and the node pool is still there"


def _wrong_groups(plan: Plan, snapshot: Snapshot) -> Iterator[Violation]:
    """Of the last node pools of a resource pool exactly one is held."""
    last = [planned for planned in plan.objects if planned.case is Case.LAST]
    held = [planned.title for planned in last if planned.title in snapshot.objects]
    if last and len(held) != 1:
        yield Violation(RULE, last[0].title, f"of the last node pools one has to be held, not {len(held)}")


def _wrong_accounts(snapshot: Snapshot) -> Iterator[Violation]:
    for account in ACCOUNTS:
        body = snapshot.accounts.get(account.name, {"metadata": {}})
        if condition(body, "Ready")[0] != "True":
            yield Violation(RULE, account.name, f"the account is not Ready: {describe(body)}")


def condition(body: Body, kind: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition; empty where there is none."""
    for found in body.get("status", {}).get("conditions", []):
        if found["type"] == kind:
            return found["status"], found["reason"], found["message"]
    return "", "", ""


def describe(body: Body) -> str:
    """The object in one line: whether it is being deleted, its conditions, its record of the deletion."""
    parts = ["being deleted"] if body["metadata"].get("deletionTimestamp") else []
    for kind in ("DeletionBlocked", "Stalled", "Ready"):
        status, reason, message = condition(body, kind)
        if status:
            parts.append(f"{kind}={status} {reason} ({message[:300]})")
            break
    record = body.get("status", {}).get("deletion")
    return "; ".join([*parts, f"deletion {record}"] if record else parts) or "no status yet"
