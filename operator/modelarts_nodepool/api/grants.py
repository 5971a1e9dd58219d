"""Grants: which namespaces may use which resource pools of an account. A part of ModelArtsAccount's spec.

`Grant.allows` is checked for every object before any request to ModelArts. Nothing is granted by default.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from modelarts_nodepool.api.cel import ATOMIC, checked, rule
from modelarts_nodepool.api.model import WireModel
from modelarts_nodepool.api.names import LONGEST_RESOURCE_POOL_NAME, RESOURCE_POOL_NAME_PATTERN

_ANY = "*"

_Namespace = Annotated[str, Field(pattern=r"^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$", min_length=1, max_length=63)]
_ResourcePool = Annotated[
    str,
    Field(pattern=rf"^(\*|{RESOURCE_POOL_NAME_PATTERN[1:-1]})$", min_length=1, max_length=LONGEST_RESOURCE_POOL_NAME),
]
_LabelValue = Annotated[str, Field(max_length=63)]

_ONE_WAY = rule(
    "has(self.namespaces) != has(self.namespaceSelector)",
    'a grant needs either namespaces or namespaceSelector, not both. For all namespaces write namespaces: ["*"].',
)


class NamespaceSelector(WireModel):
    """Selects namespaces by label."""

    match_labels: Annotated[
        dict[str, _LabelValue],
        Field(description="Labels that a namespace must all have.", min_length=1, max_length=16),
    ]


class Grant(WireModel):
    """Lets objects in some namespaces use some resource pools of this account."""

    model_config = ConfigDict(json_schema_extra=checked(_ONE_WAY))

    namespaces: Annotated[
        tuple[_Namespace, ...] | None,
        Field(
            description='Namespaces by name; "*" means all. Either this or namespaceSelector.',
            min_length=1,
            max_length=256,
            json_schema_extra=ATOMIC,
        ),
    ] = None
    namespace_selector: Annotated[
        NamespaceSelector | None,
        Field(description="Namespaces by label. Either this or namespaces."),
    ] = None
    resource_pools: Annotated[
        tuple[_ResourcePool, ...],
        Field(
            description='Resource pools by metadata.name; "*" means all.',
            min_length=1,
            max_length=256,
            json_schema_extra=ATOMIC,
        ),
    ]

    def allows(self, namespace: str, labels: dict[str, str], resource_pool: str) -> bool:
        """Whether an object in this namespace with these labels may use this resource pool."""
        if _ANY not in self.resource_pools and resource_pool not in self.resource_pools:
            return False
        names = self.namespaces or ()
        if _ANY in names or namespace in names:
            return True
        wanted = self.namespace_selector.match_labels if self.namespace_selector else {}
        return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())
