"""A node pool's numbers out of its wire model. Pure; used by modelarts/parse.py.

A number that decisions rest on (nodes by state, nodes asked for) and cannot be read spoils this node pool's
counts and is named in `problem`. Where `count` is left out it is what the zones add up to, else maxCount, as far as
that is unambiguous: an object that the cloud shows is never read as zero nodes by mistake. Beside a count, maxCount and
zones are only shown: unreadable ones are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from modelarts_nodepool.api.node_pool import Counts, NodePoolShape, ZoneCount
from modelarts_nodepool.modelarts.sanitize import plain_words
from modelarts_nodepool.modelarts.wire.loose import Unreadable
from modelarts_nodepool.modelarts.wire.node_pool import (
    NodePoolBody,
    PoolNodeAz,
    PoolResource,
    PoolResourceFlavorCount,
    StateResources,
)
from modelarts_nodepool.ports import CloudNodePool

_STATES = ("creating", "available", "abnormal", "deleting")
# status fields are int32 in the CRD.
_LARGEST = 2**31 - 1
_LONGEST_TEXT = 253


@dataclass(slots=True)
class _Problems:
    """What could not be read, in words."""

    found: list[str] = field(default_factory=list)

    def number(self, part: PoolResource | PoolResourceFlavorCount, path: str) -> int:
        """How many nodes a part speaks of; 0 with a problem where that cannot be told."""
        if isinstance(part.count, Unreadable):
            self.found.append(f"{path}.count is {part.count}, which is no number of nodes")
            return 0
        if part.count is not None:
            return part.count
        inferred = _inferred_count(part)
        if inferred is None:
            self.found.append(f"{path}.count is missing, and {_why_not_inferred(part)}")
        return inferred or 0

    def total(self, numbers: Iterable[int], path: str) -> int:
        """The sum, if it fits."""
        total = sum(numbers)
        if total > _LARGEST:
            self.found.append(f"{path} is too large a number of nodes")
            return 0
        return total

    def shape(self, value: object, path: str) -> None:
        """Note a part that is no object."""
        if isinstance(value, Unreadable):
            self.found.append(f"{path} is {value}, which is no object")


def to_cloud_node_pool(name: str, body: NodePoolBody) -> CloudNodePool:
    """The node pool as the operator sees it; `counts` is None where its numbers cannot be read."""
    problems = _Problems()
    counts = _counts(body, problems)
    shape = _shape(body, problems)
    if problems.found:
        return CloudNodePool(name=name, counts=None, shape=shape, problem="; ".join(problems.found[:3]))
    return CloudNodePool(name=name, counts=counts, shape=shape)


def _counts(body: NodePoolBody, problems: _Problems) -> Counts:
    problems.shape(body.status, "status")
    if body.status is None or isinstance(body.status, Unreadable):
        return Counts()
    by_state = dict.fromkeys(_STATES, 0)
    for resources in body.status.resources:
        if isinstance(resources, Unreadable):
            problems.shape(resources, "status.resources")
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
            problems.shape(flavor, path)
        else:
            total += problems.number(flavor, path)
    return total


def _shape(body: NodePoolBody, problems: _Problems) -> NodePoolShape:
    problems.shape(body.spec, "spec")
    if body.spec is None or isinstance(body.spec, Unreadable):
        return NodePoolShape()
    resources: list[PoolResource] = []
    for resource in body.spec.resources:
        problems.shape(resource, "spec.resources")
        if not isinstance(resource, Unreadable):
            resources.append(resource)
    counts = [problems.number(resource, "spec.resources") for resource in resources]
    return NodePoolShape(
        flavor=",".join(sorted({_text(resource.flavor) for resource in resources} - {""})),
        count=problems.total(counts, "spec.resources.count"),
        max_count=_largest_count(resources, counts),
        azs=_zones(zone for resource in resources for zone in resource.azs),
    )


def _inferred_count(part: PoolResource | PoolResourceFlavorCount) -> int | None:
    """What a part without `count` says of it otherwise; None where it says nothing, or contradicts itself.

    The zones are where the counted nodes are, so they add up to it. maxCount is the same number in a physical resource
    pool and an upper bound in a logical one: it stands for the count where no zone has a number, and it contradicts
    zones that add up to more, or to nothing at all.
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


def _why_not_inferred(part: PoolResource | PoolResourceFlavorCount) -> str:
    if isinstance(part.max_count, Unreadable):
        return f"maxCount is {part.max_count}"
    return "azs and maxCount do not say it" if part.azs else "there is neither azs nor maxCount to take it from"


def _largest_count(resources: list[PoolResource], counts: list[int]) -> int:
    # Where maxCount is left out or unreadable it is the count, as in every physical resource pool.
    pairs = zip(resources, counts, strict=True)
    numbers = (resource.max_count if isinstance(resource.max_count, int) else count for resource, count in pairs)
    return min(sum(numbers), _LARGEST)


def _zones(zones: Iterable[PoolNodeAz | Unreadable]) -> tuple[ZoneCount, ...]:
    totals: dict[str, int] = {}
    for zone in zones:
        if isinstance(zone, Unreadable) or isinstance(zone.count, Unreadable) or not _text(zone.az):
            continue
        name = _text(zone.az)
        totals[name] = min(totals.get(name, 0) + (zone.count or 0), _LARGEST)
    return tuple(ZoneCount(az=name, count=totals[name]) for name in sorted(totals))


def _text(value: str | Unreadable | None) -> str:
    return plain_words(value, _LONGEST_TEXT) if isinstance(value, str) else ""
