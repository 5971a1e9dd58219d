"""The CRDs: installed, served, and the same as in this version.

Differences that the API server acts on fail the check. Other descriptions only give a warning, because only
`kubectl explain` shows them. Fields that the API server adds (conversion None, status) are ignored.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
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
    offered = wanted if offers_selectable_fields else _without_selectable_fields(wanted)
    if differences := compare_definitions(installed, offered):
        shown = "; ".join(differences[:_SHOWN])
        more = len(differences) - _SHOWN
        return failed(
            f"different from version {VERSION}: {shown}{f'; and {more} more' if more > 0 else ''}",
            f"{remedies.apply_definitions()}   (the crds/ of version {VERSION})",
        )
    theirs = _versions(installed)
    if any(theirs[name].get(key) != value for name, ours in _versions(offered).items() for key, value in ours.items()):
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


def compare_definitions(installed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The differences that the API server acts on, a sentence each about the installed CRD. Pure."""
    found, ours = installed["spec"], wanted["spec"]
    actual = {key: found.get(key) for key in ("group", "scope")} | dict(found.get("names") or {})
    expected = {key: ours[key] for key in ("group", "scope")} | ours["names"]
    sentences = [
        f"its {key} is {actual.get(key)} instead of {expected[key]}"
        for key in expected
        if actual.get(key) != expected[key]
    ]
    theirs, known = _versions(installed), _versions(wanted)
    stored = (installed.get("status") or {}).get("storedVersions") or ()
    sentences += [f"objects may still be stored as {name}" for name in stored if name not in known]
    for name, version in known.items():
        sentences += _version(theirs[name], version) if name in theirs else [f"it has no version {name}"]
    return sentences + [f"it has an unknown version {name}" for name in sorted(theirs.keys() - known.keys())]


def _versions(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {version["name"]: version for version in definition["spec"].get("versions") or ()}


def _version(found: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    for flag, word in (("served", "served"), ("storage", "the storage version")):
        if found.get(flag) != ours[flag]:
            yield f"{ours['name']} is {'' if found.get(flag) else 'not '}{word}"
    for key, word in _VERSION_PARTS.items():
        if _without_descriptions(found.get(key)) != _without_descriptions(ours.get(key)):
            yield f"its {word} differ"
    yield from _schema("", (found.get("schema") or {}).get("openAPIV3Schema") or {}, ours["schema"]["openAPIV3Schema"])


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
