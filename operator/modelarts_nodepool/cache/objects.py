"""The objects of the cluster, slim and typed, from watches, from our own LISTs and from the answers to our writes.

All controllers decide from this cache. It sends nothing; it reports changes to the listener in its constructor. An
older version of an object never replaces a newer one, and a deleted object never comes back: answers to writes and
watch events can overtake each other, and a watch that reconnects repeats old events. `Duplicates` finds the objects
that name the same node pool.
"""

import logging
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from pydantic import ValidationError

from modelarts_nodepool.api.account import AccountSpec
from modelarts_nodepool.api.node_pool import DeletionPolicy, Identity, NodePoolStatus
from modelarts_nodepool.api.objects import Account, Namespace, NodePool
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.decide.observed import AccountView
from modelarts_nodepool.ports import Clock

K = TypeVar("K", bound=Hashable)


class Index(Generic[K]):
    """Sets of uids by key."""

    def __init__(self) -> None:
        self._uids: dict[K, set[str]] = {}

    def add(self, key: K, uid: str) -> None:
        """Add the uid to this key. Idempotent."""
        self._uids.setdefault(key, set()).add(uid)

    def remove(self, key: K, uid: str) -> None:
        """Remove the uid from this key. Idempotent."""
        uids = self._uids.get(key, set())
        uids.discard(uid)
        if not uids:
            self._uids.pop(key, None)

    def of(self, key: K) -> Collection[str]:
        """A copy of the uids of this key, which is safe to iterate over while they change."""
        return frozenset(self._uids.get(key, ()))

    def has(self, key: K, uid: str) -> bool:
        """Whether the uid belongs to this key."""
        return uid in self._uids.get(key, ())

    def __contains__(self, key: K) -> bool:
        """Whether the key has a uid; makes no copy."""
        return key in self._uids

    def __iter__(self) -> Iterator[K]:
        """The keys. Do not change the index while you iterate."""
        return iter(self._uids)

    def __len__(self) -> int:
        """How many keys have uids."""
        return len(self._uids)


logger = logging.getLogger(__name__)

# The newest uids of deleted objects are kept: far more than a watch can lag behind.
GONE_REMEMBERED = 10_000


class Listener(Protocol):
    """Receives the changes of the cache."""

    def node_pool_changed(self, uid: str) -> None:
        """An object was added, changed or deleted, or has become unreadable."""

    def node_pool_written(self, uid: str) -> None:
        """The answer to a write of ours is a new version of an object."""

    def node_pool_gone(self, node_pool: NodePool) -> None:
        """An object is gone; this was its last version. `node_pool_changed` follows."""

    def account_changed(self, name: str) -> None:
        """An account was added, changed or deleted."""

    def namespace_changed(self, name: str) -> None:
        """A namespace was added, changed or deleted."""


class NoListener:
    """Ignores all changes."""

    def node_pool_changed(self, uid: str) -> None:
        """Nothing."""

    def node_pool_written(self, uid: str) -> None:
        """Nothing."""

    def node_pool_gone(self, node_pool: NodePool) -> None:
        """Nothing."""

    def account_changed(self, name: str) -> None:
        """Nothing."""

    def namespace_changed(self, name: str) -> None:
        """Nothing."""


@dataclass(slots=True)
class Content:
    """Node pool objects by uid, accounts and namespaces by name. It outlives a term as the leader.

    - `first_seen`, `deletion_seen` and `reconcile_seen` are monotonic seconds of this process, by uid.
    - `unreadable`: objects and accounts that this version cannot read, by uid; no object is here and in `node_pools`.
    - `deletion_observed`: objects whose deletion came from a watch or a complete LIST, so that every earlier object is
      in the cache too. The answer to a write of ours can be ahead of the watch.
    """

    node_pools: dict[str, NodePool] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    first_seen: dict[str, float] = field(default_factory=dict)
    account_seen: dict[str, float] = field(default_factory=dict)
    namespace_seen: dict[str, float] = field(default_factory=dict)
    deletion_seen: dict[str, float] = field(default_factory=dict)
    reconcile_seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    retain_seen: set[str] = field(default_factory=set)
    deletion_observed: set[str] = field(default_factory=set)
    unreadable: dict[str, UnreadableObject] = field(default_factory=dict)
    gone: dict[str, None] = field(default_factory=dict)
    of_account: Index[str] = field(default_factory=Index)
    of_node_pool: Index[tuple[str, str, str]] = field(default_factory=Index)


