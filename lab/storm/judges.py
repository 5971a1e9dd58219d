"""Judges a storm by records that are not the operator's own. Pure.

    judge_sending     each DELETE: whose node pool, when, and never while an earlier one is in effect
    judge_releasing   each finalizer: no object goes while its node pool lives
    judge_ending      each object ends as its case has to end; also asked while things settle
    judge_tidiness    no secret in logs or objects, no exception that is not expected

The API server's audit log says when a finalizer left. The cloud's log says when the node pool can have gone at the
earliest.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lab.harness.simulator import ACCEPTED, DELETE_NODE_POOL, DELETE_POOL, Call
from lab.storm.cases import EXPECTED, Case, Ending
from lab.storm.evidence import Evidence, Snapshot, Violation
from lab.storm.world import ACCOUNTS, ObjectPlan, Plan
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER

# Design: an unknown outcome is looked at for two minutes. Times on record are whole seconds, and begin before the call.
UNKNOWN_SECONDS = 115.0
# A write-ahead made before the policy became Retain may still be followed by its DELETE for so long.
FENCE_SECONDS = 30.0
# These answers prove that the DELETE had no effect.
HAD_NO_EFFECT = frozenset({400, 401, 403, 429})
WINDOW_SLACK_SECONDS = 5.0
_WINDOWS = {"1m": 60.0, "1h": 3600.0}


def judge_sending(evidence: Evidence) -> list[Violation]:
    """All that is wrong with what was sent."""
    return [*_wrong_node_pools(evidence), *_doubles(evidence), *_over_budget(evidence)]


def _wrong_node_pools(evidence: Evidence) -> Iterator[Violation]:
    for call in evidence.calls:
        if call.operation == DELETE_POOL:
            yield Violation("no delete_pool", "cloud", f"a whole resource pool was to be deleted: {call.words}")
        if call.operation != DELETE_NODE_POOL:
            continue
        owners = [planned for planned in evidence.plan.objects if planned.place == call.place]
        if not any(_may_send(evidence, planned, call) for planned in owners):
            title = owners[0].title if owners else "/".join(call.place)
            words = f"request {call.number} deletes node pool {'/'.join(call.place)}, which nobody asked for"
            yield Violation("only what was deleted with policy Delete", title, words)


def _may_send(evidence: Evidence, planned: ObjectPlan, call: Call) -> bool:
    asked = evidence.journal.deletion_asked.get(planned.title)
    if asked is None or call.time < asked or not EXPECTED[planned.case].may_send:
        return False
    retained = evidence.journal.retained.get(planned.title)
    return retained is None or call.time <= retained + FENCE_SECONDS


def _doubles(evidence: Evidence) -> Iterator[Violation]:
    places = {planned.place: planned for planned in evidence.plan.objects}
    for planned in places.values():
        sent = evidence.deletes(planned)
        for position, call in enumerate(sent):
            for earlier in sent[:position]:
                why = _in_effect(earlier, call)
                if why:
                    words = f"request {call.number} was sent {call.time - earlier.time:.1f} s after {earlier.number}: "
                    yield Violation("no DELETE while an earlier one is in effect", planned.title, words + why)


def _in_effect(earlier: Call, call: Call) -> str:
    if earlier.effect == ACCEPTED:
        return "that one had taken effect"
    if earlier.status not in HAD_NO_EFFECT and call.time - earlier.time < UNKNOWN_SECONDS:
        return f"its outcome ({earlier.status or 'no answer'}) was unknown to the operator"
    return ""


def _over_budget(evidence: Evidence) -> Iterator[Violation]:
    for account in ACCOUNTS:
        if "max" not in account.budget:
            continue
        most, window = account.budget["max"], _WINDOWS[account.budget["window"]] - WINDOW_SLACK_SECONDS
        times = [
            call.time
            for call in evidence.calls
            if call.operation == DELETE_NODE_POOL
            and call.effect == ACCEPTED
            and call.resource_pool in account.resource_pools
        ]
        for first, beyond in zip(times, times[most:], strict=False):
            if beyond - first < window:
                words = f"{most + 1} DELETEs took effect within {beyond - first:.0f} s; the budget is {most}"
                yield Violation("no more DELETEs than the budget", account.name, words)
                break


TOO_EARLY = "no object gone while its node pool lives"
ENDINGS = frozenset({Ending.GONE, Ending.GONE_OR_HELD, Ending.LET_GO})


def judge_releasing(evidence: Evidence) -> list[Violation]:
    """Every object that went too early, or without its entry in the account's recentDeletions."""
    return [*_too_early(evidence), *_not_entered(evidence)]


def _too_early(evidence: Evidence) -> Iterator[Violation]:
    for planned in _gone(evidence):
        released = evidence.released_at(planned)
        if released is None or _is_handed_over(evidence, planned, released):
            continue
        earliest = earliest_gone(evidence, planned)
        if planned.place in evidence.last.cloud:
            yield Violation(TOO_EARLY, planned.title, f"node pool {'/'.join(planned.place)} is still there")
        elif earliest is None:
            yield Violation(TOO_EARLY, planned.title, "the finalizer left and no DELETE ever took effect")
        elif released < earliest:
            words = f"the finalizer left {earliest - released:.2f} s before the node pool can have gone"
            yield Violation(TOO_EARLY, planned.title, words)


