"""Where credentials may come from: no setting and no variable sends a token to a stranger in the clear."""

import pytest

from modelarts_nodepool.credentials.metadata import METADATA_URL, check_metadata_endpoint
from modelarts_nodepool.credentials.oidc import check_sts_endpoint, sts_url
from modelarts_nodepool.credentials.pod_identity import check_agent_url
from modelarts_nodepool.errors import CredentialsUnavailable, SettingsError

NO_URL = [
    "",
    "nonsense",
    "https://",
    "https://user:CANARY@host",
    "https://ho st",
    "https://host/?q=CANARY",
    "https://[::1",
]


def test_the_token_service_is_in_the_accounts_region() -> None:
    assert sts_url("cn-north-4") == "https://sts.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize("region", ["eu-de", "eu-west-101", "private"])
def test_the_token_service_of_a_region_that_nobody_knows_is_not_guessed(region: str) -> None:
    with pytest.raises(CredentialsUnavailable, match="MODELARTS_NODEPOOL_STS_ENDPOINT=https://HOST"):
        sts_url(region)


@pytest.mark.parametrize("text", ["https://sts.example.internal", "https://sts.example:8443/", "http://127.0.0.1:1234"])
def test_a_token_service_may_be_anywhere_by_https(text: str) -> None:
    assert check_sts_endpoint(text) == text.rstrip("/")


@pytest.mark.parametrize("text", [*NO_URL, "http://sts.example", "http://10.0.0.1", "https://host/path", "ftp://host"])
def test_no_other_token_service_is_taken(text: str) -> None:
    with pytest.raises(SettingsError, match="--sts-endpoint") as caught:
        check_sts_endpoint(text)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("text", [METADATA_URL, f"{METADATA_URL}/", "http://127.0.0.1:8080", "http://localhost:1"])
def test_the_metadata_service_is_the_clouds_own_or_a_stand_in_on_this_machine(text: str) -> None:
    assert check_metadata_endpoint(text) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        *NO_URL,
        "http://169.254.169.253",
        "http://169.254.169.254.evil.example",
        "http://169.254.169.254:81",
        "http://10.0.0.1",
        "https://169.254.169.254",
        "https://metadata.example",
        "http://127.0.0.1/path",
    ],
)
def test_no_other_metadata_service_is_taken(text: str) -> None:
    with pytest.raises(SettingsError, match="--metadata-endpoint") as caught:
        check_metadata_endpoint(text)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http://169.254.170.23/v1/credentials",
        "http://10.247.0.9:8080/v1/credentials",
        "http://127.0.0.1:9/x",
        "http://[fd00::1]/x",
        "https://agent.example/v1/credentials",
    ],
)
def test_an_agent_is_near_or_behind_https(text: str) -> None:
    assert check_agent_url(text, "VARIABLE") == text


@pytest.mark.parametrize("text", [*NO_URL, "http://8.8.8.8/x", "http://agent.example/x", "file:///etc/shadow"])
def test_no_other_agent_is_given_the_token(text: str) -> None:
    with pytest.raises(CredentialsUnavailable, match="VARIABLE") as caught:
        check_agent_url(text, "VARIABLE")
    assert "CANARY" not in str(caught.value)
