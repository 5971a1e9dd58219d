"""Servers and proxies as Go reads them. What is asked of kubectl itself: tests/integration/kubeconfig/."""

import pytest
from yarl import URL

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.addresses import check_proxy, is_proxied, parse_server

CANARY = "canary-c0ffee-word"


@pytest.mark.parametrize(
    ("no_proxy", "server", "is_through_it"),
    [
        ("", "https://[2001:db8::1]", True),
        ("2001:db8::/32", "https://[2001:db8::1]", False),
        ("2001:db8::1", "https://[2001:db8::1]:6443", False),
        ("[2001:db8::1]:6443", "https://[2001:db8::1]:6443", False),
        ("[2001:db8::1]:6443", "https://[2001:db8::1]", True),
        ("[2001:db8::1]", "https://[2001:db8::1]", True),
        ("2001:db8::2", "https://[2001:db8::1]", True),
        ("", "https://[::1]", False),
        ("", "https://[::ffff:127.0.0.1]", False),
        ("", "https://127.8.9.1", False),
        ("", "https://localhost", False),
        ("", "https://localhost.example", True),
        ("203.0.113.1", "https://[::ffff:203.0.113.1]", False),
        ("bücher.example", "https://bücher.example", False),
        ("xn--bcher-kva.example", "https://bücher.example", False),
    ],
)
def test_no_proxy_and_loopback_are_read_as_go_reads_them(no_proxy: str, server: str, *, is_through_it: bool) -> None:
    assert is_proxied(URL(server), no_proxy) is is_through_it


@pytest.mark.parametrize("address", ["proxy:3128", "http://proxy", "https://a:b@proxy:1/"])
def test_an_address_of_a_proxy_is_a_url(address: str) -> None:
    assert URL(check_proxy(address, "HTTPS_PROXY")).host == "proxy"


@pytest.mark.parametrize(
    "address", ["", "http://", ":3128", "proxy:port", "proxy:99999", "a b", "ftp://proxy", "socks5://p"]
)
def test_what_is_no_proxy_is_refused_by_name_without_its_password(address: str) -> None:
    with pytest.raises(SettingsError, match="HTTPS_PROXY is") as failure:
        check_proxy(address.replace("//", f"//user:{CANARY}@"), "HTTPS_PROXY")
    assert CANARY not in str(failure.value)


@pytest.mark.parametrize(
    "server", ["https://kube.example:99999", "https://:6443", "//kube.example", "", "a b", "https://["]
)
def test_what_is_no_server_is_refused(server: str) -> None:
    with pytest.raises(SettingsError, match="here has the server"):
        parse_server(server, "here")
