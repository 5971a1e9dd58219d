"""Reading the conditions of an object as the API server gives it."""

from typing import Any

from tests.support.api import Object


def condition_of(found: Object, kind: str) -> dict[str, Any]:
    """The condition of that type; empty where there is none."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((dict(condition) for condition in conditions if condition["type"] == kind), {})


def says(found: Object, kind: str, status: str, reason: str | None = None) -> bool:
    """Whether a condition says so about the present generation."""
    condition = condition_of(found, kind)
    return (
        condition.get("status") == status
        and reason in {None, condition.get("reason")}
        and condition.get("observedGeneration") == found["metadata"]["generation"]
    )
