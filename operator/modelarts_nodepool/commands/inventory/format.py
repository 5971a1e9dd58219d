"""Facts of the cloud in a word or two. Pure."""

from modelarts_nodepool.ports import Billing, CloudNodePool, CloudResourcePool

_BILLING = {
    Billing.PAY_PER_USE: "pay-per-use",
    Billing.YEARLY_MONTHLY: "yearly/monthly",
    Billing.UNKNOWN: "unknown",
}


def nodes_of(cloud: CloudNodePool | None) -> str:
    """The nodes by state: `3 available, 1 abnormal`."""
    if cloud is None:
        return ""
    if cloud.counts is None:
        return "unreadable"
    counts = cloud.counts
    states = {
        "available": counts.available,
        "creating": counts.creating,
        "abnormal": counts.abnormal,
        "deleting": counts.deleting,
    }
    return ", ".join(f"{count} {state}" for state, count in states.items() if count) or "no nodes"


def billing_of(resource_pool: CloudResourcePool | None) -> str:
    """How the resource pool is billed; single nodes of it may be billed otherwise."""
    return _BILLING[resource_pool.billing] if resource_pool is not None else ""
