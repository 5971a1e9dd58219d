"""Whether the operator may be taken away: not while objects carry its finalizers, which nobody else would remove.

The command `uninstall-check` calls it, for people and for the chart's pre-delete hook. It reads metadata only and
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
from modelarts_nodepool.api.origin import find_origin
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import Body, KubeCluster
from modelarts_nodepool.kube.connection import Connection

SHOWN = 20
_DELETE = remedies.delete_named(remedies.ANY_NAMESPACE, remedies.ANY_NAME)
_ORIGIN = "What comes from Git or from Helm is taken out or set to Retain there: it takes back what is done by hand.\n"
_WAYS = f"""\
Without the operator they could never be deleted, and a deletion under way would stop. First, object by object:
  delete the node pool too:  {_DELETE}
  keep the node pool:        {remedies.retain_named(remedies.ANY_NAMESPACE, remedies.ANY_NAME)}
                             {_DELETE}
  then the accounts:         {remedies.delete_account(remedies.ANY_NAME)}
What a deletion waits for:   {remedies.list_all()}
To take the operator away all the same, because another installation follows at once: helm uninstall --no-hooks"""


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """An object that only the operator can let go."""

    kind: str
    namespace: str
    name: str
    is_being_deleted: bool
    origin: str = ""

    @override
    def __str__(self) -> str:
        """As kubectl is asked for it."""
        where = f"-n {self.namespace} " if self.namespace else ""
        how = "being deleted" if self.is_being_deleted else self.origin
        return f"{where}{self.kind} {self.name}{f' ({how})' if how else ''}"


async def find_held_objects(kubeconfig: str | None) -> list[Held]:
    """All objects with a finalizer of ours. Raises errors.ClusterError where that cannot be told."""
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
        # The kind is not served: there are no objects of it.
        return []
    return [held for held in found if held is not None]


def explain(held: Iterable[Held]) -> str:
    """What is in the way, and how it is cleared, in the order in which it has to be."""
    held = list(held)
    lines = [f"  {item}" for item in held]
    origin = _ORIGIN if any(item.origin for item in held) else ""
    more = [f"  … and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    carry = "objects carry" if len(lines) > 1 else "object carries"
    head = f"The operator is still needed: {len(lines)} {carry} its finalizer."
    return "\n".join([head, *lines[:SHOWN], *more, f"{origin}{_WAYS}"])


def with_cure(words: str, restore: str | None) -> str:
    """The refusal, and behind it the command that repairs the release which helm had begun to uninstall."""
    if not restore:
        return words
    return (
        f"{words}\n"
        "Nothing was removed and the operator works. Helm now calls the release uninstalling and refuses upgrades.\n"
        f"Bring back what was running, before any upgrade:\n  {restore}\n"
        "Without that number, helm rollback means the revision before it, and is refused."
    )
