"""Looks up whether the owners of an object that is being deleted exist in this cluster.

Called by fetch.py when a decision asks. Each owner is read by its apiVersion, kind, name and uid, as the garbage
collector does. The operator may read few kinds; an owner that it may not read is unknown, and that holds the deletion
too.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelarts_nodepool.api.objects import NodePool, Owner
from modelarts_nodepool.controllers.workqueue import KEPT_SECONDS, SingleFlight
from modelarts_nodepool.decide.deletion.guards import OWNERS_NAMED
from modelarts_nodepool.decide.observed import Evidence, FoundOwner, OwnerState
from modelarts_nodepool.errors import ClusterError, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.ports import Clock, Cluster


@dataclass(frozen=True, slots=True)
class _Resource:
    """The URL path of a kind, and whether it is namespaced."""

    api_version: str
    plural: str
    is_namespaced: bool


class Owners:
    """Reads owners. Callers within some seconds share one discovery."""

    def __init__(self, cluster: Cluster, single_flight: SingleFlight, clock: Clock) -> None:
        self._cluster = cluster
        self._single_flight = single_flight
        self._clock = clock

    async def find(self, node_pool: NodePool) -> Evidence[tuple[FoundOwner, ...]]:
        """The first few owners, read concurrently. Never fails: an owner that cannot be read is unknown."""
        begun, metadata = self._clock.monotonic(), node_pool.metadata
        found = await asyncio.gather(
            *(self._find(metadata.namespace, owner) for owner in metadata.owners[:OWNERS_NAMED])
        )
        return Evidence(begun, value=tuple(found))

    async def _find(self, namespace: str, owner: Owner) -> FoundOwner:
        try:
            resource = await self._resource_of(owner)
            if resource is None:
                return FoundOwner(owner, OwnerState.GONE, "nothing in this cluster serves its kind")
            place = namespace if resource.is_namespaced else ""
            path = paths.thing_of(resource.api_version, resource.plural, place, owner.name)
            body = await self._cluster.get_metadata(path)
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

    async def _resource_of(self, owner: Owner) -> _Resource | None:
        """The resource of this kind; None if no version of its group has the kind.

        An owner can have a version that is not served any more. Raises errors.ClusterError and ValueError.
        """
        found = await self._kind_in(owner.api_version, owner.kind)
        if found is not None:
            return found
        for version in await self._other_versions(owner.api_version):
            found = await self._kind_in(version, owner.kind)
            if found is not None:
                return found
        return None

    async def _kind_in(self, version: str, kind: str) -> _Resource | None:
        for raw in await self._discovered(paths.api(version), "resources"):
            plural = str(raw.get("name", ""))
            # Subresources have the kind, too.
            if raw.get("kind") == kind and "/" not in plural:
                return _Resource(version, plural, bool(raw.get("namespaced")))
        return None

    async def _other_versions(self, api_version: str) -> list[str]:
        if "/" not in api_version:
            return []
        listed = await self._discovered(paths.api_group(api_version), "versions")
        return [str(raw["groupVersion"]) for raw in listed if raw.get("groupVersion") != api_version]

    async def _discovered(self, path: str, key: str) -> list[Mapping[str, Any]]:
        """The resources that discovery lists there; empty if the path is not served."""

        async def ask() -> Evidence[list[Mapping[str, Any]]]:
            begun = self._clock.monotonic()
            try:
                body = await self._cluster.get(path)
            except ObjectGone:
                return Evidence(begun, value=[])
            return Evidence(begun, value=list(body.get(key) or []))

        evidence = await self._single_flight.get(("discovery", path), self._clock.monotonic() - KEPT_SECONDS, ask)
        return evidence.value or []


def _why(error: ClusterError) -> str:
    """Steady text: the same from read to read."""
    if error.status == 403:  # noqa: PLR2004 - Forbidden
        return "the operator may not read it"
    return f"the API server answered {error.status}" if error.status else "the API server did not answer"
