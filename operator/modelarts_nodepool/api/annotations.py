"""Remarks in messages about annotations with an undocumented value. Pure.

Such a value gets the safe interpretation, and the message shows the value and what it must be. api/objects.py parses
the annotations; this module only explains them.
"""

import json

from modelarts_nodepool.api.names import OVERRIDE_ANNOTATION, PAUSED_ANNOTATION
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import OVERRIDABLE, Reason
from modelarts_nodepool.logs import masked

_SHOWN = 200


def quoted(value: str) -> str:
    """A value with its spaces, on one printable line, of limited length, without secrets.

    Without semicolons, which separate the clauses and commands of a message.
    """
    shown = masked(value)
    return json.dumps(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...").replace(";", r"\u003b")


def unusual_pause(node_pool: NodePool) -> str:
    """The value of the paused annotation, if it pauses and is not "true"; empty otherwise."""
    value = node_pool.metadata.annotations.get(PAUSED_ANNOTATION)
    if value is None or value == "true" or not node_pool.is_paused:
        return ""
    return f' (the annotation {PAUSED_ANNOTATION} is {quoted(value)}; every value but "false" pauses)'


def ineffective_override(node_pool: NodePool, reason: Reason) -> str:
    """Why the override annotation does not lift this overridable guard; empty if there is no such annotation."""
    text = node_pool.override
    words, at, uid = text.partition("@")
    if not text:
        return ""
    if not at:
        return _override_is(text, "it names no uid; write <Reason>@<uid of the object>")
    if uid != node_pool.metadata.uid:
        return _override_is(text, f"its uid is {quoted(uid)}, the object's is {node_pool.metadata.uid}")
    given = {word.strip() for word in words.split(",")}
    unknown = sorted(given - {known.value for known in OVERRIDABLE})
    if reason.value in given or not unknown:
        return ""
    return _override_is(text, f"{quoted(unknown[0])} is not one of {', '.join(sorted(OVERRIDABLE))}")


def useless_override(node_pool: NodePool, reason: Reason) -> str:
    """A remark if the override annotation names a guard that no override lifts; empty otherwise."""
    words, _, _ = node_pool.override.partition("@")
    named = {word.strip().casefold() for word in words.split(",")}
    if reason in OVERRIDABLE or reason.value.casefold() not in named:
        return ""
    return f"the annotation {OVERRIDE_ANNOTATION} names {reason.value}, which no override lifts; "


def _override_is(text: str, why: str) -> str:
    return f" (the annotation {OVERRIDE_ANNOTATION} is {quoted(text)} and does not lift this: {why})"
