"""What the checks of a run look at, and what earlier checks left there for later ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.commands.doctor.reachability import Knock
from modelarts_nodepool.commands.session import Session
from modelarts_nodepool.ports import CloudResourcePool


@dataclass(slots=True)
class ClusterScene:
    """The cluster. `service_account` (namespace, name) is whose permissions are checked; None: the caller's own.

    `caller` is who we are to the API server, `offers_selectable_fields` whether its version keeps those of a CRD,
    `accounts` all there are that can be read, `broken` the others by name.
    """

    session: Session
    service_account: tuple[str, str] | None
    chosen: tuple[str, ...] = ()
    caller: str = ""
    offers_selectable_fields: bool = True
    accounts: list[Account] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class AccountScene:
    """One account. `knock` is what the endpoint answered, `resource_pools` what its workspace has."""

    session: Session
    account: Account
    knock: Knock | None = None
    resource_pools: Mapping[str, CloudResourcePool] | None = None
    refusal: str = ""
    refusal_code: str | None = None
