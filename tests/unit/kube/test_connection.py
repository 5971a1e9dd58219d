"""The connection before anything is sent."""

import pytest

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.kubeconfig import ClientConfig, Cluster

CONFIG = ClientConfig(server="https://kube.example:6443", source="a file", namespace="ml")


async def test_a_session_given_away_can_be_closed_without_harm() -> None:
    async with Connection(CONFIG, "1.2") as connection:
        given = connection.new_session()
        await given.close()
        assert not connection.session.closed
        assert connection.session.connector is not None
        assert not connection.session.connector.closed


async def test_closing_the_connection_closes_what_was_given_away() -> None:
    async with Connection(CONFIG, "1.2") as connection:
        given = connection.new_session()
        assert given.connector is connection.session.connector
    assert given.closed
    assert connection.session.closed


async def test_sessions_say_who_calls_and_keep_few_sockets() -> None:
    async with Connection(CONFIG, "1.2") as connection:
        assert connection.session.headers["User-Agent"] == "modelarts-nodepool-operator/1.2"
        assert connection.session.connector is not None
        assert connection.session.connector.limit == 10
        assert connection.server == "https://kube.example:6443"
        assert connection.default_namespace == "ml"


async def test_a_broken_certificate_is_a_wrong_setting() -> None:
    broken = ClientConfig(
        server="https://kube.example",
        source="a file",
        cluster=Cluster.model_validate({"certificate-authority-data": "bm8gY2VydGlmaWNhdGU="}),
    )
    with pytest.raises(SettingsError, match="certificate authority"):
        await Connection.to(broken, version="1.2")
