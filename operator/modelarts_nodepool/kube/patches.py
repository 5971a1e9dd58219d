"""JSON patches for all writes to our objects. Pure; controllers/ sends them through ports.Cluster.

Each patch tests the uid and the resourceVersion of the object that the decision was made on. So it never changes an
object created again with the same name, nor a newer version: the result is errors.ObjectChanged then. The patches
change the status and our own finalizer, nothing else.
"""

from collections.abc import Iterable
from typing import Any

from modelarts_nodepool.api.account import AccountStatus
from modelarts_nodepool.api.conditions import Condition
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER, NODE_POOL_FINALIZER
from modelarts_nodepool.api.node_pool import NodePoolStatus
from modelarts_nodepool.api.objects import Account, Metadata, NodePool
from modelarts_nodepool.api.unreadable import UnreadableObject

Operation = dict[str, Any]
Patch = list[Operation]

_FINALIZERS = "/metadata/finalizers"


def build_finalizer_added(thing: NodePool | Account) -> Patch:
    """Adds our finalizer after the existing ones."""
    ours = _finalizer_of(thing)
    if ours in thing.metadata.finalizers:
        raise ValueError(f"{thing.metadata.name} has the finalizer {ours} already")
    return [*_tests(thing.metadata), _added(thing.metadata, ours)]


def build_finalizer_removed(thing: NodePool | Account) -> Patch:
    """Removes our finalizer and no other, at any place in the list."""
    ours = _finalizer_of(thing)
    if ours not in thing.metadata.finalizers:
        raise ValueError(f"{thing.metadata.name} has no finalizer {ours}")
    place = f"{_FINALIZERS}/{thing.metadata.finalizers.index(ours)}"
    return [
        *_tests(thing.metadata),
        # The test of resourceVersion implies this; removal by index is dangerous enough for a second test.
        {"op": "test", "path": place, "value": ours},
        {"op": "remove", "path": place},
    ]


def build_status(thing: NodePool | Account, status: NodePoolStatus | AccountStatus) -> Patch:
    """Replaces the whole status; for the status subresource."""
    return [*_tests(thing.metadata), {"op": "add", "path": "/status", "value": status.to_wire()}]


def build_conditions(found: UnreadableObject, conditions: Iterable[Condition]) -> Patch:
    """Replaces only conditions and observedGeneration; for the status subresource."""
    parts = {
        "observedGeneration": found.metadata.generation,
        "conditions": [condition.to_wire() for condition in conditions],
    }
    if not found.has_status:
        return [*_tests(found.metadata), {"op": "add", "path": "/status", "value": parts}]
    # `add` replaces an existing member.
    written = [{"op": "add", "path": f"/status/{name}", "value": value} for name, value in parts.items()]
    return [*_tests(found.metadata), *written]


def _tests(metadata: Metadata) -> Patch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": metadata.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata.resource_version},
    ]


def _added(metadata: Metadata, finalizer: str) -> Operation:
    if metadata.finalizers:
        return {"op": "add", "path": f"{_FINALIZERS}/-", "value": finalizer}
    # The API server omits an empty list, and `-` needs a list.
    return {"op": "add", "path": _FINALIZERS, "value": [finalizer]}


def _finalizer_of(thing: NodePool | Account) -> str:
    return NODE_POOL_FINALIZER if isinstance(thing, NodePool) else ACCOUNT_FINALIZER
