"""Bodies of the objects that the operator works on. Pure."""

import base64
from typing import Any

from lab.harness.operator import OPERATOR_NAMESPACE
from modelarts_nodepool.api.names import ACCOUNT_KIND, API_VERSION, CREDENTIALS_LABEL, NODE_POOL_KIND

Body = dict[str, Any]


def build_account(name: str, *, region: str, project_id: str, secret: str, grants: list[Body], **spec: object) -> Body:
    """A ModelArtsAccount; `spec` says more about it."""
    return {
        "apiVersion": API_VERSION,
        "kind": ACCOUNT_KIND,
        "metadata": {"name": name},
        "spec": {
            "region": region,
            "projectId": project_id,
            "credentials": {"source": "Secret", "secretName": secret},
            "grants": grants,
            **spec,
        },
    }


def build_secret(name: str, **values: str) -> Body:
    """A Secret in the operator's namespace that the operator may read."""
    metadata = {"name": name, "namespace": OPERATOR_NAMESPACE, "labels": {CREDENTIALS_LABEL: "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encode(values)}


def encode(values: dict[str, str]) -> dict[str, str]:
    """The data of a Secret."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def build_node_pool(
    name: str, *, account: str, resource_pool: str, metadata: Body | None = None, **spec: object
) -> Body:
    """A ModelArtsNodePool; `metadata` and `spec` say more about it."""
    return {
        "apiVersion": API_VERSION,
        "kind": NODE_POOL_KIND,
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"accountRef": {"name": account}, "poolName": resource_pool, **spec},
    }
