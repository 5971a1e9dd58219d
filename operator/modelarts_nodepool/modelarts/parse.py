"""Turns successful responses into the values of ports.py. Pure. Called by modelarts/client.py.

A problem of one node pool is recorded in that node pool. A problem that makes the whole response doubtful (another
kind, no `items`, an item without a name, one page of several) is errors.MalformedAnswer: a name that is missing from a
doubtful list must never count as gone. The message says what is wrong; modelarts/client.py adds the call.

Numbers: if a number of nodes that decisions need cannot be read, the counts of its node pool are unreadable and
`problem` names the number. A missing `count` is the sum of the zones, else maxCount, if that is unambiguous: a node
pool that the cloud shows is never read as zero nodes by mistake. Beside a count, maxCount and zones are only shown:
unreadable ones are left out.

Billing and locks are annotations. Source: those that the official SDK and the Terraform provider of Huawei Cloud read.

Nodes in use: page ListNodePoolNodes. Only accelerators prove it: idle nodes too have less CPU available than they have.

`split_items` splits a node pool list into the text of its items, so that an item that is already known is not parsed
again. Strict parsing (`parse_json` refuses duplicate keys) and validation are done for new items only. Reading a list
of a hundred node pools (72 KB), one of them changed, takes 1.2 ms of CPU; with a digest of each parsed item 3.1 ms;
without known items 10.6 ms.
"""

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from secrets import token_hex
from typing import Any, TypeGuard, TypeVar

from modelarts_nodepool.api.node_pool import Counts, NodePoolShape, ZoneCount
from modelarts_nodepool.errors import MalformedAnswer
from modelarts_nodepool.modelarts.transport import parse_json, quote_value, sanitize
from modelarts_nodepool.modelarts.wire import (
    Named,
    NodePoolBody,
    ObjectBody,
    ObjectSpec,
    ObjectStatus,
    PoolNodeAz,
    PoolResource,
    PoolResourceFlavorCount,
    StateResources,
    Unreadable,
    read_count,
)
from modelarts_nodepool.ports import Billing, CloudNode, CloudNodePool, CloudResourcePool

_ITEMS = re.compile(r'"items"[ \t\n\r]*:[ \t\n\r]*(?=\[)')
_SPACE = re.compile(r"[ \t\n\r]*")
_decode_one = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class SplitList:
    """`envelope` is the document with empty `items`; `items` holds the digest of each item, and each unknown item."""

    envelope: dict[str, Any]
    items: list[tuple[bytes, dict[str, Any] | None]]


def split_items(body: bytes, known: Container[bytes]) -> SplitList | None:
    """The parts of a list; None if the body is not a plain valid list and must be parsed as a whole. Never raises.

    The result equals what `parse_json` returns for the whole body. Proof: with an unguessable placeholder instead of
    the array, the rest is valid JSON and its `items` is the placeholder, so exactly the array was cut out.
    """
    try:
        text = body.decode()
        found = _ITEMS.search(text)
        if found is None:
            return None
        spans, end = _item_spans(text, found.end())
    except (ValueError, RecursionError):  # ValueError includes bad UTF-8
        return None
    placeholder = token_hex()
    envelope = parse_json(f'{text[: found.end()]}"{placeholder}"{text[end:]}'.encode())
    if not isinstance(envelope, dict) or envelope.get("items") != placeholder:
        return None
    envelope["items"] = []
    items: list[tuple[bytes, dict[str, Any] | None]] = []
    for start, stop in spans:
        item_text = text[start:stop].encode()
        digest = sha256(item_text).digest()
        is_known = digest in known
        item = None if is_known else parse_json(item_text)
        if not is_known and not isinstance(item, dict):
            return None
        items.append((digest, item if isinstance(item, dict) else None))
    return SplitList(envelope, items)


def _item_spans(text: str, at: int) -> tuple[list[tuple[int, int]], int]:
    """Start and end of each item of the array that begins at `at`, and the end of the array.

    Raises ValueError or RecursionError.
    """
    spans: list[tuple[int, int]] = []
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == "]":
        return spans, at + 1
    while True:
        _, end = _decode_one(text, at)
        spans.append((at, end))
        at = _skip_space(text, end)
        if text[at : at + 1] == "]":
            return spans, at + 1
        if text[at : at + 1] != ",":
            raise ValueError("not an array")
        at = _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


