"""Observations of deletions, as far as the tests of decide/ need them. Times are told as ages."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from modelarts_nodepool.api.node_pool import CloudErrorRecord, DeletionRecord, SendOutcome
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.decide.observed import Container, DeletionObserved, Evidence, Failure, LiveObserved
from modelarts_nodepool.ports import (
    Billing,
    CloudNode,
    CloudResourcePool,
    CloudWorkload,
    Moment,
    NodePoolListing,
)
from tests.support.builders import (
    NOON,
    RESOURCE_POOL,
    NodePoolBuilder,
    a_cloud_node_pool,
    a_listing,
    a_node_pool,
    an_account,
)

T = TypeVar("T")

# The monotonic clock at noon; the deletion was seen an hour before it.
MONOTONIC = 100_000.0
NOW = Moment(NOON, MONOTONIC)
SEEN = MONOTONIC - 3600.0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LONG_AGO = NOON - 1000 * HOUR


def looked(value: T, ago: float = 1.0) -> Evidence[T]:
    """A look that worked, begun so many seconds ago."""
    return Evidence(MONOTONIC - ago, value=value)


def failed(failure: Failure, ago: float = 1.0) -> Evidence[T]:
    """A look that failed, begun so many seconds ago."""
    return Evidence(MONOTONIC - ago, failure=failure)


def listed(ago: float = 1.0, **counts: int) -> Evidence[NodePoolListing]:
    """A LIST that shows the node pool with these counts, beside another one."""
    return looked(a_listing(a_cloud_node_pool(**counts), a_cloud_node_pool("other", available=1)), ago)


def not_listed(ago: float = 1.0) -> Evidence[NodePoolListing]:
    """A LIST that does not show the node pool."""
    return looked(a_listing(a_cloud_node_pool("other", available=1)), ago)


def billed(billing: Billing, ago: float = 1.0) -> Evidence[CloudResourcePool]:
    """What show_pool says of billing."""
    return looked(CloudResourcePool(RESOURCE_POOL, billing), ago)


def nodes(*shown: CloudNode, ago: float = 1.0) -> Evidence[tuple[CloudNode, ...]]:
    """What list_node_pool_nodes shows."""
    return looked(shown, ago)


def a_job(name: str = "llama", *ips: str, status: str = "Running", **changes: object) -> CloudWorkload:
    """A training job on the nodes with these addresses, for three days."""
    job = CloudWorkload(
        uid=f"uid-of-{name}",
        kind="train",
        name=name,
        status=status,
        host_ips=frozenset(ips),
        running=timedelta(days=3, hours=4),
    )
    return replace(job, **changes)  # type: ignore[arg-type]  # likewise


def jobs(*shown: CloudWorkload, ago: float = 1.0, since: float | None = None) -> Evidence[tuple[CloudWorkload, ...]]:
    """What list_workloads shows; it has been answered for `since` seconds."""
    return Evidence(MONOTONIC - ago, value=shown, since=None if since is None else MONOTONIC - since)


def stands(ago: float = 1.0, since: datetime = LONG_AGO) -> Evidence[Container]:
    """A CRD or namespace that is not being deleted."""
    return looked(Container(created=since), ago)


def terminating(since: datetime, ago: float = 1.0) -> Evidence[Container]:
    """A CRD or namespace that is being deleted."""
    return looked(Container(created=LONG_AGO, deleted=since), ago)


def no_more(ago: float = 1.0) -> Evidence[Container]:
    """A CRD or namespace that is gone."""
    return looked(Container(created=None), ago)


def in_workspace(*names: str, ago: float = 1.0) -> Evidence[Mapping[str, CloudResourcePool]]:
    """What list_pools shows."""
    return looked({name: CloudResourcePool(name, Billing.PAY_PER_USE) for name in names}, ago)


def a_deleted_object() -> NodePoolBuilder:
    """Protected, seen in the cloud, deleted an hour ago."""
    return a_node_pool().finalized().pinned().being_deleted(NOON - HOUR)


def a_deletion(builder: NodePoolBuilder | None = None, /, **changes: object) -> DeletionObserved:
    """Nothing sent yet and every guard passed: the table says Send. `changes` are fields of DeletionObserved."""
    node_pool = (builder or a_deleted_object()).build()
    passed = DeletionObserved(
        node_pool=node_pool,
        account=an_account().seen_by(node_pool),
        deletion_seen=SEEN,
        listing=listed(available=2),
        resource_pool=billed(Billing.PAY_PER_USE),
        nodes=nodes(
            CloudNode("node-1", None, host_ip="10.0.0.1"), CloudNode("node-2", Billing.PAY_PER_USE, host_ip="10.0.0.2")
        ),
        workloads=jobs(),
        definition=stands(),
        namespace=stands(),
    )
    return replace(passed, **changes)  # type: ignore[arg-type]  # the table's rows name fields of many types


def sent(ago: timedelta, *, accepted: bool = False, attempt: int = 1) -> DeletionRecord:
    """A DELETE was sent so long ago; its outcome is unknown unless it was accepted."""
    return DeletionRecord(
        attempt=attempt,
        sent_time=NOON - ago,
        accepted_time=NOON - ago if accepted else None,
        request_id="request-1" if accepted else None,
        outcome=SendOutcome.ACCEPTED if accepted else SendOutcome.UNKNOWN,
    )


def refused(ago: timedelta, *, attempt: int = 1, **changes: object) -> DeletionRecord:
    """ModelArts refused the last DELETE so long ago."""
    error = CloudErrorRecord(code="ModelArts.50004000", message="in use", request_id="request-2", time=NOON - ago)
    record = DeletionRecord(attempt=attempt, outcome=SendOutcome.REFUSED, last_error=error)
    return record.model_copy(update=changes)


def an_observation(node_pool: NodePool | NodePoolBuilder | None = None, /, **changes: object) -> LiveObserved:
    """A living object, three of three nodes available. `changes` are fields of LiveObserved."""
    built = node_pool or a_node_pool().finalized()
    built = built.build() if isinstance(built, NodePoolBuilder) else built
    well = LiveObserved(
        node_pool=built,
        account=an_account().seen_by(built),
        seen=a_listing(a_cloud_node_pool(available=3)),
        seen_age=SECOND,
    )
    return replace(well, **changes)  # type: ignore[arg-type]  # likewise
