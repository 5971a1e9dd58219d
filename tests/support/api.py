"""The API server as an administrator sees it, for tests that look at objects often: kubectl costs a process a look."""

import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import API_VERSION
from tests.support.limits import HANGING_SECONDS
from tests.support.per_thread import PerThread

GROUP_PATH = f"/apis/{API_VERSION}"
ACCOUNTS = f"{GROUP_PATH}/modelartsaccounts"
NAMESPACES = "/api/v1/namespaces"
NOT_FOUND, TOO_MANY_REQUESTS = 404, 429

Object = dict[str, Any]


def node_pools_in(namespace: str) -> str:
    return f"{GROUP_PATH}/namespaces/{namespace}/modelartsnodepools"


def secrets_in(namespace: str) -> str:
    return f"{NAMESPACES}/{namespace}/secrets"


def events_in(namespace: str) -> str:
    return f"{NAMESPACES}/{namespace}/events"


class Api:
    """Reads and writes of one administrator; everything but "not found" is an error of the test."""

    def __init__(self, plane: ControlPlane) -> None:
        content = yaml.safe_load(plane.kubeconfig.read_text())
        token = content["users"][0]["user"]["token"]
        authority = plane.folder / "certificates" / "apiserver.crt"
        tls = ssl.create_default_context(cadata=authority.read_text())
        self._client = PerThread(
            lambda: httpx.Client(
                base_url=plane.server,
                verify=tls,
                headers={"Authorization": f"Bearer {token}"},
                trust_env=False,
                timeout=HANGING_SECONDS,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
        """Patient with an API server that builds the storage of a kind anew, as it does when a CRD has changed."""
        deadline = time.monotonic() + HANGING_SECONDS
        while True:
            answer = self._client().request(method, path, **more)
            if answer.status_code != TOO_MANY_REQUESTS or time.monotonic() > deadline:
                return answer
            time.sleep(0.5)

    def get(self, path: str) -> Object | None:
        """None where it is not there."""
        answer = self._ask("GET", path)
        return None if answer.status_code == NOT_FOUND else _read(answer)

    def items(self, path: str) -> list[Object]:
        found = self.get(path)
        return list(found["items"]) if found else []

    def events_about(self, name: str, namespace: str = "default") -> list[Object]:
        """The API server chooses: it records Events itself, some of them about an object without a name."""
        return self.items(f"{events_in(namespace)}?fieldSelector=involvedObject.name={name}")

    def create(self, path: str, body: Mapping[str, Any]) -> Object:
        return _read(self._ask("POST", path, json=body))

    def replace(self, path: str, body: Mapping[str, Any]) -> Object:
        return _read(self._ask("PUT", path, json=body))

    def merge(self, path: str, patch: Mapping[str, Any]) -> Object:
        headers = {"Content-Type": "application/merge-patch+json"}
        return _read(self._ask("PATCH", path, json=patch, headers=headers))

    def json_patch(self, path: str, patches: list[dict[str, Any]], manager: str) -> Object:
        headers = {"Content-Type": "application/json-patch+json"}
        return _read(self._ask("PATCH", f"{path}?fieldManager={manager}", json=patches, headers=headers))

    def apply(self, path: str, body: Mapping[str, Any], manager: str) -> Object:
        """Server-side apply with force, as GitOps tools do it."""
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return _read(self._ask("PATCH", f"{path}?fieldManager={manager}&force=true", json=body, headers=headers))

    def delete(self, path: str) -> None:
        """Ask for it; an object with finalizers stays. Harmless where it is not there."""
        answer = self._ask("DELETE", path)
        if answer.status_code != NOT_FOUND:
            _read(answer)

    def strip(self, path: str) -> None:
        """Take all finalizers away: only to clean up behind a test."""
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self._ask("PATCH", path, json={"metadata": {"finalizers": None}}, headers=headers)
        if answer.status_code != NOT_FOUND:
            _read(answer)


def _read(answer: httpx.Response) -> Object:
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
    found = answer.json()
    assert isinstance(found, dict)
    return found
