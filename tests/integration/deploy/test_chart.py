"""The chart as text: what helm makes of it without a cluster, and that it deploys what Kustomize deploys."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.controlplane import Binaries
from modelarts_nodepool.kube.leader_election import LEASE_NAME
from tests.support.crds import REPOSITORY
from tests.support.helm import CHART, RELEASE, VALUE_FILES, Helm, rendered
from tests.support.kustomize import build
from tests.support.manifests import names, only
from tests.support.operator import NAME

ACCOUNT = """\
accounts:
  default:
    region: cn-north-4
    projectId: 0123456789abcdef
    credentials: {source: Secret, secretName: key}
    grants: [{namespaces: [ml], resourcePools: ["*"]}]
"""


@pytest.mark.parametrize("values", VALUE_FILES, ids=lambda path: path.name)
def test_every_file_of_values_passes_lint_and_renders(offline_helm: Helm, values: Path) -> None:
    offline_helm.run("lint", "--strict", str(CHART), "-f", str(values))
    assert only(rendered(offline_helm, "-f", str(values)), "Deployment")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("replica=3", "'replica' not allowed"),
        ("replicas=0", "minimum"),
        ("operator.logLevel=trace", "must be one of 'debug', 'info', 'warning', 'error'"),
        ("operator.httpPort=80", "minimum"),
        ("operator.endpoints.cn-north-4=http://modelarts.example.com", "/operator/endpoints/cn-north-4"),
        ("operator.endpoints.Beijing=https://modelarts.example.com", "'Beijing' does not match"),
        ("image.digest=latest", "/image/digest"),
        ("image.repository=registry.example.com/operator:1.0", "/image/repository"),
        ("accounts.default.region=cn-north-4", "missing properties 'projectId', 'credentials', 'grants'"),
        ("admission.confirmDelete=yes", "got string, want boolean"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_with_its_place(offline_helm: Helm, setting: str, words: str) -> None:
    done = offline_helm.run("template", RELEASE, str(CHART), "--set", setting, check=False)
    assert done.code != 0
    assert words in done.stderr


def test_every_value_is_described_by_the_schema_and_has_a_default() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())

    def compare(node: dict[str, Any], defaults: dict[str, Any]) -> None:
        assert node["additionalProperties"] is False
        assert set(node["properties"]) - {"claims"} == set(defaults)
        for name, child in node["properties"].items():
            assert child.get("description") or name == "claims"
            # Of a probe's timings, what is left out is the API server's default.
            if child.get("additionalProperties") is False and not name.endswith("Probe"):
                compare(child, defaults[name])

    # Those that helm and a parent chart hand over.
    handed = {"global": {}, "enabled": True}
    compare(schema, yaml.safe_load((CHART / "values.yaml").read_text()) | handed)


def test_chart_and_kustomize_deploy_the_same(offline_helm: Helm, control_plane_binaries: Binaries) -> None:
    """But for the labels of the release, and the image, which each is told."""
    chart, overlay = rendered(offline_helm), build(control_plane_binaries, "production")
    for objects in (chart, overlay):
        only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"] = "the same"
    for kind in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"):
        assert only(chart, kind)["spec"] == only(overlay, kind)["spec"]
    for kind in ("ClusterRole", "Role"):
        assert only(chart, kind, NAME)["rules"] == only(overlay, kind, NAME)["rules"]
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        assert only(chart, kind)["roleRef"] == only(overlay, kind)["roleRef"]
        assert only(chart, kind)["subjects"] == only(overlay, kind)["subjects"]


def test_production_values_bring_every_policy_and_demo_values_leave_the_crds_unguarded(offline_helm: Helm) -> None:
    def policies(values: str) -> set[str]:
        found = rendered(offline_helm, "-f", str(CHART / values))
        return {name.partition("/")[2].partition(".")[0] for name in names(found) if "AdmissionPolicyBinding/" in name}

    assert policies("values-production.yaml") == {"confirm-delete", "no-retain-to-delete", "protect-crds"}
    assert policies("values.yaml") == {"no-retain-to-delete", "protect-crds"}
    assert policies("values-demo.yaml") == {"no-retain-to-delete"}


def test_what_must_outlive_the_release_says_so(offline_helm: Helm, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(ACCOUNT)
    objects = rendered(offline_helm, "-f", str(tmp_path / "values.yaml"))
    kept = [
        item["kind"]
        for item in objects
        if item["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    ]
    assert sorted(kept) == ["CustomResourceDefinition", "CustomResourceDefinition", "ModelArtsAccount"]


def test_one_replica_has_no_budget_that_would_keep_it_from_moving(offline_helm: Helm) -> None:
    objects = rendered(offline_helm, "--set", "replicas=1")
    assert not [name for name in names(objects) if name.startswith("PodDisruptionBudget")]


def test_the_prometheus_operator_is_given_what_it_selects_by(offline_helm: Helm) -> None:
    values = ("-f", str(CHART / "values-monitoring.yaml"), "--set", "prometheusRule.labels.release=main")
    objects = rendered(offline_helm, *values)
    monitor, service = only(objects, "ServiceMonitor"), only(objects, "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    rule = only(objects, "PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "main"
    assert rule["spec"] == yaml.safe_load((REPOSITORY / "deploy" / "monitoring" / "rules.yaml").read_text())


def test_the_role_names_the_lease_that_the_operator_takes(offline_helm: Helm) -> None:
    rules = only(rendered(offline_helm), "Role", NAME)["rules"]
    assert [rule["resourceNames"] for rule in rules if "resourceNames" in rule] == [[LEASE_NAME]]
