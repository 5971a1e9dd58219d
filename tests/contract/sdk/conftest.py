from collections.abc import Iterator

import pytest

from tests.contract.sdk.official import OfficialSdk


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficialSdk]:
    """One process for all tests: starting it takes a second."""
    with OfficialSdk.running(tmp_path_factory.mktemp("sdk")) as official:
        yield official
