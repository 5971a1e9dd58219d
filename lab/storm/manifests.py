"""A plan as the API server and the simulator want to be told of it. Pure."""

from typing import Any

from lab.harness import objects
from lab.storm.cases import Case
from lab.storm.world import (
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
    return objects.build_account(
        account.name,
        region=region,
        project_id=project_id,
        secret=f"key-{account.name}",
        grants=[{"namespaces": [*NAMESPACES, DOOMED_NAMESPACE], "resourcePools": list(account.resource_pools)}],
        pollInterval="2s",
        activePollInterval="1s",
        deletionBudget=dict(account.budget),
        requireConfirmation=account.asks_confirmation,
    )


def build_secret(account: str, key: tuple[str, str]) -> Body:
    """The Secret of an account with one of its keys."""
    access_key, secret_key = key
    return objects.build_secret(f"key-{account}", accessKey=access_key, secretKey=secret_key)


def encode_key(key: tuple[str, str]) -> dict[str, str]:
    """The Secret's data."""
    return objects.encode(dict(zip(("accessKey", "secretKey"), key, strict=True)))


def build_object(planned: ObjectPlan) -> Body:
    """The ModelArtsNodePool."""
    finalizers = {"finalizers": [FOREIGN_FINALIZER]} if planned.case in _WITH_FOREIGN else {}
    return objects.build_node_pool(
        planned.name,
        account=planned.account.name,
        resource_pool=planned.resource_pool,
        metadata={"namespace": planned.namespace, "annotations": dict(planned.annotations), **finalizers},
        nodePoolName=planned.node_pool,
        deletionPolicy="Retain" if planned.case is Case.RETAINED else "Delete",
    )
