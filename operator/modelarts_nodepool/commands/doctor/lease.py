"""The Lease: whether an operator holds it and is alive."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from modelarts_nodepool.commands.doctor.check import Finding, failed, ok, warning
from modelarts_nodepool.commands.doctor.context import ClusterScene
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.leader_election import LEASE_NAME

# Two machines' clocks are compared here, and the holder renews every two seconds.
_SLACK = timedelta(seconds=30)
# What a NetworkPolicy that does not know the API server's port looks like.
_BLOCKED = (
    'where they log "the Lease could not be written", a NetworkPolicy keeps them from the API server, which listens on '
    "the port of kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes: "
    "allow it (chart: networkPolicy.apiServerPorts)"
)


async def check_lease(scene: ClusterScene) -> Finding:
    """One GET of the Lease in the operator's namespace."""
    namespace = scene.session.place.operator_namespace
    try:
        lease = await scene.session.cluster.get(paths.lease(namespace, LEASE_NAME))
    except ObjectGone:
        return warning(
            f"there is no Lease {namespace}/{LEASE_NAME}: no operator has run with leader election here yet",
            f"{remedies.list_pods(namespace)}; is --operator-namespace right? {_BLOCKED}",
        )
    return judge(lease, namespace, scene.session.clock.now())


def judge(lease: Mapping[str, Any], namespace: str, now: datetime) -> Finding:
    """What is to be said of a Lease. Pure."""
    spec = lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    look = f"{remedies.list_pods(namespace)}; {remedies.show_log(namespace)}; {_BLOCKED}"
    if not renewed:
        return failed(f"the Lease {namespace}/{LEASE_NAME} was never renewed", look)
    age = now - datetime.fromisoformat(renewed)
    if not holder:
        return failed(f"nobody holds it: the last operator stopped or could not work, {_ago(age)}", look)
    lasts = timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
    if age > lasts + _SLACK:
        return failed(f"held by {holder}, who has not renewed it since {_ago(age)}: the operator is down", look)
    return ok(f"held by {holder}, renewed {_ago(age)}")


def _ago(age: timedelta) -> str:
    seconds = round(age.total_seconds())
    if seconds < 0:
        return f"{-seconds} s from now, by this machine's clock"
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 7200 else f"{seconds // 3600} h ago"  # noqa: PLR2004 - two hours