class Cache:
    """Keeps the content in order, and reports changes to one listener, for one term as the leader."""

    def __init__(self, clock: Clock, listener: Listener | None = None, content: Content | None = None) -> None:
        """Fill it with the `upsert_*` methods. Given the content of another cache, both share it."""
        self._clock = clock
        self._listener: Listener = listener or NoListener()
        self.content = content = content or Content()
        self.node_pools = content.node_pools
        self.accounts = content.accounts
        self.namespaces = content.namespaces
        self.first_seen = content.first_seen
        self.account_seen = content.account_seen
        self.namespace_seen = content.namespace_seen
        self.deletion_seen = content.deletion_seen
        self.reconcile_seen = content.reconcile_seen
        self.retain_seen = content.retain_seen
        self.deletion_observed = content.deletion_observed
        self.unreadable = content.unreadable
        self.of_account = content.of_account
        self.of_node_pool = content.of_node_pool
        self._being_written: dict[str, NodePoolStatus] = {}

    def observe_node_pool(self, body: Mapping[str, Any]) -> None:
        """Upsert a version from a watch or a complete LIST: every earlier object is in the cache already."""
        uid, is_deleted = str(body["metadata"]["uid"]), bool(body["metadata"].get("deletionTimestamp"))
        is_first = is_deleted and uid not in self.deletion_observed and uid not in self.content.gone
        if is_first:
            self.deletion_observed.add(uid)
        before = self.node_pools.get(uid)
        self.upsert_node_pool(body)
        if is_first and before is not None and self.node_pools.get(uid) is before:
            self._listener.node_pool_changed(uid)

    @contextmanager
    def writing(self, uid: str, status: NodePoolStatus) -> Iterator[None]:
        """Around a write of this status by the object's reconciler: the watch can show it before the answer arrives."""
        self._being_written[uid] = status
        try:
            yield
        finally:
            self._being_written.pop(uid, None)

    def observe_deletion(self, uid: str) -> None:
        """A complete LIST shows that the object is being deleted, and every earlier object is in the cache."""
        node_pool = self.node_pools.get(uid)
        if node_pool is not None and node_pool.metadata.deleted is not None and uid not in self.deletion_observed:
            self.deletion_observed.add(uid)
            self._listener.node_pool_changed(uid)

    def upsert_node_pool(self, body: Mapping[str, Any], *, is_written: bool = False) -> NodePool | None:
        """Upsert a version of an object. None if it does not match our schema, or if the object is gone already.

        `is_written`: the body is the answer to a write of ours. A deleted object must not come back: deletions of
        other objects of its node pool would hand over to it.
        """
        raw = body.get("metadata") or {}
        uid, version = str(raw.get("uid")), str(raw.get("resourceVersion"))
        if uid in self.content.gone:
            return None
        known = self.node_pools.get(uid)
        newest = known or self.unreadable.get(uid)
        if newest is not None and _is_not_newer(version, newest.metadata.resource_version):
            # Every write of ours comes back twice, and validation is the most expensive step.
            return known
        try:
            node_pool = NodePool.from_body(body)
        except (ValidationError, KeyError, ValueError) as error:
            self._upsert_unreadable(body, error)
            return None
        self.unreadable.pop(uid, None)
        self._record(node_pool)
        if known is None or known != node_pool:
            self.node_pools[uid] = node_pool
            if is_written or (known is not None and self._is_own_write(known, node_pool)):
                self._listener.node_pool_written(uid)
            else:
                self._listener.node_pool_changed(uid)
        return node_pool

    def drop_node_pool(self, uid: str) -> None:
        """The object is gone from the cluster. No uid is ever used again."""
        self._record_gone(uid)
        # An unreadable object has its entry here, too.
        self.deletion_observed.discard(uid)
        found, node_pool = self.unreadable.pop(uid, None), self._remove(uid)
        if found is None and node_pool is None:
            return
        for memory in (self.first_seen, self.deletion_seen, self.reconcile_seen):
            memory.pop(uid, None)
        if node_pool is not None:
            self._listener.node_pool_gone(node_pool)
        self.retain_seen.discard(uid)
        self._listener.node_pool_changed(uid)

    def is_gone(self, uid: str) -> bool:
        """Whether an object with this uid was deleted recently."""
        return uid in self.content.gone

    def upsert_account(self, body: Mapping[str, Any]) -> Account | None:
        """Upsert a version of an account. None if it does not match our schema, or if the account is gone already.

        A deleted account must not come back: DELETEs would use its credentials.
        """
        if self.is_gone(str((body.get("metadata") or {}).get("uid"))):
            return None
        try:
            account = Account.from_body(body)
        except (ValidationError, KeyError, ValueError) as error:
            self._upsert_unreadable(body, error)
            return None
        name = account.metadata.name
        known = self.accounts.get(name)
        if known is not None and is_older(account.metadata.resource_version, known.metadata.resource_version):
            # Also of another uid: a late event of an account that was created again since.
            return known
        self.unreadable.pop(account.metadata.uid, None)
        if known != account:
            if known is None or known.metadata.uid != account.metadata.uid:
                self.account_seen[name] = self._clock.monotonic()
            self.accounts[name] = account
            self._listener.account_changed(name)
        return account

    def drop_account(self, name: str, uid: str) -> None:
        """The account with that uid is gone. A new one with the same name stays."""
        self._record_gone(uid)
        self.unreadable.pop(uid, None)
        known = self.accounts.get(name)
        if known is not None and known.metadata.uid == uid:
            del self.accounts[name]
            self.account_seen.pop(name, None)
            self._listener.account_changed(name)

    def drop_account_of(self, uid: str) -> None:
        """The same, by uid only."""
        names = (name for name, account in self.accounts.items() if account.metadata.uid == uid)
        self.drop_account(next(names, ""), uid)

    def upsert_namespace(self, body: Mapping[str, Any]) -> None:
        """Upsert a version of a namespace; its metadata is enough."""
        namespace = Namespace.from_body(body)
        if self.is_gone(namespace.uid):
            return
        known = self.namespaces.get(namespace.name)
        if known is not None and is_older(namespace.resource_version, known.resource_version):
            return
        if known != namespace:
            if known is None or known.uid != namespace.uid:
                self.namespace_seen[namespace.name] = self._clock.monotonic()
            self.namespaces[namespace.name] = namespace
            self._listener.namespace_changed(namespace.name)

    def drop_namespace(self, name: str, uid: str) -> None:
        """The namespace with that uid is gone. A new one with the same name stays."""
        self._record_gone(uid)
        known = self.namespaces.get(name)
        if known is not None and known.uid == uid:
            del self.namespaces[name]
            self.namespace_seen.pop(name, None)
            self._listener.namespace_changed(name)

    def drop_namespace_of(self, uid: str) -> None:
        """The same by its uid alone."""
        names = (name for name, namespace in self.namespaces.items() if namespace.uid == uid)
        self.drop_namespace(next(names, ""), uid)

    def naming(self, account: str, resource_pool: str, node_pool: str) -> list[NodePool]:
        """The objects that name this node pool with this account."""
        return [self.node_pools[uid] for uid in self.of_node_pool.of((account, resource_pool, node_pool))]

    def is_used(self, account: str) -> bool:
        """Whether an object names the account, readable or not."""
        return account in self.of_account or any(
            found.is_node_pool and found.account == account for found in self.unreadable.values()
        )

    def _is_own_write(self, known: NodePool, node_pool: NodePool) -> bool:
        """Whether only the status changed, to the status that is being written."""
        metadata = node_pool.metadata
        status = self._being_written.get(metadata.uid)
        if status is None:
            return False
        written = replace(known.metadata, resource_version=metadata.resource_version)
        return node_pool == replace(known, metadata=written, status=status)

    def _remove(self, uid: str) -> NodePool | None:
        node_pool = self.node_pools.pop(uid, None)
        if node_pool is not None:
            self.of_account.remove(node_pool.spec.account_ref.name, uid)
            self.of_node_pool.remove(duplicate_key(node_pool), uid)
        return node_pool

    def _record_gone(self, uid: str) -> None:
        self.content.gone[uid] = None
        if len(self.content.gone) > GONE_REMEMBERED:
            del self.content.gone[next(iter(self.content.gone))]

    def _record(self, node_pool: NodePool) -> None:
        metadata = node_pool.metadata
        now = self._clock.monotonic()
        self.first_seen.setdefault(metadata.uid, now)
        self.of_account.add(node_pool.spec.account_ref.name, metadata.uid)
        self.of_node_pool.add(duplicate_key(node_pool), metadata.uid)
        if metadata.deleted is not None:
            self.deletion_seen.setdefault(metadata.uid, now)
            if node_pool.spec.deletion_policy is DeletionPolicy.RETAIN:
                self.retain_seen.add(metadata.uid)
        asked = node_pool.reconcile_at
        if asked is not None and self.reconcile_seen.get(metadata.uid, ("", 0.0))[0] != asked:
            self.reconcile_seen[metadata.uid] = (asked, now)

    def _upsert_unreadable(self, body: Mapping[str, Any], error: Exception) -> None:
        """Keep the object in `unreadable`, and drop its last readable version."""
        try:
            found = UnreadableObject.from_body(body, error, self._clock.monotonic())
        except (KeyError, ValueError):
            logger.exception("an object whose metadata cannot be read is left alone")
            return
        uid, version = found.metadata.uid, found.metadata.resource_version
        before = self.unreadable.get(uid)
        if uid in self.content.gone or (before is not None and is_older(version, before.metadata.resource_version)):
            return
        self.unreadable[uid] = found
        if before is None or before.problem != found.problem:
            _complain(found)
        if found.is_node_pool:
            self._remove(uid)
            self._listener.node_pool_changed(uid)


