"""Counts what a long-lived object holds on to: every dict, set, list and queue that can be reached from it."""

from collections import deque
from collections.abc import Iterator, Mapping
from weakref import WeakValueDictionary

OURS = "modelarts_nodepool"


def sizes_in(**roots: object) -> dict[str, int]:
    """How many entries each collection has, by the way to it; the ways through members of one collection count as one.

    Objects of the package are looked into, and collections; nothing else is.
    """
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    left = deque(roots.items())
    while left:
        path, thing = left.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, Mapping | set | list | deque | WeakValueDictionary):
            sizes[path] = max(sizes.get(path, 0), len(thing))
            members = thing.values() if isinstance(thing, Mapping | WeakValueDictionary) else thing
            left += [(f"{path}[]", member) for member in tuple(members)]
        elif isinstance(thing, tuple):
            left += [(path, member) for member in thing]
        elif type(thing).__module__.startswith(OURS):
            left += [(f"{path}.{name}", value) for name, value in _attributes(thing)]
    return sizes


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(thing, name):
                yield name, getattr(thing, name)
