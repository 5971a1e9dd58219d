"""CreateNodePool and PatchNodePool: what the operator never calls, and other clients of the same API do. No HTTP here.

Of a node pool's resources these are taken: flavor, count, maxCount, azs, labels, taints, tags. The rest is accepted
and shown as the simulator shows every node pool.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lab.simulator.answers import encode, to_node_pool
from lab.simulator.problems import find_problems
from lab.simulator.refusals import bad_request, content_type_not_supported, exists_already
from lab.simulator.routes import Route
from lab.simulator.scenario_pools import NodePool
from lab.simulator.world import LiveNodePool, World

MERGE_PATCH = "application/merge-patch+json"
TAKEN = ("flavor", "count", "maxCount", "azs", "labels", "taints", "tags")


@dataclass(frozen=True, slots=True)
class Content:
    """A request's body and how it was announced."""

    body: bytes = b""
    type: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in it; RefusedError where there is none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise bad_request("The request body is not a JSON object.")
        return document


def create_node_pool(world: World, route: Route, content: Content) -> bytes:
    """Add a node pool, which is created on the clock. Its answer has no status."""
    resource_pool = world.resource_pool(route.project_id, route.resource_pool)
    document = content.document
    metadata = _map(document.get("metadata"), "metadata")
    annotations = _map(metadata.get("annotations"), "metadata.annotations")
    resources = _resources(document)
    for key in ("flavor", "count"):
        if resources.get(key) is None:
            raise bad_request(f"spec.resources.{key} is required.")
    spec = _node_pool({"name": metadata.get("name")} | _taken(resources))
    _check_counts(spec)
    if spec.name in resource_pool.node_pools:
        raise exists_already(spec.name)
    live = world.new_node_pool(spec, is_creating=True)
    resource_pool.put_node_pool(live, spec)
    return encode(_shown(world, live) | {"metadata": {"name": spec.name, "annotations": annotations}})


def patch_node_pool(world: World, route: Route, content: Content) -> bytes:
    """Change a node pool. Its answer has neither status nor kind nor apiVersion."""
    is_merge_patch = content.type.partition(";")[0].strip().lower() == MERGE_PATCH
    if world.shape.patch_content_type == "merge-patch" and not is_merge_patch:
        raise content_type_not_supported(content.type)
    resource_pool = world.resource_pool(route.project_id, route.resource_pool)
    live = world.node_pool(resource_pool, route.node_pool)
    resources = _resources(content.document)
    spec = _node_pool(live.spec.written() | _taken(resources))
    _check_counts(spec)
    resource_pool.put_node_pool(live, spec)
    shown = _shown(world, live)
    return encode({"metadata": shown["metadata"], "spec": shown["spec"]})


def _resources(document: dict[str, Any]) -> dict[str, Any]:
    resources = _map(document.get("spec"), "spec").get("resources")
    if isinstance(resources, list) and len(resources) == 1:
        resources = resources[0]
    return _map(resources, "spec.resources")


def _taken(resources: dict[str, Any]) -> dict[str, Any]:
    taken = {key: value for key, value in resources.items() if key in TAKEN and value is not None}
    if isinstance(taken.get("tags"), list):
        taken["tags"] = {tag.get("key"): tag.get("value") for tag in taken["tags"] if isinstance(tag, dict)}
    return taken


def _node_pool(written: dict[str, Any]) -> NodePool:
    try:
        return NodePool.model_validate(written)
    except ValidationError as error:
        problem = find_problems(error, NodePool)[0]
        raise bad_request(f"{problem.key}: {problem.message}.") from error


def _check_counts(spec: NodePool) -> None:
    if spec.wanted < 1:
        raise bad_request("count must be >= 1.")
    if spec.max_count is not None and spec.max_count > spec.wanted:
        raise bad_request(f"maxCount {spec.max_count} above count {spec.wanted} is not supported.")


def _shown(world: World, live: LiveNodePool) -> dict[str, Any]:
    counts = live.counts(world.clock.now(), world.timings)
    shown: dict[str, Any] = json.loads(to_node_pool(live, counts, world.shape, world.region))
    del shown["status"]
    return shown


def _map(value: object, key: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"{key} is not an object.")
    return value
