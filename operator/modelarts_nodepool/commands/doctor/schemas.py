"""Differences between two CRDs in words. Pure; asked by definitions.py.

Compared is what the API server acts on. Descriptions are told apart: they matter to `kubectl explain` only. What the
API server fills in by itself (conversion None, status) is left out of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_VERSION_PARTS = {
    "subresources": "subresources",
    "selectableFields": "selectable fields",
    "additionalPrinterColumns": "printer columns",
}
_CHECKS = {"x-kubernetes-validations": "validation rules", "default": "default", "pattern": "pattern", "enum": "values"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences` are sentences about the installed CRD; `has_other_words`: descriptions differ."""

    differences: tuple[str, ...]
    has_other_words: bool


def compare_definitions(installed: Mapping[str, Any], wanted: Mapping[str, Any]) -> Comparison:
    """What is different about the installed one."""
    found, ours = installed["spec"], wanted["spec"]
    sentences = [f"its {key} is {found.get(key)}" for key in ("group", "scope") if found.get(key) != ours[key]]
    sentences += _names(found.get("names") or {}, ours["names"])
    sentences += _stored(installed, [version["name"] for version in ours["versions"]])
    theirs = {version["name"]: version for version in found.get("versions") or ()}
    for version in ours["versions"]:
        name = version["name"]
        sentences += _version(theirs[name], version) if name in theirs else [f"it has no version {name}"]
    known = {version["name"] for version in ours["versions"]}
    sentences += [f"it has a version {name} that is not known here" for name in sorted(theirs.keys() - known)]
    words = any(
        _words(theirs[version["name"]]) != _words(version) for version in ours["versions"] if version["name"] in theirs
    )
    return Comparison(tuple(sentences), words)


def _names(found: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    return [
        f"its {key} is {found.get(key)} instead of {value}" for key, value in ours.items() if found.get(key) != value
    ]


def _stored(installed: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    stored = (installed.get("status") or {}).get("storedVersions") or ()
    return [f"objects may still be stored as {name}" for name in stored if name not in known]


def _version(found: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    name = ours["name"]
    for flag, word in (("served", "served"), ("storage", "the storage version")):
        if found.get(flag) != ours[flag]:
            yield f"{name} is {'' if found.get(flag) else 'not '}{word}"
    for key, word in _VERSION_PARTS.items():
        if _without_words(found.get(key)) != _without_words(ours.get(key)):
            yield f"its {word} are others"
    yield from _schema("", _schema_of(found), _schema_of(ours))


def _schema_of(version: Mapping[str, Any]) -> Mapping[str, Any]:
    return (version.get("schema") or {}).get("openAPIV3Schema") or {}


def _schema(path: str, found: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    where = path or "the object"
    theirs, mine = found.get("properties") or {}, ours.get("properties") or {}
    for name in sorted(mine.keys() - theirs.keys()):
        yield f"it lacks the field {_join(path, name)}"
    for name in sorted(theirs.keys() - mine.keys()):
        yield f"it has a field {_join(path, name)} that is not known here"
    for key in sorted((found.keys() | ours.keys()) - {"properties", "items", "additionalProperties", "description"}):
        if found.get(key) != ours.get(key):
            yield f"{where} has {'other' if key in found else 'no'} {_CHECKS.get(key, key)}"
    for name in sorted(mine.keys() & theirs.keys()):
        yield from _schema(_join(path, name), theirs[name], mine[name])
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        one, other = found.get(key), ours.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _schema(f"{path}{suffix}", one, other)
        elif one != other:
            yield f"{where} has other {key}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _without_words(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The same without descriptions."""
    if isinstance(value, Mapping):
        return {key: _without_words(item) for key, item in value.items() if key != "description"}
    return [_without_words(item) for item in value] if isinstance(value, list) else value


def _words(value: Any) -> list[str]:  # noqa: ANN401 - JSON
    """All descriptions, in an order that does not depend on that of the keys."""
    if isinstance(value, Mapping):
        return [
            word
            for key in sorted(value)
            for word in ([value[key]] if key == "description" and isinstance(value[key], str) else _words(value[key]))
        ]
    return [word for item in value for word in _words(item)] if isinstance(value, list) else []
