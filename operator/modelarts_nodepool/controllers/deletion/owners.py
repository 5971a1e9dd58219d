"""Looks up whether the owners of an object that is being deleted are in this cluster.

Called by controllers/deletion/fetch.py when a decision asks. Each is read by its apiVersion, kind, name and uid as the
garbage collector does. The operator may read few kinds; what it may not read is unknown, which holds as well.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelarts_nodepool.api.objects import NodePool, Owner
from modelarts_nodepool.controllers.deletion.shared import KEPT_SECONDS
from modelarts_nodepool.controllers.tools import Tools
from modelarts_nodepool.decide.deletion.guards import OWNERS_NAMED
from modelarts_nodepool.decide.observed import Evidence, FoundOwner, OwnerState
from modelarts_nodepool.errors import ClusterError, ObjectGone
from modelarts_nodepool.kube import paths


@dataclass(frozen=True, slots=True)
class _Resource:
    """Where objects of a kind are."""

    api_version: str
    plural: str
    is_namespaced: bool


async def find_owners(tools: Tools, node_pool: NodePool) -> Evidence[tuple[FoundOwner, ...]]:
    """The first few of its owners, all at once. Never fails: what could not be looked up is unknown."""
    begun, metadata = tools.clock.monotonic(), node_pool.metadata
    found = await asyncio.gather(*(_find(tools, metadata.namespace, owner) for owner in metadata.owners[:OWNERS_NAMED]))
    return Evidence(begun, value=tuple(found))


async def _find(tools: Tools, namespace: str, owner: Owner) -> FoundOwner:
    try:
        resource = await _resource_of(tools, owner)
        if resource is None:
            return FoundOwner(owner, OwnerState.GONE, "nothing in this cluster serves its kind")
        place = namespace if resource.is_namespaced else ""
        body = await tools.cluster.get_metadata(
            paths.thing_of(resource.api_version, resource.plural, place, owner.name)
        )
    except ObjectGone:
        return FoundOwner(owner, OwnerState.GONE)
    except ClusterError as error:
        return FoundOwner(owner, OwnerState.UNKNOWN, _why(error))
    except ValueError:
        return FoundOwner(owner, OwnerState.UNKNOWN, "this is no name that an object can have")
    metadata = body["metadata"]
    if metadata["uid"] != owner.uid:
        return FoundOwner(owner, OwnerState.GONE, "what has its name has another uid")
    return FoundOwner(owner, OwnerState.DELETING if metadata.get("deletionTimestamp") else OwnerState.EXISTS)


def _why(error: ClusterError) -> str:
    """In words that stay the same from look to look."""
    if error.status == 403:  # noqa: PLR2004 - Forbidden
        return "the operator may not read it"
    return f"the API server answered {error.status}" if error.status else "the API server did not answer"


async def _resource_of(tools: Tools, owner: Owner) -> _Resource | None:
    """What objects of this kind are called in a URL; None where no version of its group has the kind.

    An owner may be named by a version that is not served any more. Raises errors.ClusterError and ValueError.
    """
    found = await _kind_in(tools, owner.api_version, owner.kind)
    if found is not None:
        return found
    for version in await _other_versions(tools, owner.api_version):
        found = await _kind_in(tools, version, owner.kind)
        if found is not None:
            return found
    return None


async def _kind_in(tools: Tools, version: str, kind: str) -> _Resource | None:
    for raw in await _discovered(tools, paths.api(version), "resources"):
        plural = str(raw.get("name", ""))
        # Subresources bear the kind as well.
        if raw.get("kind") == kind and "/" not in plural:
            return _Resource(version, plural, bool(raw.get("namespaced")))
    return None


async def _other_versions(tools: Tools, api_version: str) -> list[str]:
    if "/" not in api_version:
        return []
    listed = await _discovered(tools, paths.api_group(api_version), "versions")
    return [str(raw["groupVersion"]) for raw in listed if raw.get("groupVersion") != api_version]


async def _discovered(tools: Tools, path: str, key: str) -> list[Mapping[str, Any]]:
    """What discovery lists there, shared by all who ask within some seconds; nothing where that is not served."""

    async def ask() -> Evidence[list[Mapping[str, Any]]]:
        begun = tools.clock.monotonic()
        try:
            body = await tools.cluster.get(path)
        except ObjectGone:
            return Evidence(begun, value=[])
        return Evidence(begun, value=list(body.get(key) or []))

    evidence = await tools.shared.look(("discovery", path), tools.clock.monotonic() - KEPT_SECONDS, ask)
    return evidence.value or []
