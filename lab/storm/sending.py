"""Judges the DELETEs: whose node pool, when, and never while an earlier one is in effect. Pure."""

from collections.abc import Iterator

from lab.harness.simulator import ACCEPTED, DELETE_NODE_POOL, DELETE_POOL, Call
from lab.storm.cases import EXPECTED
from lab.storm.evidence import Evidence, Violation
from lab.storm.ground import ACCOUNTS, ObjectPlan

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
