"""How kstatus (Flux, kubectl) reads an object: an independent reading of its published rules, in their order."""

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def read(body: Object) -> str:
    """InProgress, Failed, Current or Terminating."""
    if body["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = body.get("status") or {}
    if (early := _by_generation(body, status)) is not None:
        return early
    conditions = status.get("conditions") or []
    for condition in conditions:
        if (condition["type"], condition["status"]) == ("Reconciling", "True"):
            return "InProgress"
        if (condition["type"], condition["status"]) == ("Stalled", "True"):
            return "Failed"
    for condition in conditions:
        if condition["type"] == "Ready" and condition["status"] in {"False", "Unknown"}:
            return "InProgress"
    # Also without any condition, and with a word that it does not know.
    return "Current"


def read_with(expressions: Mapping[str, str], body: Object) -> str:
    """The same with `healthCheckExprs` of a Flux Kustomization, which replace the conditions' own rules."""
    if body["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = body.get("status") or {}
    if (early := _by_generation(body, status)) is not None:
        return early
    # Its package imports a command line, which every worker of a test run would load.
    from cel import evaluate  # noqa: PLC0415

    for name, result in (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")):
        if name in expressions:
            holds = evaluate(expressions[name], dict(body))
            assert isinstance(holds, bool), expressions[name]
            if holds:
                return result
    return "InProgress"


def _by_generation(body: Object, status: Object) -> str | None:
    observed = status.get("observedGeneration")
    assert isinstance(observed, int | None), "kstatus cannot read it"
    return "InProgress" if observed is not None and observed != body["metadata"]["generation"] else None
