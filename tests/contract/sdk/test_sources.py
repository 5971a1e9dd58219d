"""The issuers of temporary keys in the simulator are such that the official SDK logs in by them, unchanged."""

from pathlib import Path

import pytest

from lab.simulator.server import Simulator
from tests.contract.sdk.official import OfficialSdk

TOKEN = "the-token-of-the-pod"
ASKED = {
    "Metadata": ["issue_metadata_token", "issue_metadata_key"],
    "PodIdentity": ["issue_pod_identity_key"],
    "OIDC": ["issue_oidc_key"],
}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.mark.parametrize("source", ASKED)
async def test_case_14_the_sdk_logs_in_and_its_calls_are_let_in(
    sdk: OfficialSdk, source: str, token_file: Path
) -> None:
    async with Simulator.serving({"issuers": {"idToken": TOKEN}}) as simulator:
        environment = {
            "HC_CONTAINER_CREDENTIALS_FULL_URI": f"{simulator.endpoint}/v1/credentials",
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
            "HUAWEICLOUD_OIDC_PROVIDER_URN": "provider",
            "HUAWEICLOUD_OIDC_AGENCY_URN": "agency",
            "HUAWEICLOUD_OIDC_TOKEN_FILE": str(token_file),
            "HUAWEICLOUD_SDK_STS_ENDPOINT": simulator.endpoint,
        }
        outcome = await sdk.call(simulator.endpoint, "list_pools", source=source, environment=environment)
        assert outcome.answer["kind"] == "PoolList"
        *issued, called = simulator.requests()
    assert [entry.operation for entry in issued] == ASKED[source]
    assert (called.access_key, called.signature) == (issued[-1].access_key, "valid")
