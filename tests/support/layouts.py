"""The repository layouts of deploy/flux and deploy/argocd, read as the two tools read them: steps with a folder each.

Two variants of each: as it stands, and with the chart (a file in options/ replaces what its first lines name).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.crds import REPOSITORY
from tests.support.manifests import Object, objects_in

FLUX, ARGO_CD = REPOSITORY / "deploy" / "flux", REPOSITORY / "deploy" / "argocd"
CLUSTER, APPS = FLUX / "clusters" / "production" / "modelarts", ARGO_CD / "apps"
FLUX_CHART, ARGO_CD_CHART = FLUX / "options" / "operator-helm.yaml", ARGO_CD / "options" / "operator-chart.yaml"
NODE_POOLS = "modelarts-node-pools"
PROJECT = "modelarts-nodepool-operator"
WAVE = "argocd.argoproj.io/sync-wave"


@dataclass(frozen=True)
class Step:
    """One Kustomization or Application."""

    name: str
    folders: tuple[Path, ...]
    needs: frozenset[str]
    """The steps that are ready before this one is applied."""
    keeps: bool
    """Whether deleting the Kustomization or Application leaves its objects in the cluster."""
    manifest: Object


@dataclass(frozen=True)
class Layout:
    """All steps of one variant, by name."""

    name: str
    steps: Mapping[str, Step]

    def ordered(self) -> list[Step]:
        """Each after everything that it needs; fails where that cannot be."""
        done: dict[str, Step] = {}
        while len(done) < len(self.steps):
            ready = [step for step in self.steps.values() if step.name not in done and step.needs <= done.keys()]
            assert ready, f"{self.name}: a circle, or a step that is not there: {self.steps.keys() - done.keys()}"
            done |= {step.name: step for step in ready}
        return list(done.values())

    def before(self, step: Step) -> set[str]:
        """The names of all that is certainly applied before this step."""
        return set[str]().union(*({need} | self.before(self.steps[need]) for need in step.needs))


def flux(*, with_chart: bool = False) -> Layout:
    """The Kustomizations of deploy/flux."""
    files = list(_files(CLUSTER, FLUX_CHART if with_chart else None))
    found = [item for path in files for item in objects_in(path.read_text())]
    assert {item["metadata"]["namespace"] for item in found} == {"flux-system"}
    repositories = {item["metadata"]["name"] for item in found if item["kind"] == "GitRepository"}
    # flux bootstrap makes the other one, of the repository that this layout is in.
    assert repositories == {PROJECT}
    steps = [_kustomization(item) for item in found if item["kind"] == "Kustomization"]
    assert len(steps) + len(repositories) == len(found)
    return Layout("Flux with the chart" if with_chart else "Flux", {step.name: step for step in steps})


def _kustomization(item: Object) -> Step:
    spec = item["spec"]
    root = {PROJECT: REPOSITORY, "flux-system": FLUX}[spec["sourceRef"]["name"]]
    needs = frozenset(need["name"] for need in spec.get("dependsOn", []))
    keeps = not spec["prune"] or spec.get("deletionPolicy") == "Orphan"
    return Step(item["metadata"]["name"], (root / spec["path"],), needs, keeps, item)


def argo_cd(*, with_chart: bool = False) -> Layout:
    """The Applications of deploy/argocd/apps; each needs all of lower sync waves."""
    found = [
        item for path in _files(APPS, ARGO_CD_CHART if with_chart else None) for item in objects_in(path.read_text())
    ]
    assert {(item["kind"], item["metadata"]["namespace"]) for item in found} == {("Application", "argocd")}
    waves = {item["metadata"]["name"]: int(item["metadata"]["annotations"][WAVE]) for item in found}
    steps = {}
    for item in found:
        name = item["metadata"]["name"]
        earlier = frozenset(other for other, wave in waves.items() if wave < waves[name])
        folders = tuple(_folder(source) for source in sources_of(item))
        steps[name] = Step(name, folders, earlier, not item["metadata"].get("finalizers"), item)
    return Layout("Argo CD with the chart" if with_chart else "Argo CD", steps)


def sources_of(application: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One or several."""
    spec = application["spec"]
    return list(spec["sources"]) if "sources" in spec else [spec["source"]]


def _folder(source: Mapping[str, Any]) -> Path:
    root = {f"{PROJECT}.git": REPOSITORY, "clusters.git": ARGO_CD}[source["repoURL"].rpartition("/")[2]]
    return root / str(source["path"])


def _files(folder: Path, replacement: Path | None) -> Iterator[Path]:
    """The files of a layout, some of them replaced by the one that says so in its first lines."""
    replaced: set[str] = set()
    if replacement is not None:
        (said,) = re.findall(r"replaces (.*?) in", replacement.read_text().replace("\n# ", " "))
        replaced = set(re.findall(r"[\w-]+\.yaml", said))
        assert replaced
        yield replacement
    paths = sorted(folder.glob("*.yaml"))
    assert replaced <= {path.name for path in paths}
    yield from (path for path in paths if path.name not in replaced)


def all_layouts() -> list[Layout]:
    """The four variants."""
    return [make(with_chart=with_chart) for make in (flux, argo_cd) for with_chart in (False, True)]


@cache
def plain_objects(folder: Path) -> list[Object]:
    """What a folder of plain manifests holds; nothing where it is built by Kustomize or Helm."""
    if (folder / "kustomization.yaml").exists() or (folder / "Chart.yaml").exists():
        return []
    return [item for path in sorted(folder.glob("*.yaml")) for item in objects_in(path.read_text())]


def accounts_in_values(step: Step) -> dict[str, Any]:
    """The accounts that a chart's values bring, by name."""
    found: dict[str, Any] = {}
    for folder in step.folders:
        for item in plain_objects(folder):
            if item["kind"] == "HelmRelease":
                found |= item["spec"]["values"]["accounts"]
    if step.manifest["kind"] == "Application":
        for source in sources_of(step.manifest):
            found |= source.get("helm", {}).get("valuesObject", {}).get("accounts", {})
    return found


def documents(path: Path) -> list[Any]:
    """Every document of a file, objects or not."""
    return list(yaml.safe_load_all(path.read_text()))
