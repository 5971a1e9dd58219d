"""One refresher for all that share an identity, and which variables and addresses make one."""

import pytest

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.credentials.providers import Providers, login_variables
from modelarts_nodepool.errors import SettingsError
from tests.support.clocks import HandClock

ISSUED = [source for source in CredentialsSource if source is not CredentialsSource.SECRET]


@pytest.mark.parametrize("source", ISSUED)
def test_accounts_of_one_source_share_their_keys(source: CredentialsSource) -> None:
    providers = Providers(HandClock())
    assert providers.credentials_from(source, "cn-north-4") is providers.credentials_from(source, "cn-north-4")


@pytest.mark.parametrize("source", ISSUED)
def test_only_the_token_service_is_another_one_in_another_region(source: CredentialsSource) -> None:
    providers = Providers(HandClock())
    is_another = providers.credentials_from(source, "cn-north-4") is not providers.credentials_from(
        source, "cn-south-1"
    )
    assert is_another is (source is CredentialsSource.OIDC)


def test_one_token_service_that_was_named_serves_all_regions() -> None:
    providers = Providers(HandClock(), sts_endpoint="https://sts.example.internal")
    oidc = CredentialsSource.OIDC
    assert providers.credentials_from(oidc, "cn-north-4") is providers.credentials_from(oidc, "cn-south-1")


def test_each_source_has_a_remedy_of_its_own() -> None:
    providers = Providers(HandClock())
    assert len({providers.credentials_from(source, "cn-north-4").remedy for source in ISSUED}) == len(ISSUED)


@pytest.mark.parametrize("name", ["metadata_endpoint", "sts_endpoint"])
def test_an_address_that_is_not_allowed_is_refused_before_anything_is_asked(name: str) -> None:
    with pytest.raises(SettingsError):
        Providers(HandClock(), **{name: "http://stranger.example"})  # type: ignore[arg-type]


def test_only_the_variables_that_say_who_we_are_are_taken() -> None:
    named = {"HC_CONTAINER_CREDENTIALS_FULL_URI": "u", "HUAWEICLOUD_OIDC_AGENCY_URN": "a"}
    others = {"PATH": "/bin", "HUAWEICLOUD_SDK_AK": "never read", "HUAWEICLOUD_SDK_SK": "never read"}
    assert login_variables(named | others) == named
