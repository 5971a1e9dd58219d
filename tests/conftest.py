"""Fixtures and rules for the whole run; they stand in tests/support, so that tests can import them too."""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from modelarts_nodepool import logs

pytest_plugins = (
    "tests.support.controlplane",
    "tests.support.crds",
    "tests.support.failures_at_once",
    "tests.support.order",
    "tests.support.skip_policy",
)

# API servers, etcd, kubectl and helm are Go: collecting garbage less often saves a tenth of their CPU.
os.environ.setdefault("GOGC", "400")

# By default an example that takes more than 200 ms fails. A busy machine does that, and the code is not at fault.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


# Nothing of what is imported and collected is garbage.
gc.disable()


def pytest_collection_finish() -> None:
    """Collected tests live to the end of the run, so the garbage collector need not visit them each time."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _registered_secrets() -> Iterator[None]:
    """What a test registers as a secret is masked in this test only: it may be a word of another test's message."""
    forms, longest_first = dict(logs._secrets._forms), logs._secrets._longest_first  # noqa: SLF001
    yield
    logs._secrets._forms, logs._secrets._longest_first = forms, longest_first  # noqa: SLF001
