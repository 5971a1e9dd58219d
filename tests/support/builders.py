"""Objects for tests that read as English: `a_node_pool().finalized().being_deleted()`.

Each step answers a new builder; `build()` gives the typed object, `body()` what the API server would send.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from modelarts_nodepool.api.meta import Condition, to_text, to_timestamp
from modelarts_nodepool.api.names import (
    API_VERSION,
    NODE_POOL_FINALIZER,
    NODE_POOL_KIND,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)
from modelarts_nodepool.api.node_pool import Counts, DeletionRecord, Identity, NodePoolShape, NodePoolStatus
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.observed import AccountView
from modelarts_nodepool.ports import CloudNodePool, NodePoolListing

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
RESOURCE_POOL = "pool-a"
PROJECT = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class NodePoolBuilder:
    """A ModelArtsNodePool in the making."""

    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    status: NodePoolStatus = field(default_factory=NodePoolStatus)

    def _with_metadata(self, **changes: object) -> "NodePoolBuilder":
        return replace(self, metadata={**self.metadata, **changes})

    def _with_spec(self, **changes: object) -> "NodePoolBuilder":
        return replace(self, spec={**self.spec, **changes})

    def _with_status(self, **changes: object) -> "NodePoolBuilder":
        return replace(self, status=self.status.model_copy(update=changes))

    def finalized(self) -> "NodePoolBuilder":
        """Protected by our finalizer."""
        return self.with_finalizer(NODE_POOL_FINALIZER)

    def with_finalizer(self, name: str) -> "NodePoolBuilder":
        """With one finalizer more."""
        return self._with_metadata(finalizers=[*self.metadata["finalizers"], name])

    def being_deleted(self, at: datetime = NOON) -> "NodePoolBuilder":
        """Deleted by somebody; the generation grows with that."""
        return self._with_metadata(deletionTimestamp=to_timestamp(at), generation=self.metadata["generation"] + 1)

    def created(self, at: datetime) -> "NodePoolBuilder":
        """Created then."""
        return self._with_metadata(creationTimestamp=to_timestamp(at))

    def of_generation(self, generation: int) -> "NodePoolBuilder":
        """With this metadata.generation."""
        return self._with_metadata(generation=generation)

    def annotated(self, key: str, value: str) -> "NodePoolBuilder":
        """With an annotation."""
        return self._with_metadata(annotations={**self.metadata["annotations"], key: value})

    def paused(self, value: str = "true") -> "NodePoolBuilder":
        """Paused by somebody."""
        return self.annotated(PAUSED_ANNOTATION, value)

    def asked_to_reconcile(self, value: str) -> "NodePoolBuilder":
        """With a reconcile-at annotation."""
        return self.annotated(RECONCILE_ANNOTATION, value)

    def overriding(self, *reasons: Reason, uid: str | None = None) -> "NodePoolBuilder":
        """With an override of these guards, of this very object unless another uid is given."""
        return self.annotated(OVERRIDE_ANNOTATION, f"{','.join(reasons)}@{uid or self.metadata['uid']}")

    def owned_by(
        self, kind: str = "Claim", name: str = "claim-a", *, api_version: str = "example.com/v1", uid: str | None = None
    ) -> "NodePoolBuilder":
        """With an owner more."""
        owner = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid or f"uid-of-{name}"}
        return self._with_metadata(ownerReferences=[*self.metadata.get("ownerReferences", []), owner])

    def retained(self) -> "NodePoolBuilder":
        """With the policy Retain."""
        return self._with_spec(deletionPolicy="Retain")

    def standing_for(self, node_pool_name: str) -> "NodePoolBuilder":
        """With another name in the cloud."""
        return self._with_spec(nodePoolName=node_pool_name)

    def using(self, account: str) -> "NodePoolBuilder":
        """Naming this account."""
        return self._with_spec(accountRef={"name": account})

    def pinned(self, **parts: str) -> "NodePoolBuilder":
        """Seen in the cloud: with its identity in status."""
        usual = Identity(
            region="cn-north-4",
            project_id=PROJECT,
            pool_name=self.spec["poolName"],
            node_pool_name=self.spec.get("nodePoolName") or self.metadata["name"],
        )
        return self._with_status(identity=usual.model_copy(update=parts))

    def saying(self, *conditions: Condition) -> "NodePoolBuilder":
        """With these conditions, observed at this generation."""
        return self._with_status(conditions=conditions, observed_generation=self.metadata["generation"])

    def showing(self, status: NodePoolStatus) -> "NodePoolBuilder":
        """With this whole status."""
        return replace(self, status=status)

    def recording(self, record: DeletionRecord) -> "NodePoolBuilder":
        """With this status.deletion."""
        return self._with_status(deletion=record)

    def body(self) -> dict[str, Any]:
        """As the API server would send it."""
        return {
            "apiVersion": API_VERSION,
            "kind": NODE_POOL_KIND,
            "metadata": dict(self.metadata),
            "spec": dict(self.spec),
            "status": self.status.to_wire(),
        }

    def build(self) -> NodePool:
        """As the operator keeps it."""
        return NodePool.from_body(self.body())


@dataclass(frozen=True)
class AccountBuilder:
    """A ModelArtsAccount in the making."""

    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    is_granted: bool = True

    def _with_spec(self, **changes: object) -> "AccountBuilder":
        return replace(self, spec={**self.spec, **changes})

    def in_region(self, region: str) -> "AccountBuilder":
        """With another region."""
        return self._with_spec(region=region)

    def polling(self, every: timedelta, active: timedelta) -> "AccountBuilder":
        """With these intervals."""
        return self._with_spec(pollInterval=to_text(every), activePollInterval=to_text(active))

    def limited(self, **budget: object) -> "AccountBuilder":
        """With this deletion budget."""
        return self._with_spec(deletionBudget=budget)

    def requiring_confirmation(self) -> "AccountBuilder":
        """Asking for a confirmation of every deletion."""
        return self._with_spec(requireConfirmation=True)

    def ignoring_jobs(self) -> "AccountBuilder":
        """Not asking for jobs on the nodes."""
        return self._with_spec(runningWorkloads="Ignore")

    def granting_nothing(self) -> "AccountBuilder":
        """Without a grant for anybody."""
        return replace(self._with_spec(grants=[]), is_granted=False)

    def being_deleted(self, at: datetime = NOON) -> "AccountBuilder":
        """Deleted by somebody, and held by its finalizer."""
        return replace(self, metadata={**self.metadata, "deletionTimestamp": to_timestamp(at)})

    def body(self) -> dict[str, Any]:
        """As the API server sends it, as far as the operator reads it."""
        return {"metadata": dict(self.metadata), "spec": dict(self.spec)}

    def build(self) -> Account:
        """As the operator keeps it."""
        return Account.from_body(self.body())

    def seen_by(self, node_pool: NodePool) -> AccountView:
        """What the account means for this object."""
        account = self.build()
        identity = Identity(
            region=account.spec.region,
            project_id=account.spec.project_id,
            workspace=account.spec.workspace,
            pool_name=node_pool.spec.pool_name,
            node_pool_name=node_pool.node_pool_name,
        )
        return AccountView(account=account, is_granted=self.is_granted, identity=identity)


def a_node_pool(name: str = "training-a", namespace: str = "ml") -> NodePoolBuilder:
    """An object an hour old that nobody has looked at yet."""
    return NodePoolBuilder(
        metadata={
            "uid": f"uid-of-{name}",
            "name": name,
            "namespace": namespace,
            "generation": 1,
            "resourceVersion": "100",
            "creationTimestamp": to_timestamp(NOON - timedelta(hours=1)),
            "finalizers": [],
            "annotations": {},
        },
        spec={"poolName": RESOURCE_POOL},
    )


def an_account(name: str = "default") -> AccountBuilder:
    """An account that grants everything to everybody and looks every 60 s, every 10 s where something happens."""
    return AccountBuilder(
        metadata={
            "uid": f"uid-of-{name}",
            "name": name,
            "generation": 1,
            "resourceVersion": "100",
            "creationTimestamp": to_timestamp(NOON - timedelta(days=1)),
        },
        spec={
            "region": "cn-north-4",
            "projectId": PROJECT,
            "credentials": {"source": "Secret", "secretName": "modelarts"},
            "grants": [{"namespaces": ["*"], "resourcePools": ["*"]}],
        },
    )


def a_cloud_node_pool(name: str = "training-a", /, *, asked_for: int | None = None, **counts: int) -> CloudNodePool:
    """A node pool as ModelArts shows it; as many nodes asked for as there are unless said otherwise."""
    shown = Counts(**counts)
    count = shown.total if asked_for is None else asked_for
    return CloudNodePool(name, shown, NodePoolShape(flavor="modelarts.vm.gpu.t4u8", count=count, max_count=count))


def an_unreadable_node_pool(name: str = "training-a", problem: str | None = "available is -1") -> CloudNodePool:
    """A node pool whose counts are garbage."""
    return CloudNodePool(name, None, NodePoolShape(), problem)


def a_listing(*node_pools: CloudNodePool) -> NodePoolListing:
    """A good answer of list_node_pools that shows exactly these."""
    return NodePoolListing({shown.name: shown for shown in node_pools})