BILLING_MODE = "os.modelarts/billing.mode"
LOCK_ACTION = "os.modelarts.node/lock.action"
# 16 digits, one for each card, 1 for a card in use.
TOPOLOGY = "os.modelarts/npu-topology-placement"
# The ID of the job that has the whole cabinet for itself.
CABINET_EXCLUSIVE = "os.modelarts.node/volcano.scheduler.cabinet-exclusive"
# Bits of spec.controlMode, page ShowPool. The other bits limit changes of billing and of the flavor, and services.
_FROZEN = {8: "arrears", 16: "by the police"}
# nvidia.com/gpu, huawei.com/ascend-snt9, and the names that device plugins give to parts and siblings of these.
_ACCELERATOR = re.compile(r"nvidia\.com/(?:gpu|mig-)|huawei\.com/(?:ascend|npu)", re.IGNORECASE)
_STATES = ("creating", "available", "abnormal", "deleting")
# The status fields are int32 in the CRD.
_MAX_COUNT = 2**31 - 1
_MAX_TEXT = 253
_MAX_TOKEN = 4096

B = TypeVar("B", bound=Named)
# Node pools by the digest of the item that they were read from.
KnownItems = dict[bytes, CloudNodePool]


def read_node_pools(body: bytes, known: KnownItems | None = None) -> dict[str, CloudNodePool]:
    """The body of list_node_pools, complete. Raises errors.MalformedAnswer.

    Items in `known` are not parsed again. `known` is updated for the next call.
    """
    known = {} if known is None else known
    read: KnownItems = {}
    split = split_items(body, known)
    if split is None:
        node_pools = [_read_item(item) for item in whole_list(body, "NodePoolList")]
    else:
        _check_kind(split.envelope, "NodePoolList")
        _check_whole(split.envelope)
        for digest, item in split.items:
            read[digest] = known[digest] if item is None else _read_item(item)
        node_pools = [read[digest] for digest, _ in split.items]
    found: dict[str, CloudNodePool] = {}
    for node_pool in node_pools:
        found[_new_name(node_pool.name, found)] = node_pool
    known.clear()
    known.update(read)
    return found


def read_node_pool(body: bytes, name: str) -> CloudNodePool:
    """The body of show_node_pool for the node pool of this name. Raises errors.MalformedAnswer."""
    return _to_node_pool(name, _check_name(NodePoolBody.model_validate(_object(body, "NodePool")), name))


def read_resource_pools(body: bytes) -> dict[str, CloudResourcePool]:
    """The body of list_pools, complete. Raises errors.MalformedAnswer."""
    found: dict[str, CloudResourcePool] = {}
    for item in whole_list(body, "PoolList"):
        part = ObjectBody.model_validate(item)
        name = _new_name(part.name, found)
        found[name] = _to_resource_pool(name, part)
    return found


def read_resource_pool(body: bytes, name: str) -> CloudResourcePool:
    """The body of show_pool for the resource pool of this name. Raises errors.MalformedAnswer."""
    return _to_resource_pool(name, _check_name(ObjectBody.model_validate(_object(body, "Pool")), name))


def read_nodes(body: bytes) -> tuple[list[CloudNode], str | None]:
    """One page of list_node_pool_nodes, and the token of the next page. Raises errors.MalformedAnswer."""
    document = _object(body, "NodeList")
    nodes = [_to_node(ObjectBody.model_validate(item)) for item in _items(document)]
    return nodes, _next_page(document)


def _read_item(item: dict[str, Any]) -> CloudNodePool:
    body = NodePoolBody.model_validate(item)
    return _to_node_pool(_new_name(body.name, {}), body)


def _check_name(body: B, name: str) -> B:
    if body.name != name:
        raise MalformedAnswer(f"metadata.name is {quote_value(body.name)} instead of {name}")
    return body


def _to_resource_pool(name: str, body: ObjectBody) -> CloudResourcePool:
    annotations = body.known_metadata.annotations
    billing = Billing.UNKNOWN if isinstance(annotations, Unreadable) else _billing(annotations.get(BILLING_MODE))
    return CloudResourcePool(name=name, billing=billing, phase=sanitize(body.phase, 64), frozen=_frozen(body))


def _frozen(body: ObjectBody) -> str:
    mode = body.spec.control_mode if isinstance(body.spec, ObjectSpec) else None
    return ", ".join(words for bit, words in _FROZEN.items() if isinstance(mode, int) and mode & bit)


def _to_node(body: ObjectBody) -> CloudNode:
    name = _new_name(body.name, {})
    annotations = body.known_metadata.annotations
    if isinstance(annotations, Unreadable):
        # Whether a node is locked must not be guessed.
        raise MalformedAnswer(f"the annotations of node {quote_value(name)} are not a map")
    mode, lock = annotations.get(BILLING_MODE), annotations.get(LOCK_ACTION)
    return CloudNode(
        name=sanitize(name, _MAX_TEXT),
        # A node without a billing mode is billed like its resource pool.
        billing=None if mode is None else _billing(mode),
        is_locked=lock is not None and lock != "",
        phase=sanitize(body.phase, 64),
        host_ip=to_host_ip(body.known_status.private_ip),
        is_in_use=_is_in_use(body, annotations),
        reason=to_text(body.known_status.reason) or to_text(body.known_status.message),
    )


