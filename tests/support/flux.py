"""What Flux does to an object at a sync, step by step, on the real API server.

fluxcd/pkg `ssa`: `ResourceManager.Apply` first hands the fields of some field managers to its own
(`PatchReplaceFieldsManagers` with the options of kustomize-controller's `Kustomization` reconciler), then applies with
force. A field that nobody else owns and that Git does not name is removed by that. No Flux runs here.
"""

from collections.abc import Mapping
from typing import Any

from tests.support.api import Api, Object

MANAGER = "kustomize-controller"
# By prefix: kubectl's own managers are called kubectl-patch, kubectl-annotate, kubectl-edit, kubectl-client-side-apply.
_TAKEN_OVER = (("kubectl", "Apply"), ("kubectl", "Update"), ("before-first-apply", "Update"), (MANAGER, "Update"))
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LABELS = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}


class Flux:
    """One Kustomization that applies one object."""

    def __init__(self, api: Api, path: str) -> None:
        """`path` is that of the object."""
        self._api, self._path = api, path

    def sync(self, manifest: Mapping[str, Any]) -> Object:
        """Apply what is in Git, labelled as Flux labels it."""
        live = self._api.get(self._path)
        if live is not None:
            self._clean_up(live)
        metadata = dict(manifest["metadata"])
        labelled = dict(manifest) | {"metadata": metadata | {"labels": {**metadata.get("labels", {}), **LABELS}}}
        return self._api.apply(self._path, labelled, MANAGER)

    def prune(self) -> None:
        """The object is no longer in Git."""
        self._api.delete(self._path)

    def _clean_up(self, live: Object) -> None:
        patches: list[dict[str, Any]] = []
        if _LAST_APPLIED in live["metadata"].get("annotations", {}):
            patches.append({"op": "remove", "path": f"/metadata/annotations/{_LAST_APPLIED.replace('/', '~1')}"})
        before = live["metadata"]["managedFields"]
        after = _taken_over(before)
        if after != before:
            patches.append({"op": "replace", "path": "/metadata/managedFields", "value": after})
        if patches:
            self._api.json_patch(self._path, patches, MANAGER)


def _taken_over(entries: list[Object]) -> list[Object]:
    """One entry of Flux's own, with the fields of all whom it does not let keep theirs."""
    own = [entry for entry in entries if (entry["manager"], entry["operation"]) == (MANAGER, "Apply")]
    theirs = [entry for entry in entries if entry not in own and _is_taken_over(entry)]
    if not theirs:
        return entries
    kept = [entry for entry in entries if entry not in own and entry not in theirs]
    fields: dict[str, Any] = {}
    for entry in [*own, *theirs]:
        _merge(fields, entry["fieldsV1"])
    return [*kept, (own or theirs)[0] | {"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}]


def _is_taken_over(entry: Object) -> bool:
    return not entry.get("subresource") and any(
        entry["manager"].startswith(prefix) and entry["operation"] == operation for prefix, operation in _TAKEN_OVER
    )


def _merge(into: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for key, value in fields.items():
        _merge(into.setdefault(key, {}), value)
