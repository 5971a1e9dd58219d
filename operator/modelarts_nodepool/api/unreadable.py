"""A ModelArtsNodePool or ModelArtsAccount that this version of the operator cannot read.

The cache keeps it apart from all other objects, because no decision may send or release anything by it. Its own status
shows InvalidObject (controllers/unreadable.py), and it holds the deletion of others with its node pool.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from modelarts_nodepool.api.account import AccountSpec, AccountStatus
from modelarts_nodepool.api.meta import Condition
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.api.node_pool import AccountRef, NodePoolSpec, NodePoolStatus
from modelarts_nodepool.api.objects import Metadata
from modelarts_nodepool.logs import clean

_PLACES = {
    NodePoolSpec.__name__: "spec",
    AccountSpec.__name__: "spec",
    NodePoolStatus.__name__: "status",
    AccountStatus.__name__: "status",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableObject:
    """The readable parts of the object.

    - `seen`: when this version of the object arrived (monotonic seconds).
    - `problem`: path and short reason of the first unreadable field; never a value.
    - `account`, `pool_name`, `node_pool_name`: the names in spec, None if unreadable.
    - `conditions`, `observed_generation`: the readable ones in its status; `has_status`: whether it has a status.
    """

    metadata: Metadata
    seen: float
    problem: str
    account: str | None
    pool_name: str | None
    node_pool_name: str | None
    conditions: tuple[Condition, ...]
    observed_generation: object
    has_status: bool

    @classmethod
    def from_body(cls, body: Mapping[str, Any], error: Exception, seen: float) -> "UnreadableObject":
        """`error`: why it cannot be read. Raises KeyError or ValueError if its metadata cannot be read either."""
        metadata = Metadata.from_body(body)
        spec, status = _mapping(body.get("spec")), body.get("status")
        return cls(
            metadata=metadata,
            seen=seen,
            problem=_problem_of(error),
            account=_account_of(spec),
            pool_name=_text(spec.get("poolName")),
            node_pool_name=_text(metadata.name if spec.get("nodePoolName") is None else spec["nodePoolName"]),
            conditions=_readable(_mapping(status).get("conditions")),
            observed_generation=_mapping(status).get("observedGeneration"),
            has_status=isinstance(status, Mapping),
        )

    @property
    def title(self) -> str:
        """`namespace/name`, as logs and messages name the object."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def is_node_pool(self) -> bool:
        """Whether it is a ModelArtsNodePool: accounts have no namespace."""
        return bool(self.metadata.namespace)

    @property
    def is_protected(self) -> bool:
        """Whether our finalizer is on the object."""
        return NODE_POOL_FINALIZER in self.metadata.finalizers

    @property
    def is_in_our_hands(self) -> bool:
        """False if it is being deleted without our finalizer: it was released or never protected."""
        return self.metadata.deleted is None or self.is_protected


def _problem_of(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join([_PLACES.get(error.title, error.title), *map(str, first["loc"])])
    return clean(f"{path}: {first['msg']}")


def _account_of(spec: Mapping[str, Any]) -> str | None:
    reference = spec.get("accountRef")
    if reference is None:
        return AccountRef().name
    if not isinstance(reference, Mapping):
        return None
    return _text(reference.get("name", AccountRef().name))


def _readable(conditions: object) -> tuple[Condition, ...]:
    if not isinstance(conditions, list):
        return ()
    found = []
    for each in conditions:
        try:
            found.append(Condition.model_validate(each))
        except ValidationError:
            continue
    return tuple(found)


def _mapping(given: object) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None
