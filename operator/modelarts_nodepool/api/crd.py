"""The two CustomResourceDefinitions, built from the models.

tools/generate.py writes them to crds/. doctor compares them with those in the cluster. The models are the only
source of fields. `to_structural` turns them into structural OpenAPI v3 schemas: no $ref, no anyOf with null, every node
has a type. The rest adds what belongs to the whole kind: names, columns, root rules. See
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from modelarts_nodepool.api import names
from modelarts_nodepool.api.account import AccountSpec, AccountStatus
from modelarts_nodepool.api.meta import WireModel, rule, to_text
from modelarts_nodepool.api.node_pool import NodePoolSpec, NodePoolStatus

_DROPPED = frozenset({"title", "$defs", "$ref", "const"})
# In the order of interest to a reader of the file.
_FIRST = ("description", "type", "format", "enum", "pattern", "default")
_LAST = ("required", "properties", "additionalProperties", "items")


class _WithoutNull(GenerateJsonSchema):
    """An optional field may be omitted. Kubernetes prunes null, so the schema has no null."""

    @override
    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    @override
    def encode_default(self, dft: Any) -> Any:
        return to_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def to_structural(model: type[WireModel], *, keep_defaults: bool = True) -> dict[str, Any]:
    """The schema of one model. Without defaults for a status: the API server must not write into it."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_WithoutNull)
    return _node(schema, schema.get("$defs", {}), keep_defaults=keep_defaults)


def _node(schema: Mapping[str, Any], definitions: Mapping[str, Any], *, keep_defaults: bool) -> dict[str, Any]:
    whole = dict(schema)
    if "$ref" in schema:
        # The keys of the field, such as its description, override those of the class.
        whole = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **schema}
    if "const" in whole:
        whole["enum"] = [whole["const"]]
    middle = sorted(set(whole) - {*_FIRST, *_LAST, *_DROPPED})
    node = {key: whole[key] for key in (*_FIRST, *middle, *_LAST) if key in whole}
    if not keep_defaults:
        node.pop("default", None)
    if "type" not in node:
        message = f"{sorted(node)} has no single type: a structural schema cannot express this"
        raise TypeError(message)

    def inner(part: Mapping[str, Any]) -> dict[str, Any]:
        return _node(part, definitions, keep_defaults=keep_defaults)

    if "properties" in node:
        node["properties"] = {name: inner(part) for name, part in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), Mapping):
            node[key] = inner(node[key])
    return node


_EFFECTIVE = "(has({0}.spec.nodePoolName) ? {0}.spec.nodePoolName : {0}.metadata.name)"

# There from the first version, see api/meta.py. The first is a transition rule; the second can never
# turn false later, because metadata.name never changes and the first keeps the effective name.
_NODE_POOL_ROOT_RULES = [
    rule(
        f"{_EFFECTIVE.format('self')} == {_EFFECTIVE.format('oldSelf')}",
        "nodePoolName is immutable: this object always refers to the same node pool in the cloud. Create "
        "another object for another node pool; to drop this object and keep its node pool, set deletionPolicy: "
        "Retain and then delete the object.",
        field_path=".spec.nodePoolName",
    ),
    rule(
        f"has(self.spec.nodePoolName) || self.metadata.name.matches('{names.NODE_POOL_NAME_PATTERN}')",
        f"metadata.name is too long for the name of a node pool, which has at most {names.LONGEST_NODE_POOL_NAME} "
        "characters. Set spec.nodePoolName to the name in the cloud.",
        cause="FieldValueRequired",
        field_path=".spec.nodePoolName",
    ),
]

