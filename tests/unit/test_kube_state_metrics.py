"""The configuration for kube-state-metrics names fields that our CRDs have."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RESOURCES = yaml.safe_load((ROOT / "deploy/monitoring/kube-state-metrics.yaml").read_text())["spec"]["resources"]
# What the API server gives to every object.
METADATA = {"namespace", "name", "creationTimestamp", "deletionTimestamp"}


@cache
def schema_of(kind: str) -> Mapping[str, Any]:
    for path in (ROOT / "crds").glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())["spec"]
        if definition["names"]["kind"] == kind:
            schema: Mapping[str, Any] = definition["versions"][0]["schema"]["openAPIV3Schema"]
            return schema
    raise AssertionError(f"no CRD for {kind}")


def find(schema: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any] | None:
    """The schema of a field; None where there is no such field."""
    found: Mapping[str, Any] | None = schema
    for name in path:
        found = (found or {}).get("properties", {}).get(name)
    return found


def paths_in(metric: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[Sequence[str], Mapping[str, Any]]]:
    """Each path of a metric with the schema that it is taken from."""
    each = metric["each"]
    of = each[each["type"].lower()]
    start = schema
    if "path" in of:
        yield of["path"], schema
        if of["path"][0] != "metadata":
            start = find(schema, of["path"]) or {}
            start = start.get("items", start)
    yield from ((path, start) for path in of.get("labelsFromPath", {}).values())
    if "valueFrom" in of:
        yield of["valueFrom"], start


def test_both_kinds_are_there() -> None:
    assert [resource["groupVersionKind"]["kind"] for resource in RESOURCES] == ["ModelArtsNodePool", "ModelArtsAccount"]


@pytest.mark.parametrize(
    ("kind", "metric"),
    [(resource["groupVersionKind"]["kind"], metric) for resource in RESOURCES for metric in resource["metrics"]],
    ids=lambda value: value["name"] if isinstance(value, dict) else value,
)
def test_every_field_exists(kind: str, metric: Mapping[str, Any]) -> None:
    found = list(paths_in(metric, schema_of(kind)))
    assert found
    for path, schema in found:
        is_known = path[0] == "metadata" and path[1] in METADATA
        assert is_known or find(schema, path) is not None, path
