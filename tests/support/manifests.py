"""Rendered manifests as objects, and the questions that tests of deploy/ ask of them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from lab.controlplane import ControlPlane

Object = dict[str, Any]


def objects_in(text: str) -> list[Object]:
    """All documents that hold something."""
    return [document for document in yaml.safe_load_all(text) if document]


def only(objects: Iterable[Object], kind: str, name: str | None = None) -> Object:
    """The one object of this kind, and of this name where there are several."""
    (found,) = [item for item in objects if item["kind"] == kind and name in {None, item["metadata"]["name"]}]
    return found


def names(objects: Iterable[Object]) -> list[str]:
    """`Kind/name` of each, sorted."""
    return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in objects)


def pod_of(workload: Mapping[str, Any]) -> Object:
    """The Pod that a Deployment or a Job would make."""
    template = workload["spec"]["template"]
    namespace = workload["metadata"]["namespace"]
    metadata = {"labels": template["metadata"]["labels"], "name": "probe", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def admitted(plane: ControlPlane, body: Mapping[str, Any]) -> str:
    """What the API server says to it in a strict dry run; empty where it has neither objections nor warnings."""
    dry = ("create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-")
    return plane.kubectl.run(*dry, stdin=json.dumps(body), check=False).stderr