def _gone(evidence: Evidence) -> Iterator[ObjectPlan]:
    for planned in evidence.plan.objects:
        is_gone = planned.title not in evidence.last.objects or EXPECTED[planned.case].ending is Ending.LET_GO
        if is_gone and EXPECTED[planned.case].ending in ENDINGS:
            yield planned


def _is_handed_over(evidence: Evidence, planned: ObjectPlan, released: float) -> bool:
    """Of twins that are both deleted one goes without waiting: the other one deletes the node pool."""
    if planned.case is not Case.TWIN:
        return False
    others = [
        evidence.released_at(other)
        for other in evidence.plan.objects
        if other.place == planned.place and other.title != planned.title
    ]
    return any(other is None or other > released for other in others)


def earliest_gone(evidence: Evidence, planned: ObjectPlan) -> float | None:
    """Before this moment the node pool was certainly there; None where nothing ever took it away."""
    timings = evidence.plan.timings
    takes = timings["acceptDelaySeconds"] + timings["deleteSeconds"]
    times = [call.time + takes for call in evidence.accepted(planned)]
    if planned.title in evidence.journal.vanished:
        times.append(evidence.journal.vanished[planned.title])
    return min(times, default=None)


def _not_entered(evidence: Evidence) -> Iterator[Violation]:
    for planned in _gone(evidence):
        if not evidence.accepted(planned) or planned.title in evidence.last.objects:
            continue
        account = evidence.last.accounts.get(planned.account.name, {})
        entries = account.get("status", {}).get("recentDeletions", [])
        if evidence.journal.uids[planned.title] not in {entry["uid"] for entry in entries if entry.get("finishedTime")}:
            words = f"it is not in status.recentDeletions of account {planned.account.name}"
            yield Violation("every release is on record", planned.title, words)


SETTLES = "everything settles once the faults have stopped"
Body = Mapping[str, Any]


def judge_ending(plan: Plan, snapshot: Snapshot) -> list[Violation]:
    """Every object and account that is not as it should be in the end."""
    found = [_wrong(planned, snapshot) for planned in plan.objects]
    violations = [
        Violation(SETTLES, planned.title, words) for planned, words in zip(plan.objects, found, strict=True) if words
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
        yield Violation(SETTLES, last[0].title, f"of the last node pools one has to be held, not {len(held)}")


def _wrong_accounts(snapshot: Snapshot) -> Iterator[Violation]:
    for account in ACCOUNTS:
        body = snapshot.accounts.get(account.name, {"metadata": {}})
        if condition(body, "Ready")[0] != "True":
            yield Violation(SETTLES, account.name, f"the account is not Ready: {describe(body)}")


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


# The storm's own doing: the API server was away for longer than a Lease lasts, or than a watch of kopf likes.
FORESEEN = ("the Lease ",)
FORESEEN_LOGGERS = ("kopf.",)
# An API server that has just started lets nobody in for a moment: kopf tells that with a traceback, and ends. Errors
# of our handlers come by another of its loggers.
WATCHERS = ("kopf._core.reactor.orchestration", "kopf._core.reactor.running")
SHOWN = 2000
UNFORESEEN = "no exception that nobody foresaw"
# Nobody takes our finalizer away in a storm, and all that is deleted was protected before.
FALSE_ALARM = "no leak is told where there is none"


def judge_tidiness(evidence: Evidence) -> list[Violation]:
    """Secrets in logs or objects, errors and false alarms in logs, exits that were not ordered."""
    exits = [Violation("no exit that was not ordered", "operator", words) for words in evidence.journal.unordered_exits]
    return [*exits, *_secrets(evidence), *_errors(evidence)]


def _secrets(evidence: Evidence) -> Iterator[Violation]:
    secrets = [secret for keys in evidence.plan.secrets.values() for _, secret in keys]
    for name, text in evidence.texts.items():
        for secret in secrets:
            if secret in text:
                yield Violation("no secret in logs or objects", name, f"a secret key, {secret[:4]}…, stands in {name}")
        if "Signature=" in text:
            yield Violation("no secret in logs or objects", name, f"a signature stands in {name}")


def _errors(evidence: Evidence) -> Iterator[Violation]:
    for name, text in evidence.texts.items():
        if not name.startswith("operator-"):
            continue
        seen: set[tuple[str, str]] = set()
        for line in text.splitlines():
            rule, words = _judge_line(line)
            # The same words many times are told once.
            if rule and (rule, words) not in seen:
                seen.add((rule, words))
                yield Violation(rule, name, line[:SHOWN])


def _judge_line(line: str) -> tuple[str, str]:
    """The rule that a line of the log breaks, and its message; empty where it breaks none."""
    try:
        entry = json.loads(line)
    except ValueError:
        # A line that SIGKILL cut short is no error; anything else that is not JSON is.
        return ("", "") if line.startswith("{") or not line.strip() else (UNFORESEEN, line)
    message = str(entry.get("message", ""))
    if entry.get("audit") == "leak":
        return FALSE_ALARM, message
    logger = str(entry.get("logger", ""))
    if logger.startswith(WATCHERS):
        return "", ""
    is_foreseen = message.startswith(FORESEEN) or logger.startswith(FORESEEN_LOGGERS)
    is_error = entry.get("level") in {"error", "critical"} and not is_foreseen
    return (UNFORESEEN, message) if is_error or "traceback" in entry else ("", "")
