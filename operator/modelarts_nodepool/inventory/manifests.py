"""Manifests that adopt what is unmanaged: one object for each node pool, ready for kubectl apply. Pure.

An object is named like its node pool. Where that name is taken in the namespace, or two node pools share it, the
resource pool's name is added to each of them, so that nobody deletes one and means the other.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from modelarts_nodepool.inventory.grants import granting
from modelarts_nodepool.inventory.seen import Row, SeenCluster, State
from modelarts_nodepool.inventory.words import billing_of, nodes_of
from modelarts_nodepool.ports import Billing
from modelarts_nodepool.resource.names import API_VERSION, NODE_POOL_KIND, is_valid_name
from modelarts_nodepool.resource.node_pool import DeletionPolicy


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object to apply, what stands above it as comments, and whether its account grants it already."""

    body: Mapping[str, Any]
    comments: tuple[str, ...]
    grant_needed: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """All manifests, and in words what cannot be adopted."""

    manifests: tuple[Manifest, ...]
    left_out: tuple[str, ...]


def adopt(rows: Iterable[Row], cluster: SeenCluster, namespace: str, policy: DeletionPolicy) -> Adoption:
    """An object in `namespace` for each row that is Unmanaged."""
    unmanaged = [row for row in rows if row.state is State.UNMANAGED]
    good = [row for row in unmanaged if is_valid_name(row.node_pool_name)]
    taken = {each.metadata.name for each in cluster.node_pools if each.metadata.namespace == namespace}
    names = choose_names([(row.pool_name, row.node_pool_name) for row in good], taken)
    labels = cluster.namespaces.get(namespace, {})
    return Adoption(
        manifests=tuple(_manifest(row, name, namespace, labels, policy) for row, name in zip(good, names, strict=True)),
        left_out=tuple(
            f"node pool {row.node_pool_name!a} of {row.pool_name} has a name that no call to the cloud may carry"
            for row in unmanaged
            if not is_valid_name(row.node_pool_name)
        ),
    )


def choose_names(node_pools: Sequence[tuple[str, str]], taken: Collection[str]) -> list[str]:
    """A name for the object of each (resource pool, node pool): valid, none twice, none that is taken."""
    times = Counter(name for _, name in node_pools)
    used = set(taken)
    # Plain names first: a longer one must not take what is another node pool's own.
    plain = {pair for pair in node_pools if times[pair[1]] == 1 and pair[1] not in used}
    used |= {name for _, name in plain}
    chosen = []
    for pair in node_pools:
        name = pair[1] if pair in plain else _free(f"{pair[1]}-{pair[0]}", used)
        used.add(name)
        chosen.append(name)
    return chosen


def _free(name: str, used: Collection[str]) -> str:
    number = 1
    while (candidate := name if number == 1 else f"{name}-{number}") in used:
        number += 1
    return candidate


def to_yaml(manifests: Iterable[Manifest]) -> str:
    """One document each, comments above."""
    documents = []
    for manifest in manifests:
        comments = "".join(f"# {line}\n" for line in manifest.comments)
        documents.append(f"---\n{comments}{yaml.safe_dump(dict(manifest.body), sort_keys=False)}")
    return "".join(documents)


def _manifest(row: Row, name: str, namespace: str, labels: Mapping[str, str], policy: DeletionPolicy) -> Manifest:
    granted = granting(row.accounts, namespace, labels, row.pool_name)
    account = (granted or row.accounts)[0].metadata.name
    spec: dict[str, Any] = {"accountRef": {"name": account}, "poolName": row.pool_name}
    if name != row.node_pool_name:
        spec["nodePoolName"] = row.node_pool_name
    spec["deletionPolicy"] = policy.value
    body = {
        "apiVersion": API_VERSION,
        "kind": NODE_POOL_KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    needed = "" if granted else f"account {account} has to grant {row.pool_name} to namespace {namespace}"
    return Manifest(body, tuple(_comments(row, needed)), needed)


def _comments(row: Row, needed: str) -> Iterable[str]:
    flavor = row.cloud.shape.flavor if row.cloud else ""
    yield f"{nodes_of(row.cloud)}{f', {flavor}' if flavor else ''}, {billing_of(row.resource_pool)}"
    if row.resource_pool is not None and row.resource_pool.billing is Billing.YEARLY_MONTHLY:
        yield "ModelArts does not delete what is billed yearly/monthly: a deletion of this object would be held."
    if needed:
        yield f"Not granted yet: {needed}."
