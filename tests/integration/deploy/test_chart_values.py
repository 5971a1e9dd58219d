"""The values that people look for: each reaches the Pods it should, or is refused with the fix."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.controlplane import ControlPlane
from tests.support.crds import REPOSITORY
from tests.support.helm import CHART, OF_A_CLUSTER, Helm, refusal, rendered
from tests.support.manifests import Object, objects_in, only
from tests.support.operator import NAME, NAMESPACE

PROXY = "http://proxy.example.com:3128"
DEFAULT_PORTS = [443, 6443, 5443, 6444, 8443]


@pytest.fixture
def chart(offline_helm: Helm, tmp_path: Path) -> "Chart":
    return Chart(offline_helm, tmp_path / "values.yaml")


class Chart:
    """The chart with values given as a mapping."""

    def __init__(self, helm: Helm, path: Path) -> None:
        self._helm, self._path = helm, path

    def objects(self, values: dict[str, Any]) -> list[Object]:
        self._path.write_text(yaml.safe_dump(values))
        return rendered(self._helm, *OF_A_CLUSTER, "-f", str(self._path))

    def deployment(self, values: dict[str, Any]) -> Object:
        return only(self.objects(values), "Deployment")

    def container(self, values: dict[str, Any]) -> Object:
        (container,) = self.deployment(values)["spec"]["template"]["spec"]["containers"]
        return dict(container)

    def refuses(self, values: dict[str, Any]) -> str:
        self._path.write_text(yaml.safe_dump(values))
        return refusal(self._helm, *OF_A_CLUSTER, "-f", str(self._path))

    def egress(self, values: dict[str, Any]) -> list[int]:
        """The TCP ports that are open to everywhere, those of the DNS apart."""
        rules = only(self.objects(values), "NetworkPolicy")["spec"]["egress"]
        return [port["port"] for rule in rules[1:] if "to" not in rule for port in rule["ports"]]


def test_what_holds_for_the_operators_pod_holds_for_the_uninstall_check(chart: Chart) -> None:
    shared = {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        "hostAliases": [{"ip": "10.0.0.5", "hostnames": ["modelarts.example.com"]}],
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.0.0.10"]},
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "system-cluster-critical",
    }
    contexts: dict[str, dict[str, Any]] = {
        "podSecurityContext": {"runAsUser": 1000670000, "fsGroup": 1000670000},
        "securityContext": {"seLinuxOptions": {"level": "s0:c26,c5"}},
    }
    metadata = {"podAnnotations": {"a": "1"}, "podLabels": {"team": "ml"}}
    volumes: dict[str, list[Any]] = {
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "env": [{"name": "SSL_CERT_FILE", "value": "/c"}],
    }
    objects = chart.objects(shared | contexts | metadata | {"operator": volumes})
    for workload in (only(objects, "Deployment"), only(objects, "Job")):
        template = workload["spec"]["template"]
        spec = template["spec"]
        assert {key: spec[key] for key in shared} == shared
        assert spec["securityContext"].items() >= contexts["podSecurityContext"].items()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["volumes"] == volumes["volumes"]
        (container,) = spec["containers"]
        assert container["securityContext"].items() >= contexts["securityContext"].items()
        assert volumes["env"][0] in container["env"]
        assert template["metadata"]["annotations"] == {"a": "1"}
        assert template["metadata"]["labels"]["team"] == "ml"


def test_the_user_is_the_images_or_the_clusters_and_a_security_context_can_be_emptied(chart: Chart) -> None:
    spec = chart.deployment({})["spec"]["template"]["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert "runAsUser" not in spec["containers"][0]["securityContext"]
    spec = chart.deployment({"podSecurityContext": None, "securityContext": None})["spec"]["template"]["spec"]
    assert "securityContext" not in spec
    assert "securityContext" not in spec["containers"][0]


def test_replicas_are_spread_for_each_rollout_and_the_constraint_can_be_replaced(chart: Chart) -> None:
    deployment = chart.deployment({})
    (constraint,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["matchLabelKeys"] == ["pod-template-hash"]
    assert constraint["labelSelector"]["matchLabels"] == deployment["spec"]["selector"]["matchLabels"]
    # A hard one would keep an upgrade from ending where a node is full.
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    own = {
        "maxSkew": 2,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {}},
    }
    values = {"topologySpreadConstraints": [own]}
    assert chart.deployment(values)["spec"]["template"]["spec"]["topologySpreadConstraints"] == [own]
    assert (
        "topologySpreadConstraints"
        not in chart.deployment({"topologySpreadConstraints": []})["spec"]["template"]["spec"]
    )


def test_settings_that_other_commands_read_are_in_the_environment_of_the_pod(chart: Chart) -> None:
    endpoints = {"cn-north-4": "https://modelarts.example.com", "eu-de": "https://modelarts.eu-de.example.com"}
    container = chart.container({"operator": {"endpoints": endpoints}})
    env = {item["name"]: item.get("value") for item in container["env"]}
    assert env["MODELARTS_NODEPOOL_ENDPOINT"] == " ".join(f"{region}={url}" for region, url in endpoints.items())
    assert not [argument for argument in container["args"] if argument.startswith("--endpoint")]


def test_further_arguments_come_last(chart: Chart) -> None:
    args = chart.container({"extraArgs": ["--cloud-rate=100"], "operator": {"httpHost": "::"}})["args"]
    assert args == [
        "run",
        "--http-port=8080",
        "--http-host=::",
        "--log-format=json",
        "--log-level=info",
        "--cloud-rate=100",
    ]


def test_the_address_of_the_probes_is_the_operators_own_choice_unless_it_is_set(chart: Chart) -> None:
    assert not [argument for argument in chart.container({})["args"] if argument.startswith("--http-host")]


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ({"extraArgs": ["--log-level=debug"]}, "set the value operator.logLevel instead"),
        ({"extraArgs": ["--endpoint=cn-north-4=https://a"]}, "set the value operator.endpoints instead"),
        ({"extraArgs": ["--ca-bundle=/c"]}, "set the variable MODELARTS_NODEPOOL_CA_BUNDLE in operator.env instead"),
        ({"extraArgs": ["--operator-namespace=a"]}, "install the chart there"),
        ({"extraArgs": ["--cloud-rate"]}, "write one item of the form --cloud-rate=VALUE"),
        ({"extraArgs": ["--no-leader-election"]}, "set replicas to 1"),
        ({"operator": {"env": [{"name": "MODELARTS_NODEPOOL_LOG_LEVEL", "value": "debug"}]}}, "operator.logLevel"),
        (
            {
                "operator": {
                    "endpoints": {"cn-north-4": "https://a"},
                    "env": [{"name": "MODELARTS_NODEPOOL_ENDPOINT", "value": "cn-north-4=https://b"}],
                }
            },
            "operator.endpoints: set that value",
        ),
        (
            {"operator": {"env": [{"name": "MODELARTS_NODEPOOL_OPERATOR_NAMESPACE", "value": "a"}]}},
            "/operator/env/0/name",
        ),
        ({"serviceAccount": {"create": False}}, "set serviceAccount.name"),
        (
            {"operator": {"env": [{"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "p", "key": "u"}}}]}},
            "Set networkPolicy.extraEgress, for example [{ports: [{port: 3128, protocol: TCP}]}]",
        ),
        ({"livenessProbe": {"httpGet": {"path": "/"}}}, "'httpGet' not allowed"),
        ({"admission": {"fourEyes": True}}, "set admission.confirmDelete to true"),
        (
            {"admission": {"fourEyes": True, "confirmDelete": True, "protectCrds": False}},
            "set admission.protectCrds to true",
        ),
        ({"admission": {"fourEyesExempt": "argocd"}}, "got string, want array"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_values_that_cannot_work_together_are_refused_with_the_fix(
    chart: Chart, values: dict[str, Any], fix: str
) -> None:
    assert fix in chart.refuses(values)


def test_an_existing_service_account_is_bound_and_not_made(chart: Chart) -> None:
    objects = chart.objects({"serviceAccount": {"create": False, "name": "company-operator"}})
    assert not [item for item in objects if item["kind"] == "ServiceAccount"]
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        assert only(objects, kind)["subjects"][0]["name"] == "company-operator"
    for kind in ("Deployment", "Job"):
        assert only(objects, kind)["spec"]["template"]["spec"]["serviceAccountName"] == "company-operator"
    named = chart.objects({"serviceAccount": {"name": "other", "annotations": {"a": "b"}}})
    account = only(named, "ServiceAccount")["metadata"]
    assert (account["name"], account["annotations"]) == ("other", {"a": "b"})


def test_the_timings_of_the_probes_can_be_set_and_their_pages_cannot(chart: Chart) -> None:
    container = chart.container({"startupProbe": {"failureThreshold": 90}, "readinessProbe": {"periodSeconds": 3}})
    assert container["startupProbe"]["failureThreshold"] == 90
    assert container["readinessProbe"]["periodSeconds"] == 3
    pages = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
    assert pages == ["/livez", "/livez", "/readyz"]


def test_the_deployment_has_annotations_of_its_own(chart: Chart) -> None:
    assert chart.deployment({"deploymentAnnotations": {"reload": "true"}})["metadata"]["annotations"] == {
        "reload": "true"
    }


def test_usual_ports_of_api_servers_and_dns_are_open(chart: Chart) -> None:
    assert chart.egress({}) == DEFAULT_PORTS
    dns = only(chart.objects({}), "NetworkPolicy")["spec"]["egress"][0]["ports"]
    assert {(port["port"], port["protocol"]) for port in dns} == {
        (53, "UDP"),
        (53, "TCP"),
        (5353, "UDP"),
        (5353, "TCP"),
    }
    assert chart.egress({"networkPolicy": {"apiServerPorts": [7443]}}) == [443, 7443]


@pytest.mark.parametrize(
    ("name", "value", "ports"),
    [
        ("HTTPS_PROXY", PROXY, [3128]),
        ("https_proxy", PROXY, [3128]),
        ("ALL_PROXY", "http://user:secret@10.0.0.5:8888/", [8888]),
        ("HTTPS_PROXY", "proxy.example.com:3128", [3128]),
        ("HTTPS_PROXY", "http://proxy.example.com", [80]),
        ("HTTPS_PROXY", "https://proxy.example.com", []),
        ("HTTPS_PROXY", "http://[2001:db8::1]:3129", [3129]),
        ("all_proxy", "socks5://proxy.example.com", [1080]),
        ("HTTPS_PROXY", "", []),
        ("NO_PROXY", "10.0.0.0/8:99", []),
        ("MODELARTS_NODEPOOL_STS_ENDPOINT", "https://sts.example.com:9443", [9443]),
        ("MODELARTS_NODEPOOL_ENDPOINT", "cn-north-4=https://a:9001 eu-de=b:9002", [9001, 9002]),
    ],
    ids=str,
)
def test_what_names_a_proxy_or_an_endpoint_opens_its_port(
    chart: Chart, name: str, value: str, ports: list[int]
) -> None:
    assert chart.egress({"operator": {"env": [{"name": name, "value": value}]}}) == [*DEFAULT_PORTS, *ports]


def test_an_endpoint_on_a_port_of_its_own_is_reached(chart: Chart) -> None:
    endpoints = {"cn-north-4": "https://modelarts.example.com:9443", "local": "http://127.0.0.1:9999"}
    assert chart.egress({"operator": {"endpoints": endpoints}}) == [*DEFAULT_PORTS, 9443]


def test_a_proxy_whose_name_helm_cannot_know_needs_its_port_said(chart: Chart) -> None:
    proxy = {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}
    rule = {"ports": [{"port": 3128, "protocol": "TCP"}]}
    assert chart.egress({"operator": {"env": [proxy]}, "networkPolicy": {"extraEgress": [rule]}})[-1] == 3128
    off = chart.objects({"operator": {"env": [proxy]}, "networkPolicy": {"enabled": False}})
    assert not [item for item in off if item["kind"] == "NetworkPolicy"]


def test_the_chart_is_a_part_of_another_one_with_a_condition(offline_helm: Helm, tmp_path: Path) -> None:
    parent = tmp_path / "platform"
    for folder in ("charts", "templates"):
        (parent / folder).mkdir(parents=True)
    (parent / "charts" / CHART.name).symlink_to(CHART)
    needs = [{"name": CHART.name, "version": "0.1.0", "condition": f"{CHART.name}.enabled"}]
    about = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": needs}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(about))
    (parent / "values.yaml").write_text(yaml.safe_dump({"global": {"region": "a"}, CHART.name: {"enabled": True}}))
    (parent / "values.schema.json").write_text('{"type": "object"}')
    offline_helm.run("lint", "--strict", str(parent))
    done = offline_helm.run("template", "platform", str(parent), "-n", NAMESPACE)
    assert only(objects_in(done.stdout), "Deployment")["metadata"]["name"] == NAME
    off = offline_helm.run("template", "platform", str(parent), "--set", f"{CHART.name}.enabled=false")
    assert objects_in(off.stdout) == []


def test_without_a_cluster_no_hook_is_rendered_that_kubectl_apply_would_run(offline_helm: Helm) -> None:
    assert not [item for item in rendered(offline_helm) if item["kind"] == "Job"]


FOUR_EYES = {"confirmDelete": True, "fourEyes": True}


def test_four_eyes_needs_a_cluster_that_has_mutating_policies(offline_helm: Helm, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"admission": FOUR_EYES}))
    values = ("-f", str(tmp_path / "values.yaml"))
    said = refusal(offline_helm, *values, "--kube-version", "1.35.9")
    assert "admission.fourEyes needs Kubernetes 1.36 or newer (MutatingAdmissionPolicy), and this is v1.35.9" in said
    assert only(rendered(offline_helm, *values, "--kube-version", "v1.36.0-eks-1"), "MutatingAdmissionPolicy")
    assert not [item for item in rendered(offline_helm) if item["kind"].startswith("MutatingAdmission")]


def test_four_eyes_exempts_the_named_users_and_is_otherwise_as_shipped(chart: Chart, plane: ControlPlane) -> None:
    users = ["system:serviceaccount:flux-system:kustomize-controller", "a\"b\\<'c"]
    objects = chart.objects({"admission": FOUR_EYES | {"fourEyesExempt": users}})
    ours = [item for item in objects if item["metadata"]["name"].startswith(("four-eyes.", "confirmed-by."))]
    shipped = [
        item
        for name in ("confirmed-by", "four-eyes")
        for item in yaml.safe_load_all((REPOSITORY / f"deploy/admission/four-eyes/{name}.yaml").read_text())
    ]
    by_title = {(item["kind"], item["metadata"]["name"]): item["spec"] for item in ours}
    for item in shipped:
        for condition in item["spec"].get("matchConditions", []):
            if condition["name"] == "not-exempt":
                assert condition["expression"] == "!(request.userInfo.username in [])"
                condition["expression"] = f"!(request.userInfo.username in {to_go_json(users)})"
    assert by_title == {(item["kind"], item["metadata"]["name"]): item["spec"] for item in shipped}
    strict = ("create", "--dry-run=server", "--validate=strict", "-f", "-")
    plane.kubectl.run(*strict, stdin=yaml.safe_dump_all(ours))


def to_go_json(value: list[str]) -> str:
    """As helm's toJson writes it: CEL reads the escapes."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def test_alerts_get_links_the_label_of_the_cluster_and_the_threshold_of_holds(chart: Chart) -> None:
    values = {
        "enabled": True,
        "runbookBaseUrl": "https://git.example.com/operator/blob/v0.1.0/",
        "clusterLabels": ["tenant", "site"],
        "heldNodeHours": 7,
    }
    (group,) = only(chart.objects({"prometheusRule": values}), "PrometheusRule")["spec"]["groups"]
    for rule in group["rules"]:
        path = rule["annotations"]["runbook"]
        assert rule["annotations"]["runbook_url"] == f"https://git.example.com/operator/blob/v0.1.0/{path}"
        assert "by (tenant, site" in rule["expr"] or "absent_over_time" in rule["expr"]
        assert "by (cluster" not in rule["expr"]
    (held,) = [rule for rule in group["rules"] if rule["alert"] == "ModelArtsNodePoolHeldNodeHours"]
    assert held["expr"].endswith("[1d])) / 3600 > 7")


def test_the_readme_has_every_value() -> None:
    table = (CHART / "README.md").read_text().partition("## Values")[2].partition("\n## ")[0]
    whole = ("resources", "Context", "Probe")
    for name, value in yaml.safe_load((CHART / "values.yaml").read_text()).items():
        below = value if isinstance(value, dict) and not name.endswith(whole) else {}
        for path in [f"{name}.{key}" for key in below] or [name]:
            assert f"`{path}`" in table, path