_ANNOTATIONS = {
    # Deleting a CRD deletes every object of its kind, so GitOps tools must not do it.
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "helm.sh/resource-policy": "keep",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def build_node_pool_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of ModelArtsNodePool."""
    schema = _object_schema(
        "A node pool of a ModelArts resource pool. Its status shows the nodes by state. Deleting the object "
        "permanently deletes the node pool in the cloud, unless spec.deletionPolicy is Retain.",
        NodePoolSpec,
        NodePoolStatus,
    )
    schema["x-kubernetes-validations"] = _NODE_POOL_ROOT_RULES
    return _definition(
        scope="Namespaced",
        kind=names.NODE_POOL_KIND,
        plural=names.NODE_POOL_PLURAL,
        short=names.NODE_POOL_SHORT,
        version={
            "selectableFields": [{"jsonPath": ".spec.poolName"}, {"jsonPath": ".spec.accountRef.name"}],
            "additionalPrinterColumns": _node_pool_columns(),
            "schema": {"openAPIV3Schema": schema},
        },
    )


def build_account_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of ModelArtsAccount."""
    schema = _object_schema(
        "A cloud project: how the operator logs in to it, who may use it for which resource pools, and how "
        "many node pools may be deleted in how much time.",
        AccountSpec,
        AccountStatus,
    )
    return _definition(
        scope="Cluster",
        kind=names.ACCOUNT_KIND,
        plural=names.ACCOUNT_PLURAL,
        short=names.ACCOUNT_SHORT,
        version={
            "additionalPrinterColumns": _account_columns(),
            "schema": {"openAPIV3Schema": schema},
        },
    )


def _definition(*, scope: str, kind: str, plural: str, short: str, version: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}", "annotations": dict(_ANNOTATIONS)},
        "spec": {
            "group": names.GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": [names.CATEGORY],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    **version,
                }
            ],
        },
    }


def _object_schema(description: str, spec: type[WireModel], status: type[WireModel]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{names.API_VERSION}."},
            "kind": {"type": "string", "description": "The kind of this object."},
            # The API server defines metadata itself and ignores a description.
            "metadata": {"type": "object"},
            "spec": to_structural(spec),
            # Without the default, kstatus reports an object as done before the operator has seen it.
            "status": {**to_structural(status, keep_defaults=False), "default": {"observedGeneration": -1}},
        },
    }


def _node_pool_columns() -> list[dict[str, Any]]:
    return [
        _column("Pool", ".status.identity.poolName", "The resource pool."),
        _column("NodePool", ".status.identity.nodePoolName", "The node pool in the cloud."),
        _column("Ready", _condition("Ready", "status"), "Whether the node pool can run jobs."),
        _column("Reason", _condition("Ready", "reason"), "Why."),
        *(
            _column(state.capitalize(), f".status.counts.{state}", f"Nodes {state}.", kind="integer")
            for state in ("creating", "available", "abnormal", "deleting")
        ),
        _column("Age", ".metadata.creationTimestamp", "Time since the object was created.", kind="date"),
        _column("Account", ".spec.accountRef.name", "The ModelArtsAccount.", wide=True),
        _column("Flavor", ".status.nodePool.flavor", "The flavor of the nodes.", wide=True),
        _column("Policy", ".spec.deletionPolicy", "What deleting the object does.", wide=True),
        _column("Healthy", _condition("NodesHealthy", "status"), "Whether no node is abnormal.", wide=True),
        _column("Blocked", _condition("DeletionBlocked", "reason"), "Why the deletion is held.", wide=True),
        _column("Message", _condition("Ready", "message"), "The state and the next step.", wide=True),
    ]


def _account_columns() -> list[dict[str, Any]]:
    return [
        _column("Region", ".spec.region", "The region."),
        _column("Project", ".spec.projectId", "The project ID."),
        _column("Ready", _condition("Ready", "status"), "Whether the operator can use the account."),
        _column("Reason", _condition("Ready", "reason"), "Why."),
        _column("Age", ".metadata.creationTimestamp", "Time since the account was created.", kind="date"),
        _column("Workspace", ".spec.workspace", "The ModelArts workspace ID.", wide=True),
        _column("Source", ".spec.credentials.source", "Where the credentials come from.", wide=True),
        _column("Message", _condition("Ready", "message"), "The state and the next step.", wide=True),
    ]


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


def _column(name: str, path: str, description: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path, "description": description}
    # The API server drops a priority of 0; Argo CD would always show the CRD as OutOfSync.
    return column | ({"priority": 1} if wide else {})