def _complain(found: UnreadableObject) -> None:
    names = found.pool_name is not None and found.node_pool_name is not None
    logger.error(
        "an object cannot be read by this version of the operator and is left alone%s: %s; "
        "compare the versions: modelarts-nodepool doctor",
        "" if names or not found.is_node_pool else "; not even which node pool it names, so it holds no other",
        found.problem,
        extra={"object": found.title, "uid": found.metadata.uid},
    )


def _is_not_newer(one: str, other: str) -> bool:
    return one == other or is_older(one, other)


def is_older(one: str, other: str) -> bool:
    """Whether a resourceVersion is older. False if they cannot be compared: then the new version is used."""
    try:
        return int(one) < int(other)
    except ValueError:
        return False


def duplicate_key(node_pool: NodePool) -> tuple[str, str, str]:
    """The account, resource pool and node pool that the object names."""
    return (node_pool.spec.account_ref.name, node_pool.spec.pool_name, node_pool.node_pool_name)


@dataclass(frozen=True, slots=True)
class FoundDuplicates:
    """Objects that name the node pool of another object.

    - `granted`: those that their account grants the node pool.
    - `unplaced`: an object in a namespace whose labels are not known yet, so its grant is not known either: the watch
      of namespaces can lag behind the watch of objects.
    """

    granted: tuple[NodePool, ...] = ()
    unplaced: NodePool | None = None


