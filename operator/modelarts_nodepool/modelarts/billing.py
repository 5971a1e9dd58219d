"""Who pays how, and what is locked, as annotations say. Used by modelarts/parse.py.

Source: the annotations that the official SDK and the Terraform provider of Huawei Cloud read.
"""

from collections.abc import Mapping

from modelarts_nodepool.modelarts.wire.loose import Unreadable
from modelarts_nodepool.ports import Billing

BILLING_MODE = "os.modelarts/billing.mode"
LOCK_ACTION = "os.modelarts.node/lock.action"


def resource_pool_billing(annotations: Mapping[str, object] | Unreadable) -> Billing:
    """UNKNOWN where the mode is missing or neither "0" nor "1"."""
    if isinstance(annotations, Unreadable):
        return Billing.UNKNOWN
    return _billing(annotations.get(BILLING_MODE))


def node_billing(annotations: Mapping[str, object]) -> Billing | None:
    """None where the node says nothing: it is billed as its resource pool then."""
    mode = annotations.get(BILLING_MODE)
    return None if mode is None else _billing(mode)


def is_locked(annotations: Mapping[str, object]) -> bool:
    """Whether the node is locked against some action, deletion among them."""
    action = annotations.get(LOCK_ACTION)
    return action is not None and action != ""


def _billing(mode: object) -> Billing:
    # The values are texts; a number in their place means the same.
    return {"0": Billing.PAY_PER_USE, "1": Billing.YEARLY_MONTHLY}.get(str(mode).strip(), Billing.UNKNOWN)
