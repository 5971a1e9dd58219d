"""The connection before anything is sent."""

import base64

import pytest
from kubernetes.aio.client import Configuration
from yarl import URL

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.connection import Connection, find_proxy
from modelarts_nodepool.kube.kubeconfig import Access


def an_access(**changes: object) -> Access:
    configuration = Configuration()
    configuration.host = "https://kube.example:6443/"
    for name, value in changes.items():
        setattr(configuration, name, value)

    async def reload() -> None:
        pass

    return Access(configuration, reload, "a file", "ml")


async def test_a_session_given_away_can_be_closed_without_harm() -> None:
    async with Connection(an_access(), "1.2") as connection:
        given = connection.new_session()
        await given.close()
        assert not connection.session.closed
        assert connection.session.connector is not None
        assert not connection.session.connector.closed


async def test_closing_the_connection_closes_what_was_given_away() -> None:
    async with Connection(an_access(), "1.2") as connection:
        given = connection.new_session()
        assert given.connector is connection.session.connector
    assert given.closed
    assert connection.session.closed


async def test_sessions_say_who_calls_and_keep_few_sockets() -> None:
    async with Connection(an_access(), "1.2") as connection:
        assert connection.session.headers["User-Agent"] == "modelarts-nodepool-operator/1.2"
        assert connection.session.connector is not None
        assert connection.session.connector.limit == 10
        assert connection.server == "https://kube.example:6443"
        assert connection.default_namespace == "ml"


async def test_a_broken_certificate_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Connection(an_access(ca_cert_data=base64.b64encode(b"no certificate").decode()), "1.2")


@pytest.mark.parametrize(
    ("no_proxy", "server", "expected"),
    [
        ("", "https://10.0.0.1:443", "http://proxy.example:3128"),
        ("10.0.0.0/8", "https://10.0.0.1:443", None),
        ("192.168.0.0/16, 10.0.0.1", "https://10.0.0.1", None),
        ("192.168.0.0/16", "https://10.0.0.1", "http://proxy.example:3128"),
        (".example", "https://kube.example", None),
        ("10.0.0.0/8", "https://kube.example", "http://proxy.example:3128"),
        ("10.0.0.0/8", "http://kube.example", None),
    ],
)
def test_the_environments_proxy_is_used_unless_excepted(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, server: str, expected: str | None
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert find_proxy(URL(server)) == expected
