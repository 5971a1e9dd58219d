"""Small pieces that the models add to their JSON schema so that the API server checks what types cannot say.

Used in `json_schema_extra` of the models here; api/crd.py carries them over into the CRDs unchanged.
A rule on the root of an object must be there from the first version or be a transition rule: a plain root
rule that comes later makes every write to old invalid objects fail, the removal of our finalizer included.
"""

from typing import Literal

from pydantic.config import JsonDict
from pydantic.types import JsonValue

_Cause = Literal["FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid"]


def rule(
    expression: str, message: str, *, cause: _Cause = "FieldValueInvalid", field_path: str | None = None
) -> JsonDict:
    """One CEL rule. The message says what is wrong and how to put it right; the path names the field."""
    built: JsonDict = {"rule": expression, "message": message, "reason": cause}
    if field_path is not None:
        built["fieldPath"] = field_path
    return built


def checked(*rules: JsonDict, **more: JsonValue) -> JsonDict:
    """The schema keys that carry these rules, with other keys beside them."""
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
    """A list whose items are told apart by one of their fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


ATOMIC: JsonDict = {"x-kubernetes-list-type": "atomic"}
INT32: JsonDict = {"format": "int32"}
INT64: JsonDict = {"format": "int64"}
