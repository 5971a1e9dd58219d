"""The repository layouts for Flux and Argo CD, step by step into an empty cluster with a real API server.

The tools themselves are not at hand here: kubectl builds and applies what a step holds, server-side and strictly.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.controlplane import ControlPlane
from tests.support import argocd, kstatus
from tests.support.crds import until_served
from tests.support.emptying import empty
from tests.support.helm import CHART, Helm
from tests.support.kustomize import kustomized
from tests.support.layouts import Layout, Step, argo_cd, flux, plain_objects, sources_of
from tests.support.liveness import eventually
from tests.support.manifests import Object, objects_in
from tests.support.operator import NAMESPACE

APPLY = ("apply", "--server-side", "--validate=strict", "--field-manager=gitops", "-f", "-")
OURS = "manp,maacct"


def built(plane: ControlPlane, step: Step) -> list[Object]:
    """What the step applies."""
    found: list[Object] = []
    for folder in step.folders:
        if (folder / "kustomization.yaml").exists():
            found += objects_in(kustomized(plane.binaries, folder))
        found += plain_objects(folder)
    return found


def apply(plane: ControlPlane, step: Step) -> None:
    """Strictly: an unknown field or a warning fails the test."""
    objects = built(plane, step)
    assert plane.kubectl.run(*APPLY, stdin=yaml.safe_dump_all(objects)).stderr == ""
    if any(item["kind"] == "CustomResourceDefinition" for item in objects):
        until_served(plane)


# The chart's tests come first: what `synced` applies stays until the end of the module.
def chart_values(step: Step) -> tuple[list[str], dict[str, Any]]:
    """The values files, as they stand in the chart's folder, and the values beside them."""
    for item in (found for folder in step.folders for found in plain_objects(folder)):
        if item["kind"] == "HelmRelease":
            files = item["spec"]["chart"]["spec"]["valuesFiles"]
            return [Path(name).name for name in files if Path(name).name != "values.yaml"], item["spec"]["values"]
    (rendered,) = [source["helm"] for source in sources_of(step.manifest) if "helm" in source]
    return rendered["valueFiles"], rendered["valuesObject"]


@pytest.mark.parametrize(
    ("layout", "name"),
    [(flux(with_chart=True), "modelarts-accounts"), (argo_cd(with_chart=True), "modelarts-operator")],
    ids=["HelmRelease", "Application"],
)
def test_the_chart_brings_operator_and_accounts_with_its_first_run(
    plane: ControlPlane, helm: Helm, layout: Layout, name: str, tmp_path: Path
) -> None:
    step = layout.steps[name]
    before = [item for item in built(plane, step) if item["kind"] in {"Namespace", "Secret"}]
    plane.kubectl.run(*APPLY, stdin=yaml.safe_dump_all(before))
    files, values = chart_values(step)
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    try:
        helm.install(*(CHART / file for file in files), tmp_path / "values.yaml")
        account = json.loads(plane.kubectl.run("get", "maacct", "default", "-o", "json").stdout)
        assert account["spec"].items() >= values["accounts"]["default"].items()
        deployment = plane.kubectl.run("get", "deployment", "-n", NAMESPACE, "-o", "yaml").stdout
        assert values["image"]["repository"] in deployment
    finally:
        empty(plane)


@pytest.fixture(scope="module", params=[flux, argo_cd], ids=["Flux", "Argo CD"])
def synced(request: pytest.FixtureRequest, plane: ControlPlane) -> Iterator[tuple[ControlPlane, Layout]]:
    """All steps applied, in the order of the layout; gone afterwards."""
    layout: Layout = request.param()
    for step in layout.ordered():
        apply(plane, step)
    yield plane, layout
    empty(plane)


def test_an_empty_cluster_takes_every_step_in_its_order(synced: tuple[ControlPlane, Layout]) -> None:
    plane, layout = synced
    expected = {
        f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
        for step in layout.steps.values()
        for item in built(plane, step)
        if item["kind"].startswith("ModelArts")
    }
    listed = json.loads(plane.kubectl.run("get", OURS, "-A", "-o", "json").stdout)["items"]
    assert {f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in listed} == expected
    assert plane.kubectl.run("get", "deployment", "-n", NAMESPACE, "-o", "name").stdout.strip()


def test_nothing_differs_after_the_first_sync(synced: tuple[ControlPlane, Layout]) -> None:
    """What the API server stores is what the layout says: a second sync writes nothing."""
    plane, layout = synced
    diff = ("diff", "--server-side", "--field-manager=gitops", "-f", "-")
    for step in layout.ordered():
        done = plane.kubectl.run(*diff, stdin=yaml.safe_dump_all(built(plane, step)), check=False)
        assert (done.code, done.stdout) == (0, ""), f"{step.name}\n{done.stdout}"


def test_nothing_is_called_healthy_before_the_operator_has_seen_it(synced: tuple[ControlPlane, Layout]) -> None:
    plane, _ = synced
    for item in json.loads(plane.kubectl.run("get", OURS, "-A", "-o", "json").stdout)["items"]:
        assert (kstatus.read(item), argocd.health_of(item).status) == ("InProgress", "Progressing")


def test_a_prune_of_a_node_pool_is_refused_until_it_is_confirmed(synced: tuple[ControlPlane, Layout]) -> None:
    """Both layouts install the policy."""
    plane, _ = synced
    delete = ("delete", "-n", "ml", "manp", "training-a", "--dry-run=server")
    assert eventually(lambda: "was not deleted" in plane.kubectl.run(*delete, check=False).stderr)
    confirm = ("modelarts.huaweicloud.com/confirm-delete=training-a", "--field-manager=on-call")
    plane.kubectl.run("annotate", "-n", "ml", "manp", "training-a", *confirm)
    plane.kubectl.run(*delete)
