import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.api.names import REGION_PATTERN
from modelarts_nodepool.api.regions import KNOWN_REGIONS
from modelarts_nodepool.errors import EndpointUnknown, SettingsError
from modelarts_nodepool.modelarts.endpoints import endpoint_of, parse_endpoint, parse_endpoints


def test_endpoint_follows_from_the_region() -> None:
    assert endpoint_of("cn-north-4").url == "https://modelarts.cn-north-4.myhuaweicloud.com"
    assert endpoint_of("ap-southeast-1").url == "https://modelarts.ap-southeast-1.myhuaweicloud.com"


@pytest.mark.parametrize("region", KNOWN_REGIONS)
def test_known_region_has_an_endpoint(region: str) -> None:
    assert endpoint_of(region).url == f"https://modelarts.{region}.myhuaweicloud.com"
    assert re.fullmatch(REGION_PATTERN, region)


def why_unknown(region: str) -> str:
    with pytest.raises(EndpointUnknown) as caught:
        endpoint_of(region, parse_endpoints(["cn-north-4=https://modelarts.example.com"]))
    assert caught.value.had_no_effect
    assert not caught.value.is_transient
    return str(caught.value)


@pytest.mark.parametrize("region", ["eu-de", "eu-nl", "eu-ch2", "private", "1", "a" * 63])
def test_a_region_that_neither_table_nor_settings_know_has_no_endpoint(region: str) -> None:
    words = why_unknown(region)
    assert f"--endpoint {region}=https://HOST" in words
    assert f"--set operator.endpoints.{region}=https://HOST" in words
    assert "myhuaweicloud" not in words


def test_a_region_that_is_newer_than_the_table_is_not_guessed_and_its_likely_address_is_named() -> None:
    assert "--endpoint eu-west-101=https://modelarts.eu-west-101.myhuaweicloud.com" in why_unknown("eu-west-101")


def test_mistyped_region_is_told_from_the_one_that_is_meant() -> None:
    assert "did you mean cn-north-4?" in why_unknown("cn-nroth-4")


@given(st.from_regex(REGION_PATTERN, fullmatch=True).filter(lambda region: not region.endswith("\n")))
def test_any_dns_label_is_a_region_once_the_settings_know_it(region: str) -> None:
    overrides = parse_endpoints([f"{region}=https://modelarts.example.com"])
    assert endpoint_of(region, overrides).url == "https://modelarts.example.com"
    if region not in KNOWN_REGIONS:
        why_unknown(region)


def test_override_wins_for_its_region_only() -> None:
    overrides = parse_endpoints(["cn-north-4=http://127.0.0.1:1234"])
    assert endpoint_of("cn-north-4", overrides).url == "http://127.0.0.1:1234"
    assert endpoint_of("cn-east-3", overrides).url == "https://modelarts.cn-east-3.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("cn-north-4=http://127.0.0.1:1234", "http://127.0.0.1:1234"),
        ("cn-north-4=http://localhost:80/", "http://localhost:80"),
        ("cn-north-4=http://[::1]:8080", "http://[::1]:8080"),
        ("cn-north-4=modelarts.example.com", "https://modelarts.example.com"),
        ("cn-north-4=modelarts.example.com:8443", "https://modelarts.example.com:8443"),
        ("cn-north-4=https://Modelarts.Example.com", "https://modelarts.example.com"),
    ],
)
def test_override_is_read(text: str, url: str) -> None:
    endpoint = parse_endpoint(text)
    assert endpoint.region == "cn-north-4"
    assert endpoint.url == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://modelarts.example.com", "REGION=URL"),
        ("https://user:CANARY@h/?a=b", "not a region"),
        ("cn-north-4", "REGION=URL"),
        ("cn-north-4=", "REGION=URL"),
        ("CN=https://h", "not a region"),
        ("cn-north-4=http://modelarts.example.com", "only for loopback"),
        ("cn-north-4=http://127.0.0.1.example.com", "only for loopback"),
        ("cn-north-4=http://localhost.example.com", "only for loopback"),
        ("cn-north-4=ftp://modelarts.example.com", "neither"),
        ("cn-north-4=https://modelarts.example.com/prefix", "has a path"),
        ("cn-north-4=https://modelarts.example.com?a=b", "has a path"),
        ("cn-north-4=https://modelarts.example.com:port", "not a URL"),
        ("cn-north-4=https://:443", "no valid host"),
        ("cn-north-4=https://a b", "not a URL"),
        ("cn-north-4=https://a\\b", "no valid host"),
        ("cn-north-4=https://bücher.example", "not a URL"),
        ("cn-north-4=https://user:CANARY@modelarts.example.com", "Secret"),
        ("cn-north-4=https://CANARY@modelarts.example.com/x", "Secret"),
    ],
)
def test_bad_override_names_the_flag_and_never_a_password(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_endpoint(text)
    assert "--endpoint" in str(caught.value)
    assert words in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_region_named_twice_is_an_error() -> None:
    with pytest.raises(SettingsError, match="cn-north-4 twice"):
        parse_endpoints(["cn-north-4=https://a", "cn-north-4=https://b"])


def test_region_that_would_change_the_host_is_refused() -> None:
    with pytest.raises(EndpointUnknown):
        endpoint_of("cn-north-4.evil.example/#-1")
