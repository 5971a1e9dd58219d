"""The CRDs: installed, served, and the same as in this version.

Differences that the API server acts on fail the check. Other descriptions only give a warning, because only
`kubectl explain` shows them. Fields that the API server adds (conversion None, status) are ignored.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from modelarts_nodepool.api.names import VERSION as API_VERSION
from modelarts_nodepool.commands.doctor.check import ClusterContext, Finding, failed, ok, warning
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.crds import is_established
from modelarts_nodepool.settings import DISTRIBUTION

VERSION = metadata.version(DISTRIBUTION)
_SHOWN = 3


def check_definition(wanted: Mapping[str, Any]) -> Callable[[ClusterContext], Awaitable[Finding]]:
    """The check of one CRD against the CRD of this version."""

    async def check(context: ClusterContext) -> Finding:
        name = wanted["metadata"]["name"]
        try:
            installed = await context.session.cluster.get(f"{paths.DEFINITIONS}/{name}")
        except ObjectGone:
            return failed("not installed", remedies.apply_definitions())
        return judge(installed, wanted, offers_selectable_fields=context.offers_selectable_fields)

    return check


def judge(installed: Mapping[str, Any], wanted: Mapping[str, Any], *, offers_selectable_fields: bool = True) -> Finding:
    """The finding for an installed CRD. Pure.

    `offers_selectable_fields`: if the API server drops them, applying the CRD again does not add them.
    """
    name = wanted["metadata"]["name"]
    if installed["metadata"].get("deletionTimestamp"):
        return failed(
            "being deleted together with every object of its kind; no DELETE is sent unless confirmed",
            f"{remedies.show_definition(name)}, then see docs/operations/troubleshooting.md, "
            "CustomResourceDefinitionTerminating",
        )
    if not is_established(installed):
        return failed("installed but not established", remedies.describe_definition(name))
    found = compare_definitions(installed, wanted if offers_selectable_fields else _without_selectable_fields(wanted))
    if found.differences:
        shown = "; ".join(found.differences[:_SHOWN])
        more = len(found.differences) - _SHOWN
        return failed(
            f"different from version {VERSION}: {shown}{f'; and {more} more' if more > 0 else ''}",
            f"{remedies.apply_definitions()}   (the crds/ of version {VERSION})",
        )
    if found.has_other_descriptions:
        return warning(f"the same as in version {VERSION}, except for descriptions", remedies.apply_definitions())
    dropped = not offers_selectable_fields and any("selectableFields" in each for each in wanted["spec"]["versions"])
    missing = ", except for selectableFields, which this API server does not support" if dropped else ""
    return ok(f"{API_VERSION} served and stored, the same as in version {VERSION}{missing}")


def _without_selectable_fields(wanted: Mapping[str, Any]) -> dict[str, Any]:
    versions = [
        {key: value for key, value in version.items() if key != "selectableFields"}
        for version in wanted["spec"]["versions"]
    ]
    return {**wanted, "spec": {**wanted["spec"], "versions": versions}}


_VERSION_PARTS = {
    "subresources": "subresources",
    "selectableFields": "selectable fields",
    "additionalPrinterColumns": "printer columns",
}
_CHECKS = {
    "x-kubernetes-validations": "validation rules",
    "default": "default",
    "pattern": "pattern",
    "enum": "values",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences`: sentences about the installed CRD. `has_other_descriptions`: descriptions differ."""

    differences: tuple[str, ...]
    has_other_descriptions: bool


def compare_definitions(installed: Mapping[str, Any], wanted: Mapping[str, Any]) -> Comparison:
    """Compare the installed CRD with the CRD of this version."""
    found, ours = installed["spec"], wanted["spec"]
    sentences = [f"its {key} is {found.get(key)}" for key in ("group", "scope") if found.get(key) != ours[key]]
    sentences += _names(found.get("names") or {}, ours["names"])
    sentences += _stored(installed, [version["name"] for version in ours["versions"]])
    theirs = {version["name"]: version for version in found.get("versions") or ()}
    for version in ours["versions"]:
        name = version["name"]
        sentences += _version(theirs[name], version) if name in theirs else [f"it has no version {name}"]
    known = {version["name"] for version in ours["versions"]}
    sentences += [f"it has an unknown version {name}" for name in sorted(theirs.keys() - known)]
    words = any(
        _descriptions(theirs[version["name"]]) != _descriptions(version)
        for version in ours["versions"]
        if version["name"] in theirs
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
        if _without_descriptions(found.get(key)) != _without_descriptions(ours.get(key)):
            yield f"its {word} differ"
    yield from _schema("", _schema_of(found), _schema_of(ours))


def _schema_of(version: Mapping[str, Any]) -> Mapping[str, Any]:
    return (version.get("schema") or {}).get("openAPIV3Schema") or {}


def _schema(path: str, found: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    where = path or "the object"
    theirs, mine = found.get("properties") or {}, ours.get("properties") or {}
    for name in sorted(mine.keys() - theirs.keys()):
        yield f"it lacks the field {_join(path, name)}"
    for name in sorted(theirs.keys() - mine.keys()):
        yield f"it has an unknown field {_join(path, name)}"
    for key in sorted((found.keys() | ours.keys()) - {"properties", "items", "additionalProperties", "description"}):
        if found.get(key) != ours.get(key):
            yield f"{where}: {'different' if key in found else 'no'} {_CHECKS.get(key, key)}"
    for name in sorted(mine.keys() & theirs.keys()):
        yield from _schema(_join(path, name), theirs[name], mine[name])
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        one, other = found.get(key), ours.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _schema(f"{path}{suffix}", one, other)
        elif one != other:
            yield f"{where}: different {key}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _without_descriptions(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The same without descriptions."""
    if isinstance(value, Mapping):
        return {key: _without_descriptions(item) for key, item in value.items() if key != "description"}
    return [_without_descriptions(item) for item in value] if isinstance(value, list) else value


def _descriptions(value: Any) -> list[str]:  # noqa: ANN401 - JSON
    """All descriptions, in an order that is independent of the order of keys."""
    if isinstance(value, Mapping):
        return [
            word
            for key in sorted(value)
            for word in (
                [value[key]] if key == "description" and isinstance(value[key], str) else _descriptions(value[key])
            )
        ]
    return [word for item in value for word in _descriptions(item)] if isinstance(value, list) else []
