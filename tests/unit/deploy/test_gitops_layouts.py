"""The repository layouts for Flux and Argo CD are complete, in an order that holds, and nothing held stops the rest."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from modelarts_nodepool.api.names import ACCOUNT_KIND, NODE_POOL_KIND
from tests.support.crds import REPOSITORY
from tests.support.layouts import (
    ARGO_CD,
    FLUX,
    NODE_POOLS,
    Layout,
    Step,
    accounts_in_values,
    all_layouts,
    argo_cd,
    documents,
    flux,
    plain_objects,
    sources_of,
)
from tests.support.manifests import Object, objects_in
from tests.support.operator import NAMESPACE

LAYOUTS = all_layouts()
FLUX_LAYOUTS, ARGO_CD_LAYOUTS = LAYOUTS[:2], LAYOUTS[2:]
KUSTOMIZATIONS = [step for layout in FLUX_LAYOUTS for step in layout.steps.values()]
APPLICATIONS = [step for layout in ARGO_CD_LAYOUTS for step in layout.steps.values()]
PARENT = ARGO_CD / "modelarts.yaml"
# There without us: Kubernetes' own, and those of Flux and Argo CD.
GIVEN = {"default", "flux-system", "argocd"}
# A typo in a field would be ignored by neither tool, but no API server of these tests knows their kinds.
KUSTOMIZATION_FIELDS = {
    *("dependsOn", "sourceRef", "path", "images", "prune", "deletionPolicy", "wait", "interval", "retryInterval"),
    *("timeout", "force", "healthCheckExprs"),
}
APPLICATION_FIELDS = {"project", "source", "sources", "destination", "syncPolicy"}
SYNC_POLICY_FIELDS = {"automated", "syncOptions", "retry"}

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
each_kustomization = pytest.mark.parametrize("step", KUSTOMIZATIONS, ids=lambda step: step.name)
each_application = pytest.mark.parametrize("step", APPLICATIONS, ids=lambda step: step.name)


def objects(step: Step) -> list[Object]:
    return [item for folder in step.folders for item in plain_objects(folder)]


def of_kind(layout: Layout, kind: str) -> Iterator[tuple[Step, Object]]:
    return ((step, item) for step in layout.steps.values() for item in objects(step) if item["kind"] == kind)


def namespaces_made_by(step: Step) -> set[str]:
    made = {item["metadata"]["name"] for item in objects(step) if item["kind"] == "Namespace"}
    installs_operator = any("kustomize" in folder.parts for folder in step.folders)
    return made | ({NAMESPACE} if installs_operator else set())


def brings_crds(step: Step) -> bool:
    kinds = {item["kind"] for item in objects(step)}
    return bool(kinds & {"CustomResourceDefinition", "HelmRelease"}) or any(
        (folder / "Chart.yaml").exists() for folder in step.folders
    )


@each_layout
def test_every_folder_that_a_layout_names_is_there_and_holds_something(layout: Layout) -> None:
    for step in layout.steps.values():
        for folder in step.folders:
            assert folder.is_dir(), f"{step.name}: {folder}"
            assert plain_objects(folder) or {"kustomization.yaml", "Chart.yaml"} & {
                path.name for path in folder.iterdir()
            }


@pytest.mark.parametrize(
    ("root", "layouts"), [(FLUX, FLUX_LAYOUTS), (ARGO_CD, ARGO_CD_LAYOUTS)], ids=["Flux", "Argo CD"]
)
def test_every_folder_of_the_repository_belongs_to_a_layout(root: Any, layouts: list[Layout]) -> None:  # noqa: ANN401
    used = {folder.resolve() for layout in layouts for step in layout.steps.values() for folder in step.folders}
    assert {path for path in (root / "modelarts").iterdir() if path.is_dir()} <= used


@each_layout
def test_every_step_comes_after_what_it_needs(layout: Layout) -> None:
    ordered = [step.name for step in layout.ordered()]
    assert ordered[-1] == NODE_POOLS
    for step in layout.steps.values():
        assert layout.before(step) <= set(ordered[: ordered.index(step.name)])


@each_layout
def test_every_object_comes_after_its_namespace_and_its_kind(layout: Layout) -> None:
    for step in layout.steps.values():
        earlier = [layout.steps[name] for name in layout.before(step)]
        there = GIVEN | set[str]().union(*(namespaces_made_by(other) for other in [*earlier, step]))
        for item in objects(step):
            assert item["metadata"].get("namespace", "default") in there, f"{step.name}: {item['metadata']}"
            if item["kind"] in {NODE_POOL_KIND, ACCOUNT_KIND}:
                assert any(brings_crds(other) for other in earlier), step.name


@each_layout
def test_every_node_pool_comes_after_an_account_that_grants_it_and_the_account_after_its_secret(layout: Layout) -> None:
    accounts: dict[str, dict[str, Any]] = {}
    made_by: dict[str, Step] = {}
    for step in layout.steps.values():
        found = accounts_in_values(step)
        found |= {item["metadata"]["name"]: item["spec"] for item in objects(step) if item["kind"] == ACCOUNT_KIND}
        accounts |= found
        made_by |= dict.fromkeys(found, step)
    assert accounts
    secrets = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): step for step, item in of_kind(layout, "Secret")
    }
    for name, account in accounts.items():
        step = secrets[NAMESPACE, account["credentials"]["secretName"]]
        assert step.name in layout.before(made_by[name]) | {made_by[name].name}
    node_pools = list(of_kind(layout, NODE_POOL_KIND))
    assert len(node_pools) > 1, "one alone is its resource pool's last, and Argo CD refuses to prune all"
    for step, node_pool in node_pools:
        name = node_pool["spec"].get("accountRef", {}).get("name", "default")
        assert made_by[name].name in layout.before(step)
        assert any(
            node_pool["metadata"]["namespace"] in grant["namespaces"]
            and node_pool["spec"]["poolName"] in grant["resourcePools"]
            for grant in accounts[name]["grants"]
        )


@each_layout
def test_deleting_all_steps_at_once_deletes_the_node_pools_and_nothing_that_their_deletion_needs(
    layout: Layout,
) -> None:
    assert [step.name for step in layout.steps.values() if not step.keeps] == [NODE_POOLS]
    (step,) = [step for step in layout.steps.values() if not step.keeps]
    assert {item["kind"] for item in objects(step)} == {NODE_POOL_KIND}


@each_layout
def test_a_commit_that_drops_a_namespace_or_a_secret_does_not_delete_it(layout: Layout) -> None:
    kept = {
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    }
    found = list(chain(of_kind(layout, "Namespace"), of_kind(layout, "Secret"), of_kind(layout, "HelmRelease")))
    assert found
    for _, item in found:
        assert item["metadata"]["annotations"].items() & kept.items(), item["metadata"]["name"]


@each_layout
def test_no_layout_holds_a_real_key(layout: Layout) -> None:
    for _, secret in of_kind(layout, "Secret"):
        assert all(value.startswith("REPLACE-WITH-") for value in secret["stringData"].values())


@each_kustomization
def test_a_kustomization_waits_for_whatever_is_there_and_tries_again(step: Step) -> None:
    spec = step.manifest["spec"]
    assert spec.keys() <= KUSTOMIZATION_FIELDS
    # A list of names breaks with the first object that leaves Git: Flux waits for it until the timeout.
    assert "healthChecks" not in spec
    assert spec["wait"] is True
    assert not spec.get("force")
    assert minutes(spec["retryInterval"]) < minutes(spec["interval"])
    assert minutes(spec["timeout"]) >= 5  # an object is Stalled after five minutes


@pytest.mark.parametrize("layout", FLUX_LAYOUTS, ids=lambda layout: layout.name)
def test_flux_prunes_node_pools_and_waits_until_they_are_gone(layout: Layout) -> None:
    spec = layout.steps[NODE_POOLS].manifest["spec"]
    assert (spec["prune"], spec["deletionPolicy"]) == (True, "WaitForTermination")


def test_the_flag_that_waiting_for_every_node_pool_needs_is_in_the_options() -> None:
    ((patch,),) = documents(FLUX / "options" / "health-checks-patch.yaml")
    assert patch["value"] == "--feature-gates=CancelHealthCheckOnNewRevision=true"
    text = (FLUX / "clusters" / "production" / "modelarts" / "node-pools.yaml").read_text()
    assert patch["value"].removeprefix("--feature-gates=") in text


def test_the_example_of_notifications_is_about_every_kustomization() -> None:
    alert = next(item for item in documents(FLUX / "options" / "notifications.yaml") if item["kind"] == "Alert")
    assert {source["name"] for source in alert["spec"]["eventSources"]} == flux().steps.keys()


def applications() -> list[Object]:
    return [*objects_in(PARENT.read_text()), *(step.manifest for step in APPLICATIONS)]


@pytest.mark.parametrize("application", applications(), ids=lambda item: item["metadata"]["name"])
def test_an_application_is_synced_again_and_again_with_the_newest_commit(application: Object) -> None:
    assert application["spec"].keys() <= APPLICATION_FIELDS
    policy = application["spec"]["syncPolicy"]
    assert policy.keys() <= SYNC_POLICY_FIELDS
    assert policy["automated"] | {"prune": True, "selfHeal": True} == policy["automated"]
    assert policy["retry"].keys() == {"limit", "refresh", "backoff"}
    assert policy["retry"]["limit"] < 0, "a number: that many failures, and this commit is never tried again"
    assert policy["retry"]["refresh"] is True, "without it a retry takes the commit that failed, for ever"


@pytest.mark.parametrize("application", applications(), ids=lambda item: item["metadata"]["name"])
def test_no_held_deletion_stops_the_next_sync(application: Object) -> None:
    options = application["spec"]["syncPolicy"]["syncOptions"]
    # Each of these either asks again for an object that is Terminating, or waits until all others are healthy, or
    # deletes an object because of a mistake in its manifest.
    assert not [word for word in options if word.split("=")[0] in {"Prune", "Delete", "PruneLast", "Replace", "Force"}]


@pytest.mark.parametrize("layout", ARGO_CD_LAYOUTS, ids=lambda layout: layout.name)
def test_no_node_pool_waits_for_the_health_of_another(layout: Layout) -> None:
    """More than one sync wave in an Application makes it wait for health, and a held deletion then stops it."""
    for _, node_pool in of_kind(layout, NODE_POOL_KIND):
        assert not {
            key for key in node_pool["metadata"].get("annotations", {}) if key.startswith("argocd.argoproj.io/")
        }


def test_the_parent_makes_all_applications_and_deletes_the_node_pools_first() -> None:
    (parent,) = objects_in(PARENT.read_text())
    (source,) = sources_of(parent)
    assert ARGO_CD / source["path"] == ARGO_CD / "apps"
    assert parent["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
    waves = {step.name: len(step.needs) for step in argo_cd().steps.values()}
    assert max(waves, key=lambda name: waves[name]) == NODE_POOLS


def test_the_account_is_the_same_with_the_chart_as_without() -> None:
    for layout in LAYOUTS:
        for _, account in of_kind(layout, ACCOUNT_KIND):
            for step in (step for other in LAYOUTS for step in other.steps.values()):
                for name, spec in accounts_in_values(step).items():
                    assert name == account["metadata"]["name"]
                    assert {"workspace": "0"} | spec == account["spec"]


def test_the_samples_name_the_version_of_the_project() -> None:
    version = re.search(r'^version = "([^"]+)"', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    for root in (FLUX, ARGO_CD):
        for path in root.rglob("*.yaml"):
            for found in re.findall(r"(?:newTag: |tag: v|targetRevision: v|operator:)(\d[\w.]*)", path.read_text()):
                assert found == version[1], path


def minutes(text: str) -> int:
    (found,) = re.findall(r"^(\d+)([mh])$", text)
    return int(found[0]) * {"m": 1, "h": 60}[found[1]]
