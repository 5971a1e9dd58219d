"""From a pydantic model to a structural OpenAPI v3 schema for a CustomResourceDefinition.

Called by api/crd.py only. Structural means: no $ref, no anyOf with null, every node has a type.
See https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from modelarts_nodepool.api.durations import to_text
from modelarts_nodepool.api.model import WireModel

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
