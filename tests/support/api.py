"""The API server as an administrator sees it, for tests that look at objects often: kubectl costs a process a look."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from lab.controlplane import ControlPlane
from lab.harness import api
from lab.harness.api import ACCOUNTS, GROUP_PATH, NAMESPACES, events_in, node_pools_in, secrets_in
from lab.harness.blocking import LoopThread

__all__ = ["ACCOUNTS", "CRDS", "GROUP_PATH", "NAMESPACES", "Api", "Object", "events_in", "node_pools_in", "secrets_in"]

Object = dict[str, Any]

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Api:
    """The harness's client for callers that block, from any thread."""

    def __init__(self, plane: ControlPlane) -> None:
        self._loop = LoopThread()
        self._api = api.Api(plane)

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self._loop.run(self._api.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._api.__aexit__(kind, error, trace))
        self._loop.__exit__(kind, error, trace)

    def get(self, path: str) -> Object | None:
        """None where it is not there."""
        return self._loop.run(self._api.get(path))

    def items(self, path: str) -> list[Object]:
        return self._loop.run(self._api.items(path))

    def events_about(self, name: str, namespace: str = "default") -> list[Object]:
        """The API server chooses: it records Events itself, some of them about an object without a name."""
        return self.items(f"{events_in(namespace)}?fieldSelector=involvedObject.name={name}")

    def create(self, path: str, body: Mapping[str, Any]) -> Object:
        return _there(self._loop.run(self._api.create(path, body)))

    def replace(self, path: str, body: Mapping[str, Any]) -> Object:
        return self._loop.run(self._api.replace(path, body))

    def merge(self, path: str, patch: Mapping[str, Any]) -> Object:
        return _there(self._loop.run(self._api.merge(path, patch)))

    def json_patch(self, path: str, patches: list[dict[str, Any]], manager: str) -> Object:
        return self._loop.run(self._api.json_patch(path, patches, manager))

    def apply(self, path: str, body: Mapping[str, Any], manager: str) -> Object:
        """Server-side apply with force, as GitOps tools do it."""
        return self._loop.run(self._api.apply(path, body, manager))

    def delete(self, path: str) -> None:
        """An object with finalizers stays. Harmless where it is not there."""
        self._loop.run(self._api.delete(path))

    def strip(self, path: str) -> None:
        """Take all finalizers away: only to clean up behind a test."""
        self._loop.run(self._api.merge(path, {"metadata": {"finalizers": None}}))


def _there(found: Object | None) -> Object:
    assert found is not None, "it is not there"
    return found
