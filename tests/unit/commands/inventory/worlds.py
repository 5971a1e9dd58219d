"""A small world for the tests of the inventory: accounts, objects, and what the cloud showed."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from modelarts_nodepool.api.names import NODE_POOL_FINALIZER
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.commands.inventory.model import SeenCluster, SeenPool, SeenWorkspace, workspace_of
from modelarts_nodepool.ports import Billing, CloudNodePool, CloudResourcePool
from tests.support.builders import NOON, PROJECT, a_cloud_node_pool, an_account

GRANT_ALL = {"namespaces": ["*"], "resourcePools": ["*"]}


def account(
    name: str = "default", *grants: Mapping[str, Any], project: str = PROJECT, workspace_id: str = "0"
) -> Account:
    built = an_account(name)
    spec = {**built.spec, "projectId": project, "workspace": workspace_id, "grants": list(grants) or [GRANT_ALL]}
    return Account.from_body({"metadata": dict(built.metadata), "spec": spec})


def an_object(
    name: str,
    pool: str = "pool-a",
    namespace: str = "ml",
    *,
    deleted: bool = False,
    finalizers: Iterable[str] = (),
    **spec: Any,  # noqa: ANN401 - JSON
) -> NodePool:
    metadata: dict[str, Any] = {
        "uid": f"{namespace}/{name}",
        "name": name,
        "namespace": namespace,
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-02T00:00:00Z",
        "finalizers": list(finalizers),
    }
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-03T00:00:00Z"
    status = spec.pop("status", {})
    return NodePool.from_body({"metadata": metadata, "spec": {"poolName": pool} | spec, "status": status})


def a_held(name: str, hours: float, counts: Mapping[str, int] | None = None, **spec: Any) -> NodePool:  # noqa: ANN401 - JSON
    """An object whose deletion has been held for so long at NOON."""
    condition = {
        "type": "DeletionBlocked",
        "status": "True",
        "reason": "LastNodePool",
        "message": "held",
        "observedGeneration": 2,
        "lastTransitionTime": (NOON - timedelta(hours=hours)).isoformat(),
    }
    status: dict[str, Any] = {"conditions": [condition]} | ({} if counts is None else {"counts": counts})
    return an_object(name, deleted=True, finalizers=[NODE_POOL_FINALIZER], status=status, **spec)


def pool(
    name: str, *node_pools: CloudNodePool | str, billing: Billing = Billing.PAY_PER_USE, listed: bool = True
) -> SeenPool:
    found = [a_cloud_node_pool(each, available=2) if isinstance(each, str) else each for each in node_pools]
    resource_pool = CloudResourcePool(name=name, billing=billing, phase="Running")
    return SeenPool(resource_pool, {each.name: each for each in found} if listed else None, "" if listed else "no")


def workspace(accounts: Iterable[Account], *pools: SeenPool, listed: bool = True) -> SeenWorkspace:
    named = tuple(accounts)
    found = {each.resource_pool.name: each for each in pools} if listed else None
    return SeenWorkspace(workspace_of(named[0]), named, found, "" if listed else "no")


def cluster(accounts: Iterable[Account], *objects: NodePool, **namespaces: Mapping[str, str]) -> SeenCluster:
    known: dict[str, Mapping[str, str]] = {"ml": {}} | namespaces
    return SeenCluster(objects, {each.metadata.name: each for each in accounts}, known, NOON)
