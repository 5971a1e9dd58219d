"""Parts of a JSON schema for checks by the API server that types cannot express.

Used in `json_schema_extra` of the models; api/crd.py copies them into the CRDs. A rule on the root of an object must
exist since the first version or be a transition rule: a later plain root rule makes every write to old invalid objects
fail, including the removal of our finalizer.
"""

from typing import Literal

from pydantic.config import JsonDict
from pydantic.types import JsonValue

_Cause = Literal["FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid"]


def rule(
    expression: str, message: str, *, cause: _Cause = "FieldValueInvalid", field_path: str | None = None
) -> JsonDict:
    """One CEL rule. The message says what is wrong and how to fix it; the path names the field."""
    built: JsonDict = {"rule": expression, "message": message, "reason": cause}
    if field_path is not None:
        built["fieldPath"] = field_path
    return built


def checked(*rules: JsonDict, **more: JsonValue) -> JsonDict:
    """The schema keys with these rules, and other keys."""
    return {"x-kubernetes-validations": list(rules), **more}


def immutable(message: str) -> JsonDict:
    """A field that keeps its first value."""
    return checked(rule("self == oldSelf", message))


def between(shortest: str, longest: str) -> JsonDict:
    """A duration within bounds, both included."""
    return checked(
        rule(
            f"duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}')",
            f"must be between {shortest} and {longest}; write for example 30s, 5m or 1h",
        )
    )


def keyed_by(key: str) -> JsonDict:
    """A list whose items have a unique key field."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


ATOMIC: JsonDict = {"x-kubernetes-list-type": "atomic"}
INT32: JsonDict = {"format": "int32"}
INT64: JsonDict = {"format": "int64"}
