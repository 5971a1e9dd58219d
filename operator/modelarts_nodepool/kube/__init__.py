"""The cluster beyond kopf: one connection, objects, patches, events, and whether our kinds are served."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _some_home() -> Iterator[None]:
    """The library asks where HOME is when it is imported; a Pod may have none, nor an entry in /etc/passwd."""
    if "HOME" in os.environ:
        yield
        return
    os.environ["HOME"] = "/"
    try:
        yield
    finally:
        del os.environ["HOME"]


with _some_home():
    import kubernetes.aio  # noqa: F401 - before anything else in here imports it
