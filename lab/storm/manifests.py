"""A plan as the API server and the simulator want to be told of it. Pure."""

import base64
from typing import Any

from lab.demo.samples import OPERATOR_NAMESPACE
from lab.storm.cases import Case
from lab.storm.ground import (
    ACCOUNT_OF,
    ACCOUNTS,
    DOOMED_NAMESPACE,
    LAST_RESOURCE_POOL,
    NAMESPACES,
    SPARE,
    AccountPlan,
    ObjectPlan,
    Plan,
)
from modelarts_nodepool.api.names import ACCOUNT_KIND, API_VERSION, CREDENTIALS_LABEL, NODE_POOL_KIND

Body = dict[str, Any]
FOREIGN_FINALIZER = "storm.example.com/slow"
_WITH_FOREIGN = frozenset({Case.FOREIGN, Case.OVERRIDDEN})


def build_scenario(plan: Plan) -> Body:
    """The simulated cloud before the storm."""
    return {
        "timings": dict(plan.timings),
        "shape": dict(plan.shape),
        "credentials": [
            {"accessKey": keys[0][0], "secretKey": keys[0][1]}
            for keys in (plan.secrets[account.name] for account in ACCOUNTS)
        ],
        "resourcePools": [_resource_pool(plan, name) for name in ACCOUNT_OF],
    }


def _resource_pool(plan: Plan, name: str) -> Body:
    planned = [one for one in plan.objects if one.resource_pool == name]
    node_pools = {one.node_pool: {"name": one.node_pool, **one.cloud} for one in planned}
    is_without_spare = name == LAST_RESOURCE_POOL and any(one.case is Case.LAST for one in planned)
    if not is_without_spare:
        node_pools[SPARE] = {"name": SPARE, "count": 1}
    return {"name": name, "billingMode": "0", "nodePools": list(node_pools.values())}


def build_account(account: AccountPlan, region: str, project_id: str) -> Body:
    """A ModelArtsAccount that grants its resource pools to every namespace of the storm."""
    return {
        "apiVersion": API_VERSION,
        "kind": ACCOUNT_KIND,
        "metadata": {"name": account.name},
        "spec": {
            "region": region,
            "projectId": project_id,
            "credentials": {"source": "Secret", "secretName": f"key-{account.name}"},
            "grants": [
                {"namespaces": [*NAMESPACES, DOOMED_NAMESPACE], "resourcePools": list(account.resource_pools)},
            ],
            "pollInterval": "2s",
            "activePollInterval": "1s",
            "deletionBudget": dict(account.budget),
            "requireConfirmation": account.asks_confirmation,
        },
    }


def build_secret(account: str, key: tuple[str, str]) -> Body:
    """The Secret of an account with one of its keys."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"key-{account}",
            "namespace": OPERATOR_NAMESPACE,
            "labels": {CREDENTIALS_LABEL: "true"},
        },
        "data": encode_key(key),
    }


def encode_key(key: tuple[str, str]) -> dict[str, str]:
    """The Secret's data."""
    return {
        name: base64.b64encode(value.encode()).decode()
        for name, value in zip(("accessKey", "secretKey"), key, strict=True)
    }


def build_object(planned: ObjectPlan) -> Body:
    """The ModelArtsNodePool."""
    finalizers = {"finalizers": [FOREIGN_FINALIZER]} if planned.case in _WITH_FOREIGN else {}
    return {
        "apiVersion": API_VERSION,
        "kind": NODE_POOL_KIND,
        "metadata": {
            "name": planned.name,
            "namespace": planned.namespace,
            "annotations": dict(planned.annotations),
            **finalizers,
        },
        "spec": {
            "accountRef": {"name": planned.account.name},
            "poolName": planned.resource_pool,
            "nodePoolName": planned.node_pool,
            "deletionPolicy": "Retain" if planned.case is Case.RETAINED else "Delete",
        },
    }
