"""The explanation as text for people or as JSON for machines. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import CONFIRMABLE, SELF_ENDING, Reason
from modelarts_nodepool.commands.terminal import to_age, to_nodes, to_table
from modelarts_nodepool.commands.why.explain import EVIDENCE, Row, Verdict
from modelarts_nodepool.commands.why.observe import Explanation
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Hold, Release, Wait
from modelarts_nodepool.decide.deletion.workloads import may_run
from modelarts_nodepool.decide.failures import FAILURES, reason_of
from modelarts_nodepool.decide.observed import Container, DeletionObserved, Evidence, Fact
from modelarts_nodepool.decide.unreadable import decide_unreadable_conditions
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import Billing, CloudNode

_LONGEST = 160


class Outcome(StrEnum):
    """What the deletion comes to."""

    SENDS = "sends"
    HOLDS = "holds"
    WAITS = "waits"
    RELEASES = "releases"
    REFUSED = "refused"
    FORGETS = "forgets"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The last line. `reason` and `message` are those of the guard that decides, "" if none does."""

    outcome: Outcome
    sentence: str
    reason: str = ""
    message: str = ""


def to_text(found: Explanation) -> str:
    """The table of guards, what holds with its commands, the facts, and one sentence."""
    parts = [[_heading(found)]]
    if found.rows:
        facts = _facts(found)
        cells = [[_name(row), row.verdict, ", ".join(_facts_of(row, facts))] for row in found.rows]
        parts.append(to_table(("GUARD", "VERDICT", "FACTS"), cells))
        parts += [_details(row) for row in found.rows if row.decision]
        parts.append(list(_not_checked(found)))
        parts.append(
            to_table(
                ("FACT", "VALUE", "AGE"),
                [[fact.name, fact.value, "" if fact.age is None else to_age(fact.age)] for fact in facts],
            )
        )
    elif not isinstance(found.node_pool, NodePool):
        is_protected = NODE_POOL_FINALIZER in found.node_pool.metadata.finalizers
        title = f"{Reason.INVALID_OBJECT} holds:" if is_protected else f"{Reason.INVALID_OBJECT}:"
        parts.append([title, *_clauses(_words_of_unreadable(found))])
    parts.append([f"Note: {remark}" for remark in found.remarks])
    parts.append([conclude(found).sentence])
    return "\n\n".join("\n".join(part) for part in parts if part)


