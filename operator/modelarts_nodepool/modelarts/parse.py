"""Good answers into the values of ports.py. Called by modelarts/client.py.

What spoils one node pool is told of that node pool; what makes the answer itself doubtful (another kind, no
`items`, an item without a name, a page that is not the last) is errors.MalformedAnswer for all of it, because
a name that is missing from a doubtful list must never count as gone.
"""

from collections.abc import Mapping
from typing import Any, NoReturn, TypeGuard

from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import MalformedAnswer
from modelarts_nodepool.modelarts.billing import is_locked, node_billing, resource_pool_billing
from modelarts_nodepool.modelarts.cutting import cut_items
from modelarts_nodepool.modelarts.operations import Call
from modelarts_nodepool.modelarts.response import Answer, parse_json
from modelarts_nodepool.modelarts.sanitize import brief, plain_words
from modelarts_nodepool.modelarts.shapes import to_cloud_node_pool
from modelarts_nodepool.modelarts.wire.loose import Unreadable, read_whole
from modelarts_nodepool.modelarts.wire.node_pool import NodePoolBody
from modelarts_nodepool.modelarts.wire.resource_pool import ObjectBody
from modelarts_nodepool.ports import CloudNode, CloudNodePool, CloudResourcePool

_LONGEST_TOKEN = 4096

# What items were read as, by the digest of all that was in them.
ReadItems = dict[bytes, CloudNodePool]


def read_node_pools(call: Call, answer: Answer, known: ReadItems | None = None) -> dict[str, CloudNodePool]:
    """The body of list_node_pools: complete, or errors.MalformedAnswer.

    Items that `known` holds are not read again, which costs several times as much as recognising them. It is brought
    up to date for the next call.
    """
    known = {} if known is None else known
    found: dict[str, CloudNodePool] = {}
    read: ReadItems = {}
    cut = cut_items(answer.body, known)
    if cut is None:
        # In the words of whoever reads it as a whole.
        shown = [_read_item(call, answer, item) for item in _whole_list(call, answer, "NodePoolList")]
    else:
        _check_kind(call, answer, cut.envelope, "NodePoolList")
        _check_whole(call, answer, cut.envelope)
        for digest, item in cut.items:
            read[digest] = known[digest] if item is None else _read_item(call, answer, item)
        shown = [read[digest] for digest, _ in cut.items]
    for each in shown:
        found[_new_name(call, answer, each.name, found)] = each
    known.clear()
    known.update(read)
    return found


def _read_item(call: Call, answer: Answer, item: dict[str, Any]) -> CloudNodePool:
    body = NodePoolBody.model_validate(item)
    return to_cloud_node_pool(_new_name(call, answer, body.name, {}), body)


def read_node_pool(call: Call, answer: Answer) -> CloudNodePool:
    """The body of show_node_pool."""
    body = NodePoolBody.model_validate(_object(call, answer, "NodePool"))
    if body.name != call.node_pool:
        _refuse(call, answer, f"metadata.name is {brief(body.name)} instead of {call.node_pool}")
    return to_cloud_node_pool(str(call.node_pool), body)


def read_resource_pools(call: Call, answer: Answer) -> dict[str, CloudResourcePool]:
    """The body of list_pools: complete, or errors.MalformedAnswer."""
    found: dict[str, CloudResourcePool] = {}
    for item in _whole_list(call, answer, "PoolList"):
        body = ObjectBody.model_validate(item)
        name = _new_name(call, answer, body.name, found)
        found[name] = _to_resource_pool(name, body)
    return found


def read_resource_pool(call: Call, answer: Answer) -> CloudResourcePool:
    """The body of show_pool."""
    body = ObjectBody.model_validate(_object(call, answer, "Pool"))
    if body.name != call.resource_pool:
        _refuse(call, answer, f"metadata.name is {brief(body.name)} instead of {call.resource_pool}")
    return _to_resource_pool(str(call.resource_pool), body)


def read_nodes(call: Call, answer: Answer) -> tuple[list[CloudNode], str | None]:
    """One page of list_node_pool_nodes, with the token of the next one."""
    document = _object(call, answer, "NodeList")
    nodes = [_to_node(call, answer, ObjectBody.model_validate(item)) for item in _items(call, answer, document)]
    return nodes, _next_page(call, answer, document)


def _to_resource_pool(name: str, body: ObjectBody) -> CloudResourcePool:
    billing = resource_pool_billing(body.annotations)
    return CloudResourcePool(name=name, billing=billing, phase=plain_words(body.phase, 64))


def _to_node(call: Call, answer: Answer, body: ObjectBody) -> CloudNode:
    name = _new_name(call, answer, body.name, {})
    annotations = body.annotations
    if isinstance(annotations, Unreadable):
        # Whether a node is locked must not be guessed.
        _refuse(call, answer, f"the annotations of node {brief(name)} are no map")
    return CloudNode(
        name=name,
        billing=node_billing(annotations),
        is_locked=is_locked(annotations),
        phase=plain_words(body.phase, 64),
    )


def _object(call: Call, answer: Answer, kind: str) -> Mapping[str, Any]:
    document = parse_json(answer.body)
    if not isinstance(document, dict):
        _refuse(call, answer, "the body is not a JSON object")
    _check_kind(call, answer, document, kind)
    return document


def _check_kind(call: Call, answer: Answer, document: Mapping[str, Any], kind: str) -> None:
    if document.get("kind") != kind:
        _refuse(call, answer, f"kind is {brief(document.get('kind'))} instead of {kind}")


def _items(call: Call, answer: Answer, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "items" not in document:
        _refuse(call, answer, "`items` is missing")
    items = document["items"]
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        _refuse(call, answer, "`items` is not a list of objects")
    return items


def _whole_list(call: Call, answer: Answer, kind: str) -> list[dict[str, Any]]:
    document = _object(call, answer, kind)
    _check_whole(call, answer, document)
    return _items(call, answer, document)


def _check_whole(call: Call, answer: Answer, document: Mapping[str, Any]) -> None:
    if _next_page(call, answer, document) is not None:
        _refuse(call, answer, "it is one page of several, which this call does not have")


def _next_page(call: Call, answer: Answer, document: Mapping[str, Any]) -> str | None:
    metadata = document.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        _refuse(call, answer, "the list's metadata is not an object")
    token = metadata.get("continue")
    if token is not None and token != "":
        return token if _fits_a_url(token) else _refuse(call, answer, f"the continue token is {brief(token)}")
    if read_whole(metadata.get("remainingItemCount")):
        _refuse(call, answer, "items remain and there is no continue token")
    return None


def _fits_a_url(token: object) -> TypeGuard[str]:
    # A surrogate has no UTF-8; what is longer the gateway refuses (its limit is 32 KB for the whole URI).
    return isinstance(token, str) and len(token) <= _LONGEST_TOKEN and token.isprintable()


def _new_name(call: Call, answer: Answer, name: object, found: Mapping[str, object]) -> str:
    if not isinstance(name, str) or not name:
        _refuse(call, answer, "an item has no metadata.name")
    if name in found:
        _refuse(call, answer, f"{brief(name)} is in the list twice")
    return name


def _refuse(call: Call, answer: Answer, words: str) -> NoReturn:
    raise MalformedAnswer(
        f"{call.title} was answered {answer.status}, but {words}: nothing is concluded from it. "
        f"Check that --endpoint and any proxy lead to ModelArts; see: {remedies.list_accounts()}",
        status=answer.status,
        request_id=answer.request_id,
    )
