"""May the operator be uninstalled? Not while objects have its finalizers, which only the operator removes.

Called by the command `uninstall-check`, for people and for the chart's pre-delete hook. It reads metadata only and
changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from typing_extensions import override

from modelarts_nodepool.api.names import (
    ACCOUNT_FINALIZER,
    ACCOUNT_SHORT,
    NODE_POOL_FINALIZER,
    NODE_POOL_SHORT,
)
from modelarts_nodepool.api.objects import find_origin
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import Body, KubeCluster
from modelarts_nodepool.kube.connection import Connection

SHOWN = 20
_DELETE = remedies.delete_named(remedies.ANY_NAMESPACE, remedies.ANY_NAME)
_ORIGIN = "Change objects that come from Git or Helm at their origin: it may revert a manual change.\n"
_WAYS = f"""\
Without the operator these objects cannot be deleted, and deletions in progress stop. First, for each object:
  delete the node pool too:  {_DELETE}
  keep the node pool:        {remedies.retain_named(remedies.ANY_NAMESPACE, remedies.ANY_NAME)}
                             {_DELETE}
  then the accounts:         {remedies.delete_account(remedies.ANY_NAME)}
To see what deletions wait for:  {remedies.list_all()}
To uninstall the operator anyway, because another installation follows immediately: helm uninstall --no-hooks"""


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """An object that only the operator can release."""

    kind: str
    namespace: str
    name: str
    is_being_deleted: bool
    origin: str = ""

    @override
    def __str__(self) -> str:
        """As arguments of kubectl."""
        where = f"-n {self.namespace} " if self.namespace else ""
        how = "being deleted" if self.is_being_deleted else self.origin
        return f"{where}{self.kind} {self.name}{f' ({how})' if how else ''}"


async def find_held_objects(kubeconfig: str | None) -> list[Held]:
    """All objects with a finalizer of ours. Raises errors.ClusterError if they cannot be listed."""
    async with await Connection.open(version=version("modelarts-nodepool-operator"), kubeconfig=kubeconfig) as opened:
        cluster = KubeCluster(opened)
        held = await _find(cluster, paths.NODE_POOLS, NODE_POOL_SHORT, NODE_POOL_FINALIZER)
        return sorted(held + await _find(cluster, paths.ACCOUNTS, ACCOUNT_SHORT, ACCOUNT_FINALIZER))


async def _find(cluster: KubeCluster, path: str, kind: str, finalizer: str) -> list[Held]:
    def read(body: Body) -> Held | None:
        metadata = body["metadata"]
        if finalizer not in (metadata.get("finalizers") or ()):
            return None
        origin = find_origin(metadata.get("labels") or {}, metadata.get("annotations") or {})
        is_being_deleted = "deletionTimestamp" in metadata
        return Held(kind, metadata.get("namespace") or "", metadata["name"], is_being_deleted, origin)

    try:
        found = await cluster.list_metadata(path, read)
    except ObjectGone:
        # The kind is not served: there are no such objects.
        return []
    return [held for held in found if held is not None]


def explain(held: Iterable[Held]) -> str:
    """The objects that remain, and how to remove them, in the required order."""
    held = list(held)
    lines = [f"  {item}" for item in held]
    origin = _ORIGIN if any(item.origin for item in held) else ""
    more = [f"  … and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    carry = "objects carry" if len(lines) > 1 else "object carries"
    head = f"The operator is still needed: {len(lines)} {carry} its finalizer."
    return "\n".join([head, *lines[:SHOWN], *more, f"{origin}{_WAYS}"])


def with_cure(words: str, restore: str | None) -> str:
    """The refusal, followed by the command that repairs the release that helm began to uninstall."""
    if not restore:
        return words
    return (
        f"{words}\n"
        "Nothing was removed, and the operator works. Helm shows the release as uninstalling and refuses upgrades.\n"
        f"Restore the running revision before any upgrade:\n  {restore}\n"
        "Without that number, helm rollback selects the revision before it, and is refused."
    )