def to_json(found: Explanation) -> str:
    """One object: the decision, every guard, the facts with their age in seconds, and remarks."""
    end, facts = conclude(found), _facts(found)
    metadata = found.node_pool.metadata
    document = {
        "namespace": metadata.namespace,
        "name": metadata.name,
        "uid": metadata.uid,
        "isBeingDeleted": not found.lives,
        "decision": {
            "outcome": end.outcome,
            "reason": end.reason or None,
            "message": end.message or None,
            "sentence": end.sentence,
        },
        "guards": [_guard(row, facts) for row in found.rows],
        "facts": [
            {"fact": fact.name, "value": fact.value, "ageSeconds": None if fact.age is None else round(fact.age, 1)}
            for fact in facts
        ],
        "remarks": list(found.remarks),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _guard(row: Row, facts: "Iterable[_Shown]") -> dict[str, Any]:
    decision = row.decision
    return {
        "reasons": list(row.answer.reasons),
        "verdict": row.verdict,
        "reason": decision.reason if decision else None,
        "message": clean(decision.message, len(decision.message)) if decision else None,
        "whyNotChecked": row.why or None,
        "facts": _facts_of(row, facts),
    }


# The conclusion.


def conclude(found: Explanation) -> Conclusion:
    """What the deletion comes to, in one sentence."""
    node_pool = found.node_pool
    if NODE_POOL_FINALIZER not in node_pool.metadata.finalizers:
        return _conclude_unprotected(found)
    if not isinstance(node_pool, NodePool):
        words = _words_of_unreadable(found)
        start = f"{remedies.DELETES} would now be held" if found.lives else "The deletion is held"
        return Conclusion(Outcome.HOLDS, f"{start}, reason {Reason.INVALID_OBJECT}.", Reason.INVALID_OBJECT, words)
    end = _conclude_rows(found, node_pool)
    policy, ends = found.refusal
    if not policy:
        return end
    sentence = (
        f"{remedies.DELETES} would now be refused by the admission policy {policy}; {ends}\n"
        f"Once it is confirmed, {_after_confirmation(end)}"
    )
    return Conclusion(Outcome.REFUSED, sentence, end.reason, end.message)


def _after_confirmation(end: Conclusion) -> str:
    if end.reason in CONFIRMABLE:
        return f"{end.reason} does not hold the deletion either; ask again then."
    return end.sentence.replace(" would now ", " would ")


def _conclude_unprotected(found: Explanation) -> Conclusion:
    others = ", ".join(clean(name) for name in found.node_pool.metadata.finalizers)
    if not found.lives:
        left = f"other finalizers keep it: {others}" if others else "it goes at once"
        words = f"The operator does nothing more for this object: its finalizer is not on it, and {left}."
        return Conclusion(Outcome.RELEASES, words)
    node_pool = found.node_pool
    name, why = "its node pool", "because the operator cannot read the object and puts no finalizer on it"
    if isinstance(node_pool, NodePool):
        name = node_pool.node_pool_name
        why = (
            "because the object does not have the operator's finalizer; check that the operator runs: "
            "modelarts-nodepool doctor"
        )
    words = f"{remedies.DELETES} would now remove the object and leave {name} in the cloud, {why}"
    return Conclusion(Outcome.FORGETS, words, Reason.NOT_PROTECTED)


def _conclude_rows(found: Explanation, node_pool: NodePool) -> Conclusion:
    deciding = next((row for row in found.rows if row.decides), None)
    before = found.rows[: found.rows.index(deciding)] if deciding else found.rows
    unchecked = [row for row in before if row.verdict is Verdict.NOT_CHECKED]
    decision = deciding.decision if deciding else None
    reason, message = (decision.reason, decision.message) if decision else ("", "")
    if unchecked:
        return Conclusion(Outcome.UNKNOWN, _say_unknown(found, decision, len(unchecked)), reason, message)
    observed = found.observed
    name = observed.node_pool_name if observed else node_pool.node_pool_name
    return Conclusion(
        *_say(found, decision, f"node pool {name} of resource pool {node_pool.spec.pool_name}"), reason, message
    )


def _say(found: Explanation, decision: Hold | Wait | Release | None, what: str) -> tuple[Outcome, str]:
    lives = found.lives
    match decision:
        case Hold(reason):
            others = [
                str(row.decision.reason) for row in found.rows if row.decision and row.verdict is Verdict.ALSO_HOLDS
            ]
            more = f", then {' and '.join(others)}" if others else ""
            start = f"{remedies.DELETES} would now be held" if lives else "The deletion is held"
            if found.observed is not None and found.observed.record.sent_time is not None:
                ends = f"no further DELETE is sent for now; the DELETE that was sent may still delete {what}"
            elif all(_continues(row.decision) for row in found.rows if row.decision):
                ends = f"no DELETE is sent for now; the deletion continues automatically, and may then delete {what}"
            else:
                ends = f"no DELETE is sent, and {what} stays"
            return Outcome.HOLDS, f"{start}, reason {reason}{more}; {ends}."
        case Wait(reason, message):
            start = f"{remedies.DELETES} would now wait" if lives else "The deletion waits"
            return Outcome.WAITS, f"{start}, reason {reason}: {message.partition('; ')[0]}."
        case Release(reason, message):
            start = (
                f"{remedies.DELETES} would now remove the object"
                if lives
                else "The operator would now remove the object"
            )
            return Outcome.RELEASES, f"{start} and send no DELETE, reason {reason}: {message.partition('; ')[0]}."
        case None:
            start = f"{remedies.DELETES} would now delete" if lives else "The operator would now send the DELETE of"
            return Outcome.SENDS, f"{start} {what}: every guard passes. This cannot be undone."


def _continues(decision: Hold | Wait | Release) -> bool:
    """Whether the DELETE may follow without a person's action, so no one may rely on the hold."""
    return isinstance(decision, Hold) and (decision.is_transient or decision.reason in SELF_ENDING)


def _say_unknown(found: Explanation, decision: Hold | Wait | Release | None, count: int) -> str:
    start = f"What {remedies.DELETES} would now do" if found.lives else "What the operator decides now"
    known = f" The guard of {decision.reason} would decide if these pass." if decision else ""
    return f"{start} is not known here: {count} guards could not be checked.{known}"


# Guards.


def _heading(found: Explanation) -> str:
    title = found.node_pool.title
    if found.lives:
        return (
            f"{title} is not being deleted. This is what would be decided if you deleted it now; nothing was changed."
        )
    return f"{title} is being deleted. This is what is decided now; nothing was changed."


def _name(row: Row) -> str:
    """The reasons of the guard. Every guard that needs facts may also report a failed request."""
    own = [reason for reason in row.answer.reasons if reason not in FAILURES]
    return ", ".join(own) or f"{Reason.CLOUD_UNAVAILABLE} and other failures"


def _details(row: Row) -> list[str]:
    decision = row.decision
    return [f"{decision.reason} {row.verdict}:", *_clauses(decision.message)] if decision else []


def _clauses(message: str) -> list[str]:
    """One clause on a line: a command that is alone at the end of a line can be copied."""
    return [f"  {clean(clause, len(clause))}" for clause in message.split("; ")]


def _not_checked(found: Explanation) -> Iterator[str]:
    by_why: dict[str, list[str]] = {}
    for row in found.rows:
        if row.verdict is Verdict.NOT_CHECKED:
            by_why.setdefault(row.why, []).append(_name(row))
    for why, names in by_why.items():
        yield f"Not checked: {clean(why)}"
        yield f"  {'; '.join(names)}"


def _words_of_unreadable(found: Explanation) -> str:
    """What the operator writes into the object's status, as long as it lives and when it is being deleted."""
    node_pool = found.node_pool
    if isinstance(node_pool, NodePool):
        return ""
    if found.lives:
        node_pool = replace(node_pool, metadata=replace(node_pool.metadata, deleted=None))
    return decide_unreadable_conditions(node_pool, found.moment.utc)[0].message


# Facts.


@dataclass(frozen=True, slots=True)
class _Shown:
    """A fact that guards use. `age` in seconds; None if it has none."""

    name: str
    value: str
    age: float | None


_MEMORY = "operator's memory"


def _label(name: str) -> str:
    return _FACTS[name][0] if name in _FACTS else name.replace("_", " ")


def _facts_of(row: Row, facts: Iterable[_Shown]) -> list[str]:
    """The names of the facts that the guard has read, in the order of the list of facts."""
    read = {_label(name) for name in row.answer.read}
    return [fact.name for fact in facts if fact.name in read] if row.verdict is not Verdict.NOT_REACHED else []


def _facts(found: Explanation) -> list[_Shown]:
    """The facts that the guards have read, each once."""
    if found.observed is None:
        return []
    read = {name for row in found.rows for name in row.answer.read if row.verdict is not Verdict.NOT_REACHED}
    shown: dict[str, _Shown] = {}
    for name in DeletionObserved.__dataclass_fields__:
        label = _label(name)
        # An object that lives has no DELETE that the operator could remember.
        if name not in read or not label or label in shown or (label == _MEMORY and found.lives):
            continue
        fact = _show(name, label, found, found.observed)
        if fact is not None:
            shown[label] = fact
    return list(shown.values())


def _show(name: str, label: str, found: Explanation, observed: DeletionObserved) -> _Shown | None:
    """None for what was not asked, and for a field that is not set and that this module does not know."""
    value, (_, describe) = getattr(observed, name), _FACTS.get(name, (label, None))
    age: float | None = found.moment.monotonic - found.read_at
    gap = found.gaps.get(name)
    if gap is not None and not gap.is_partial:
        words, age = "not known here", None
    elif isinstance(value, Evidence):
        age = found.moment.monotonic - value.begun
        words = f"{reason_of(value.failure)}: {value.failure}" if value.failure else ""
        words = words or (describe(observed) if describe else _describe_any(value.value))
    elif label == _MEMORY:
        words, age = "not known here", None
    elif value is None and (name in EVIDENCE or describe is None):
        return None
    else:
        words = describe(observed) if describe else _describe_any(value)
    if gap is not None and gap.is_partial:
        words = f"{words}, as far as you may read"
    if name == "record" and observed.record.sent_time is not None:
        age = (found.moment.utc - observed.record.sent_time).total_seconds()
    return _Shown(label, clean(words, _LONGEST), age)


def _describe_object(observed: DeletionObserved) -> str:
    node_pool = observed.node_pool
    words = [f"deletionPolicy {node_pool.spec.deletion_policy}"]
    words += ["paused"] if node_pool.is_paused else []
    words += ["confirmed"] if node_pool.confirmation == observed.node_pool_name else []
    words += [f"override {reason}" for reason in sorted(node_pool.overrides)]
    words += [f"{len(node_pool.other_finalizers)} other finalizers"] if node_pool.other_finalizers else []
    return ", ".join(words)


def _describe_account(observed: DeletionObserved) -> str:
    view, node_pool = observed.account, observed.node_pool
    name = node_pool.spec.account_ref.name
    if view is None:
        return f"{name} does not exist"
    grants = "grants" if view.is_granted else "does not grant"
    return f"{name} {grants} {node_pool.spec.pool_name} to {node_pool.metadata.namespace}"


def _describe_record(observed: DeletionObserved) -> str:
    record = observed.record
    if not record.attempt:
        return "no DELETE was sent"
    outcome = record.outcome or "no DELETE is in effect"
    return f"attempt {record.attempt}, {outcome}"


def _describe_others(observed: DeletionObserved) -> str:
    titles = [other.title for other in observed.duplicates]
    titles += [
        other.title for other in (observed.unplaced_duplicate, observed.unreadable_duplicate) if other is not None
    ]
    return ", ".join(titles) or "none for this node pool"


def _describe_listing(observed: DeletionObserved) -> str:
    listing = observed.listing.value if observed.listing else None
    if listing is None:
        return ""
    name = observed.node_pool_name
    own = listing.node_pools.get(name)
    others = len(listing.node_pools) - (own is not None)
    if own is None:
        words = "not shown"
    elif own.counts is None:
        words = "unreadable counts"
    else:
        words = to_nodes(own.counts)
    return f"{name}: {words}; {others or 'no'} other node pool{'s' if others > 1 else ''}"


def _describe_resource_pool(observed: DeletionObserved) -> str:
    pool = observed.resource_pool.value if observed.resource_pool else None
    if pool is None:
        return ""
    words = [_BILLING[pool.billing], *([f"phase {clean(pool.phase)}"] if pool.phase else [])]
    return ", ".join([*words, *([f"frozen ({clean(pool.frozen)})"] if pool.frozen else [])])


_BILLING = {
    Billing.PAY_PER_USE: "pay-per-use",
    Billing.YEARLY_MONTHLY: "yearly/monthly",
    Billing.UNKNOWN: "billing unknown",
}


def _describe_nodes(observed: DeletionObserved) -> str:
    nodes: tuple[CloudNode, ...] = (observed.nodes.value if observed.nodes else None) or ()
    prepaid = sum(node.billing is Billing.YEARLY_MONTHLY for node in nodes)
    locked = sum(node.is_locked for node in nodes)
    return f"{len(nodes)} nodes, {prepaid} yearly/monthly, {locked} locked"


def _describe_workloads(observed: DeletionObserved) -> str:
    listed = (observed.workloads.value if observed.workloads else None) or ()
    count = sum(map(may_run, listed))
    return f"{count or 'no'} job{'' if count == 1 else 's'} on nodes of the resource pool"


def _describe_container(evidence: Evidence[Container] | None) -> str:
    container = evidence.value if evidence else None
    if container is None or container.created is None:
        return "does not exist"
    return "is being deleted" if container.deleted else "is not being deleted"


def _describe_owners(observed: DeletionObserved) -> str:
    found = (observed.owners.value if observed.owners else None) or ()
    return ", ".join(f"{clean(each.owner.kind)} {clean(each.owner.name)} {each.state}" for each in found) or "none"


def _describe_budget(observed: DeletionObserved) -> str:
    budget = observed.budget
    if budget is None or budget.limit is None:
        return "unlimited"
    ahead = f", {budget.ahead} deletions ahead" if budget.ahead else ""
    return f"{budget.used} of {budget.limit} DELETEs in {to_age(budget.window.total_seconds())} used{ahead}"


def _describe_leaving(observed: DeletionObserved) -> str:
    return ", ".join(sorted(observed.leaving)) or "none in the resource pool"


# How each field of the observation is called, and how it is described. A field without a name is not shown.
_FACTS: Mapping[str, tuple[str, Callable[[DeletionObserved], str] | None]] = {
    **dict.fromkeys(("node_pool", "reconcile_requested"), ("object", _describe_object)),
    "account": ("account", _describe_account),
    "record": ("status.deletion", _describe_record),
    **dict.fromkeys(("duplicates", "unplaced_duplicate", "unreadable_duplicate"), ("other objects", _describe_others)),
    **dict.fromkeys(("listing", "earlier_listing"), (Fact.LISTING, _describe_listing)),
    "shown": (Fact.NODE_POOL, lambda _: "exists"),
    "resource_pool": (Fact.RESOURCE_POOL, _describe_resource_pool),
    "resource_pools": (Fact.RESOURCE_POOLS, None),
    "nodes": (Fact.NODES, _describe_nodes),
    "workloads": (Fact.WORKLOADS, _describe_workloads),
    "definition": ("CRD", lambda observed: _describe_container(observed.definition)),
    "namespace": ("namespace", lambda observed: _describe_container(observed.namespace)),
    "owners": ("owners", _describe_owners),
    "budget": ("deletion budget", _describe_budget),
    "leaving": ("other deletions", _describe_leaving),
    **dict.fromkeys(
        ("retain_seen", "send_finished", "last_failure", "last_failure_at", "sent_seen", "went_past"), (_MEMORY, None)
    ),
    **dict.fromkeys(("deletion_seen", "spare"), ("", None)),
}


def _describe_any(value: object) -> str:
    """A fact of a guard that this module does not know."""
    return f"{len(value)} items" if isinstance(value, Sized) and not isinstance(value, str) else "read"