class Duplicates:
    """Answers from the indexes of the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def account_view(self, node_pool: NodePool) -> AccountView | None:
        """The account that the object names, with its meaning for the object. None if it does not exist."""
        account = self._cache.accounts.get(node_pool.spec.account_ref.name)
        if account is None:
            return None
        granted = self._is_granted(account, node_pool.metadata.namespace, node_pool.spec.pool_name)
        return AccountView(account=account, is_granted=granted, identity=identity_of(account.spec, node_pool))

    def of(self, node_pool: NodePool, identity: Identity) -> FoundDuplicates:
        """Other objects of the same node pool, by any account, the oldest first."""
        granted, unplaced = [], None
        for other in self._naming(node_pool, identity):
            view, pinned = self.account_view(other), other.status.identity
            if view is not None and view.is_granted:
                if pinned is None or pinned.place == identity.place:
                    granted.append(other)
            elif unplaced is None and other.metadata.namespace not in self._cache.namespaces:
                unplaced = other
        granted.sort(key=lambda other: (other.metadata.created, other.metadata.uid))
        return FoundDuplicates(tuple(granted), unplaced)

    def unreadable(self, node_pool: NodePool, identity: Identity) -> UnreadableObject | None:
        """An unreadable object that names the same node pool and may keep it.

        Not an object without a grant, nor an object that is being deleted without our finalizer.
        """
        for other in self._cache.unreadable.values():
            named = (other.pool_name, other.node_pool_name)
            is_other = other.metadata.uid != node_pool.metadata.uid
            if not is_other or not other.is_in_our_hands or named != (identity.pool_name, identity.node_pool_name):
                continue
            account = self._cache.accounts.get(other.account or "")
            if account is None or self._may_name(account, other, identity):
                return other
        return None

    def _may_name(self, account: Account, other: UnreadableObject, identity: Identity) -> bool:
        if (account.spec.region, account.spec.project_id) != (identity.region, identity.project_id):
            return False
        namespace = other.metadata.namespace
        return namespace not in self._cache.namespaces or self._is_granted(account, namespace, identity.pool_name)

    def _is_granted(self, account: Account, namespace: str, resource_pool: str) -> bool:
        known = self._cache.namespaces.get(namespace)
        labels = dict(known.labels) if known else {}
        return any(grant.allows(namespace, labels, resource_pool) for grant in account.spec.grants)

    def _naming(self, node_pool: NodePool, identity: Identity) -> Iterator[NodePool]:
        """Other objects whose spec and account name the same node pool: the same URL, in any workspace."""
        for name, account in self._cache.accounts.items():
            if (account.spec.region, account.spec.project_id) != (identity.region, identity.project_id):
                continue
            for other in self._cache.naming(name, identity.pool_name, identity.node_pool_name):
                if other.metadata.uid != node_pool.metadata.uid:
                    yield other


def identity_of(spec: AccountSpec, node_pool: NodePool) -> Identity:
    """The node pool in the cloud that spec and account name now."""
    return Identity(
        region=spec.region,
        project_id=spec.project_id,
        workspace=spec.workspace,
        pool_name=node_pool.spec.pool_name,
        node_pool_name=node_pool.node_pool_name,
    )
