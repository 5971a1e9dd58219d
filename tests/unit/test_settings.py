"""Settings are plain frozen values with safe defaults."""

from dataclasses import FrozenInstanceError

import pytest

from modelarts_nodepool.settings import LogFormat, LogLevel, Settings


def test_only_the_namespace_has_to_be_given() -> None:
    settings = Settings(operator_namespace="op")
    assert settings.endpoints == {}
    assert settings.http_port == 8080
    assert settings.log_format is LogFormat.JSON
    assert settings.log_level is LogLevel.INFO
    assert settings.leader_election
    assert settings.kubeconfig is None


def test_settings_do_not_change_while_the_operator_runs() -> None:
    settings = Settings(operator_namespace="op")
    with pytest.raises(FrozenInstanceError):
        settings.http_port = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.endpoints["cn-north-4"] = "http://127.0.0.1"  # type: ignore[index]
