"""Settings are plain frozen values, and the flags that give them have safe defaults."""

from dataclasses import FrozenInstanceError

import pytest

from modelarts_nodepool.cli import run
from modelarts_nodepool.settings import DEFAULT_SWEEP_INTERVAL, DEFAULT_WATCH_TIMEOUT, CloudLimits, Settings


def test_without_flags_the_operator_runs_safely() -> None:
    defaults = {parameter.name: parameter.default for parameter in run.params}
    assert defaults["leader_election"] is True
    assert defaults["operator_namespace"] == "modelarts-nodepool-operator"
    assert (defaults["http_host"], defaults["http_port"]) == ("::", 8080)
    assert (defaults["log_format"], defaults["log_level"]) == ("json", "info")
    assert (defaults["cloud_rate"], defaults["cloud_burst"]) == (CloudLimits().rate, CloudLimits().burst)
    assert defaults["watch_timeout"] == DEFAULT_WATCH_TIMEOUT.total_seconds()
    assert defaults["sweep_interval"] == DEFAULT_SWEEP_INTERVAL.total_seconds()
    elsewhere = ("endpoints", "ca_bundle", "sts_endpoint", "metadata_endpoint", "kubeconfig")
    assert not any(isinstance(defaults[name], str) for name in elsewhere)


def test_settings_do_not_change_while_the_operator_runs() -> None:
    settings = Settings(
        operator_namespace="op",
        endpoints={},
        ca_bundle=None,
        http_host="::",
        http_port=8080,
        leader_election=True,
        watch_timeout=DEFAULT_WATCH_TIMEOUT,
        sweep_interval=DEFAULT_SWEEP_INTERVAL,
        kubeconfig=None,
        metadata_endpoint=None,
        sts_endpoint=None,
        login_environment={"HC_CONTAINER_TOKEN": "of-a-test"},
        cloud_limits=CloudLimits(),
    )
    with pytest.raises(FrozenInstanceError):
        settings.http_port = 1  # type: ignore[misc]
    assert "of-a-test" not in repr(settings)