def to_host_ip(text: object) -> str:
    """An address in the one form in which two can be compared; "" if there is none or if it stands for none."""
    return _one_form(text.strip()) if isinstance(text, str) else ""


@lru_cache(maxsize=8192)
def _one_form(text: str) -> str:
    # Cached: ten thousand jobs name the same few hundred nodes.
    try:
        address = ip_address(text)
    except ValueError:
        # An address of an unknown form equals itself.
        return sanitize(text, _MAX_TEXT)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return "" if address.is_unspecified else str(address)


def _is_in_use(body: ObjectBody, annotations: Mapping[str, object]) -> bool | None:
    """Whether the node shows accelerators in use; None if it has no accelerators or does not say."""
    said = [_shows_cards_in_use(annotations.get(TOPOLOGY)), *_accelerators_in_use(body.known_status)]
    labels = body.known_metadata.labels
    if isinstance(labels, dict) and labels.get(CABINET_EXCLUSIVE):
        said.append(True)
    known = [each for each in said if each is not None]
    return any(known) if known else None


def _shows_cards_in_use(topology: object) -> bool | None:
    digits = topology.strip() if isinstance(topology, str) else ""
    return "1" in digits if digits and set(digits) <= {"0", "1"} else None


def _accelerators_in_use(status: ObjectStatus) -> Iterator[bool]:
    """For each kind of accelerator whose two numbers can be read, whether fewer are available than there are."""
    if isinstance(status.resources, Unreadable) or isinstance(status.available_resources, Unreadable):
        return
    for key, value in status.resources.items():
        total, available = read_count(value), read_count(status.available_resources.get(key))
        if _ACCELERATOR.match(key) and isinstance(total, int) and isinstance(available, int):
            yield available < total


def _billing(mode: object) -> Billing:
    # The values are strings; a number instead means the same.
    return {"0": Billing.PAY_PER_USE, "1": Billing.YEARLY_MONTHLY}.get(str(mode).strip(), Billing.UNKNOWN)


def _object(body: bytes, kind: str) -> Mapping[str, Any]:
    document = parse_json(body)
    if not isinstance(document, dict):
        raise MalformedAnswer("the body is not a JSON object")
    _check_kind(document, kind)
    return document


def _check_kind(document: Mapping[str, Any], kind: str) -> None:
    if document.get("kind") != kind:
        raise MalformedAnswer(f"kind is {quote_value(document.get('kind'))} instead of {kind}")


