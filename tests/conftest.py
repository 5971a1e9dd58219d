"""Fixtures and rules for the whole run; they stand in tests/support, so that tests can import them too."""

pytest_plugins = ("tests.support.controlplane", "tests.support.crds", "tests.support.skip_policy")
