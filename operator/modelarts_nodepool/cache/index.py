"""Uids by what they have in common: an account, a node pool, a resource pool. A key without any uid is not kept.

Used by cache/objects.py and polling/pollers.py, which live for years while accounts and pools come and go.
"""

from collections.abc import Collection, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Index(Generic[K]):
    """Sets of uids by key."""

    def __init__(self) -> None:
        self._uids: dict[K, set[str]] = {}

    def add(self, key: K, uid: str) -> None:
        """The uid belongs to this key, perhaps already."""
        self._uids.setdefault(key, set()).add(uid)

    def remove(self, key: K, uid: str) -> None:
        """It does not any more; nothing where it did not."""
        uids = self._uids.get(key, set())
        uids.discard(uid)
        if not uids:
            self._uids.pop(key, None)

    def of(self, key: K) -> Collection[str]:
        """The uids of this key as they are now: a copy, so that it may be gone through while they change."""
        return frozenset(self._uids.get(key, ()))

    def has(self, key: K, uid: str) -> bool:
        """Whether the uid belongs to this key."""
        return uid in self._uids.get(key, ())

    def __contains__(self, key: K) -> bool:
        """Whether there is any uid of this key; copies nothing."""
        return key in self._uids

    def __iter__(self) -> Iterator[K]:
        """The keys; not to be changed meanwhile."""
        return iter(self._uids)

    def __len__(self) -> int:
        """How many keys have uids."""
        return len(self._uids)
