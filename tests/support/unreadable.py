"""Objects that this version of the operator cannot read, as another version of the CRD lets them in."""

from typing import Any

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.unreadable import UnreadableObject
from tests.support.builders import NodePoolBuilder, a_node_pool


def an_unreadable_body(builder: NodePoolBuilder, **spec: object) -> dict[str, Any]:
    """What the API server sends; `spec` is what is strange about it, None takes a key away."""
    body = builder.body()
    strange = {**body["spec"], **spec}
    return {**body, "spec": {key: value for key, value in strange.items() if value is not None}}


def read(body: dict[str, Any]) -> UnreadableObject:
    """As the cache keeps it."""
    try:
        NodePool.from_body(body)
    except ValueError as error:
        return UnreadableObject.from_body(body, error, 0.0)
    raise AssertionError("it can be read")


def an_unreadable_object(name: str = "training-a", **spec: object) -> UnreadableObject:
    """A living one that names the node pool training-a and is protected."""
    return read(an_unreadable_body(a_node_pool(name).standing_for("training-a").finalized(), **spec))
