"""How large a run is, and the names of everything in it. Pure; the same for the cluster and for the cloud."""

from collections.abc import Iterator
from dataclasses import dataclass

OBJECTS_A_RESOURCE_POOL = 100
MANY = 10_000
# Deleted one by one: enough for a 99th percentile, few enough not to disturb each other.
MOST_SAMPLES = 200
# The last node pool of a resource pool is guarded: each has one more that no object stands for.
SPARE = "stays"
REGION = "cn-north-4"
PROJECT_ID = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Place:
    """One object: its account, its namespace, its resource pool and its name, which is the node pool's, too."""

    account: str
    namespace: str
    resource_pool: str
    name: str


@dataclass(frozen=True, slots=True)
class Scale:
    """So many objects over their resource pools and accounts."""

    objects: int

    @property
    def resource_pools(self) -> int:
        """One for every hundred objects."""
        return max(1, self.objects // OBJECTS_A_RESOURCE_POOL)

    @property
    def accounts(self) -> int:
        """Three from 10,000 objects on."""
        return 3 if self.objects >= MANY else 1

    @property
    def samples(self) -> int:
        """So many are deleted one by one."""
        return min(MOST_SAMPLES, self.objects // 2)

    @property
    def crowd(self) -> int:
        """So many are deleted at once: the others."""
        return self.objects - self.samples

    @property
    def account_names(self) -> list[str]:
        """The accounts; each has a namespace and a Secret of its own."""
        return [f"account-{number}" for number in range(self.accounts)]

    @property
    def resource_pool_names(self) -> list[str]:
        """The resource pools."""
        return [f"pool-{number:04}" for number in range(self.resource_pools)]

    def place(self, number: int) -> Place:
        """Where the object of this number belongs. Neighbours are in different resource pools."""
        pool = number % self.resource_pools
        account = pool % self.accounts
        return Place(f"account-{account}", namespace_of(f"account-{account}"), f"pool-{pool:04}", f"np-{number:06}")

    def places(self) -> Iterator[Place]:
        """All objects."""
        return (self.place(number) for number in range(self.objects))


def namespace_of(account: str) -> str:
    """The namespace whose objects use this account."""
    return account.replace("account", "team")