def _items(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "items" not in document:
        raise MalformedAnswer("`items` is missing")
    items = document["items"]
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedAnswer("`items` is not a list of objects")
    return items


def whole_list(body: bytes, kind: str) -> list[dict[str, Any]]:
    """The items of a list that has no continue token. Raises errors.MalformedAnswer."""
    document = _object(body, kind)
    _check_whole(document)
    return _items(document)


def _check_whole(document: Mapping[str, Any]) -> None:
    if _next_page(document) is not None:
        raise MalformedAnswer("it has a continue token, and this operation has none")


def _next_page(document: Mapping[str, Any]) -> str | None:
    metadata = document.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise MalformedAnswer("the list's metadata is not an object")
    token = metadata.get("continue")
    if token is not None and token != "":
        if not _fits_url(token):
            raise MalformedAnswer(f"the continue token is {quote_value(token)}")
        return token
    if read_count(metadata.get("remainingItemCount")):
        raise MalformedAnswer("items remain and there is no continue token")
    return None


def _fits_url(token: object) -> TypeGuard[str]:
    # A lone surrogate has no UTF-8; the gateway refuses more than 32 KB for the whole URI.
    return isinstance(token, str) and len(token) <= _MAX_TOKEN and token.isprintable()


def _new_name(name: object, found: Mapping[str, object]) -> str:
    if not isinstance(name, str) or not name:
        raise MalformedAnswer("an item has no metadata.name")
    if name in found:
        raise MalformedAnswer(f"{quote_value(name)} is in the list twice")
    return name


@dataclass(slots=True)
class _Problems:
    """What could not be read in one node pool."""

    found: list[str] = field(default_factory=list)

    def count(self, part: PoolResourceFlavorCount, path: str) -> int:
        """The number of nodes in a part; 0 and a problem if it cannot be read."""
        if isinstance(part.count, Unreadable):
            self.found.append(f"{path}.count is {part.count}, not a number of nodes")
            return 0
        if part.count is not None:
            return part.count
        inferred = _inferred_count(part)
        if inferred is None:
            self.found.append(f"{path}.count is missing, and {_why_not_inferred(part)}")
        return inferred or 0

    def total(self, numbers: Iterable[int], path: str) -> int:
        """The sum; 0 and a problem if it does not fit an int32."""
        total = sum(numbers)
        if total > _MAX_COUNT:
            self.found.append(f"{path} is too large a number of nodes")
            return 0
        return total

    def check_object(self, value: object, path: str) -> None:
        """Record a value that is not an object."""
        if isinstance(value, Unreadable):
            self.found.append(f"{path} is {value}, not an object")


def _to_node_pool(name: str, body: NodePoolBody) -> CloudNodePool:
    """The node pool; `counts` is None if its numbers cannot be read."""
    problems = _Problems()
    counts = _counts(body, problems)
    shape = _shape(body, problems)
    if problems.found:
        return CloudNodePool(name=name, counts=None, shape=shape, problem="; ".join(problems.found[:3]))
    return CloudNodePool(name=name, counts=counts, shape=shape)


def _counts(body: NodePoolBody, problems: _Problems) -> Counts:
    problems.check_object(body.status, "status")
    if body.status is None or isinstance(body.status, Unreadable):
        return Counts()
    by_state = dict.fromkeys(_STATES, 0)
    for resources in body.status.resources:
        if isinstance(resources, Unreadable):
            problems.check_object(resources, "status.resources")
            continue
        for state in _STATES:
            by_state[state] += _state_count(resources, state, problems)
    for state, number in by_state.items():
        by_state[state] = problems.total([number], f"status.resources.{state}")
    return Counts(**by_state)


def _state_count(resources: StateResources, state: str, problems: _Problems) -> int:
    path = f"status.resources.{state}"
    flavors: tuple[PoolResourceFlavorCount | Unreadable, ...] = getattr(resources, state)
    total = 0
    for flavor in flavors:
        if isinstance(flavor, Unreadable):
            problems.check_object(flavor, path)
        else:
            total += problems.count(flavor, path)
    return total


def _shape(body: NodePoolBody, problems: _Problems) -> NodePoolShape:
    problems.check_object(body.spec, "spec")
    if body.spec is None or isinstance(body.spec, Unreadable):
        return NodePoolShape()
    resources: list[PoolResource] = []
    for resource in body.spec.resources:
        problems.check_object(resource, "spec.resources")
        if not isinstance(resource, Unreadable):
            resources.append(resource)
    counts = [problems.count(resource, "spec.resources") for resource in resources]
    return NodePoolShape(
        flavor=",".join(sorted({to_text(resource.flavor) for resource in resources} - {""})),
        count=problems.total(counts, "spec.resources.count"),
        max_count=_max_count(resources, counts),
        azs=_zones(zone for resource in resources for zone in resource.azs),
    )


def _inferred_count(part: PoolResourceFlavorCount) -> int | None:
    """The count of a part without `count`; None if nothing else says it, or if the parts contradict each other.

    The zones add up to the count. maxCount is the count in a physical resource pool and an upper bound in a logical
    one: it is used if no zone has a number. It contradicts zones that add up to more, or to zero.
    """
    largest = part.max_count
    numbers = [zone if isinstance(zone, Unreadable) else zone.count for zone in part.azs]
    if any(isinstance(number, Unreadable) for number in (largest, *numbers)):
        return None
    known = [number for number in numbers if isinstance(number, int)]
    if not known:
        return largest if isinstance(largest, int) else None
    total = sum(known)
    if len(known) < len(numbers):
        return None
    is_contradicted = isinstance(largest, int) and (total > largest or (total == 0 and largest > 0))
    return None if is_contradicted else total


def _why_not_inferred(part: PoolResourceFlavorCount) -> str:
    if isinstance(part.max_count, Unreadable):
        return f"maxCount is {part.max_count}"
    return "azs and maxCount do not imply it" if part.azs else "neither azs nor maxCount implies it"


def _max_count(resources: list[PoolResource], counts: list[int]) -> int:
    # A missing or unreadable maxCount is the count, as in every physical resource pool.
    pairs = zip(resources, counts, strict=True)
    numbers = (resource.max_count if isinstance(resource.max_count, int) else count for resource, count in pairs)
    return min(sum(numbers), _MAX_COUNT)


def _zones(zones: Iterable[PoolNodeAz | Unreadable]) -> tuple[ZoneCount, ...]:
    totals: dict[str, int] = {}
    for zone in zones:
        if isinstance(zone, Unreadable) or isinstance(zone.count, Unreadable) or not to_text(zone.az):
            continue
        name = to_text(zone.az)
        totals[name] = min(totals.get(name, 0) + (zone.count or 0), _MAX_COUNT)
    return tuple(ZoneCount(az=name, count=totals[name]) for name in sorted(totals))


def to_text(value: str | Unreadable | None) -> str:
    """A text that is fit for messages; "" if there is none."""
    return sanitize(value, _MAX_TEXT) if isinstance(value, str) else ""
