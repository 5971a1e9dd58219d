"""Manifests that adopt unmanaged node pools: one object for each node pool, ready for kubectl apply. Pure.

An object is named like its node pool. If that name is taken in the namespace, or two node pools share it, the resource
pool's name is added to each, so that a person does not delete the wrong one. If Kubernetes does not allow the name
(capitals, underscores), it is changed into an allowed name with digits at the end. The digits depend only on the names
in the cloud, so the next run chooses the same name.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import yaml

from modelarts_nodepool.api.names import API_VERSION, NODE_POOL_KIND
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.commands.inventory.format import billing_of, nodes_of
from modelarts_nodepool.commands.inventory.matching import granting
from modelarts_nodepool.commands.inventory.model import Row, SeenCluster, State
from modelarts_nodepool.logs import clean
from modelarts_nodepool.ports import Billing

# What the API server takes for metadata.name of a custom resource: a DNS subdomain.
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_OBJECT_NAME = 253
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object to apply, the comments above it, and the missing grant, if any."""

    body: Mapping[str, Any]
    comments: tuple[str, ...]
    grant_needed: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """All manifests, and messages about what cannot be adopted."""

    manifests: tuple[Manifest, ...]
    left_out: tuple[str, ...]


def adopt(rows: Iterable[Row], cluster: SeenCluster, namespace: str, policy: DeletionPolicy) -> Adoption:
    """An object in `namespace` for each row that is Unmanaged."""
    unmanaged = [row for row in rows if row.state is State.UNMANAGED]
    good = [row for row in unmanaged if not row.obstacle]
    taken = {each.metadata.name for each in cluster.node_pools if each.metadata.namespace == namespace}
    names = choose_names([(row.pool_name, row.node_pool_name) for row in good], taken)
    labels = cluster.namespaces.get(namespace, {})
    return Adoption(
        manifests=tuple(_manifest(row, name, namespace, labels, policy) for row, name in zip(good, names, strict=True)),
        left_out=tuple(
            f"node pool {clean(ascii(row.node_pool_name))} of {clean(row.pool_name)}: {row.obstacle}"
            for row in unmanaged
            if row.obstacle
        ),
    )


def choose_names(node_pools: Sequence[tuple[str, str]], taken: Collection[str]) -> list[str]:
    """A name for the object of each (resource pool, node pool): valid, unique, not taken."""
    # Names that differ only in capitals are easily confused.
    times = Counter(_lowered(name) for _, name in node_pools)
    used = set(taken)
    # Plain names first: a longer name must not take the name of another node pool.
    own = {pair: to_object_name(pair[1], pair) for pair in node_pools}
    plain = {pair for pair in node_pools if times[_lowered(pair[1])] == 1 and own[pair] not in used}
    used |= {own[pair] for pair in plain}
    chosen = []
    for pair in node_pools:
        name = own[pair] if pair in plain else _free(to_object_name(f"{pair[1]}-{pair[0]}", pair), used)
        used.add(name)
        chosen.append(name)
    return chosen


def to_object_name(wanted: str, node_pool: tuple[str, str]) -> str:
    """`wanted` if Kubernetes allows it as metadata.name, else the nearest allowed name.

    Digits of a digest of (resource pool, node pool) distinguish changed names: `A_b` and `a-b` are two node pools.
    """
    if len(wanted) <= _LONGEST_OBJECT_NAME and _OBJECT_NAME.fullmatch(wanted):
        return wanted
    digits = sha256("/".join(node_pool).encode()).hexdigest()[:_DIGITS]
    labels = [label.strip("-") for label in _lowered(wanted).split(".")]
    near = ".".join(filter(None, labels))[: _LONGEST_OBJECT_NAME - _DIGITS - 1].rstrip("-.")
    return f"{near}-{digits}" if near else digits


def _lowered(name: str) -> str:
    return name.lower().replace("_", "-")


def _free(name: str, used: Collection[str]) -> str:
    number = 1
    while (candidate := name if number == 1 else f"{name}-{number}") in used:
        number += 1
    return candidate


def to_yaml(manifests: Iterable[Manifest], left_out: Iterable[str] = ()) -> str:
    """One document each, with comments above; at the end, as comments, what is left out and why."""
    documents = []
    for manifest in manifests:
        comments = "".join(f"# {line}\n" for line in manifest.comments)
        documents.append(f"---\n{comments}{yaml.dump(dict(manifest.body), Dumper=_Dumper, sort_keys=False)}")
    return "".join([*documents, *(f"# Not adopted: {words}\n" for words in left_out)])


class _Dumper(yaml.SafeDumper):
    """Quotes what kubectl reads as a number or boolean and PyYAML does not: 1e3, 0o17, y."""


_Dumper.add_implicit_resolver("tag:kubectl:not-a-text", re.compile(r"(?:[0-9].*|[yYnN])$"), list("0123456789yYnN"))


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
    needed = "" if granted else f"account {account} must grant {row.pool_name} to namespace {namespace}"
    return Manifest(body, tuple(_comments(row, needed)), needed)


def _comments(row: Row, needed: str) -> Iterable[str]:
    flavor = row.cloud.shape.flavor if row.cloud else ""
    yield f"{nodes_of(row.cloud)}{f', {flavor}' if flavor else ''}, {billing_of(row.resource_pool)}"
    if row.resource_pool is not None and row.resource_pool.billing is Billing.YEARLY_MONTHLY:
        yield "ModelArts does not delete yearly/monthly node pools: a deletion of this object is held."
    if needed:
        yield f"Not granted yet: {needed}."
