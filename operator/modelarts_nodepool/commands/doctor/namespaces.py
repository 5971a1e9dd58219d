"""The namespaces of node pool objects: whether each is there, for without it no write to its objects works."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from modelarts_nodepool.commands.doctor.check import Finding, failed, not_checked, ok
from modelarts_nodepool.commands.doctor.context import ClusterScene
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import paths


async def check_namespaces(scene: ClusterScene) -> Finding:
    """Two LISTs."""

    def namespace_of(body: Mapping[str, Any]) -> str:
        return str(body["metadata"]["namespace"])

    def name_of(body: Mapping[str, Any]) -> str:
        return str(body["metadata"]["name"])

    cluster = scene.session.cluster
    try:
        used = Counter(await cluster.list_as(paths.NODE_POOLS, namespace_of))
    except ObjectGone:
        return not_checked("because the API server does not serve the kind ModelArtsNodePool")
    gone = sorted(set(used) - set(await cluster.list_as(paths.NAMESPACES, name_of)))
    if not gone:
        return ok(f"those of all node pool objects are there ({used.total()} in {len(used)})")
    words = ", ".join(f"{name} ({used[name]})" for name in gone)
    return failed(
        f"gone, with node pool objects left in them to which no write works: {words}",
        remedies.create_namespace(gone[0]),
    )
