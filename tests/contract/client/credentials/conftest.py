from pathlib import Path

import pytest

from tests.contract.client.credentials.issuers import ID_TOKEN


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The Pod's token with a line feed at its end, as some write it."""
    path = tmp_path / "token"
    path.write_text(f"{ID_TOKEN}\n")
    return path
