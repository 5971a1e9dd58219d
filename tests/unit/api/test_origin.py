"""Which tool an object comes from, by the marks that the tools leave."""

import pytest

from modelarts_nodepool.api.objects import NodePool, find_origin
from tests.support.builders import a_node_pool

FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
RELEASE = {"helm.toolkit.fluxcd.io/name": "operator", "helm.toolkit.fluxcd.io/namespace": "flux-system"}
HELM = {"meta.helm.sh/release-name": "operator", "meta.helm.sh/release-namespace": "modelarts"}
TRACKED = {"argocd.argoproj.io/tracking-id": "node-pools:modelarts.huaweicloud.com/ModelArtsNodePool:ml/training-a"}
INSTANCE = {"app.kubernetes.io/instance": "node-pools"}


@pytest.mark.parametrize(
    ("labels", "annotations", "origin"),
    [
        ({}, {}, ""),
        (FLUX, {}, "in Git (Flux Kustomization flux-system/apps)"),
        (RELEASE | INSTANCE, HELM, "in Git (Flux HelmRelease flux-system/operator)"),
        ({}, TRACKED, "in Git (Argo CD application node-pools)"),
        (INSTANCE, TRACKED, "in Git (Argo CD application node-pools)"),
        (INSTANCE, HELM, "in the values of Helm release operator"),
        (INSTANCE, {}, "in its manifest (application node-pools)"),
        ({"kustomize.toolkit.fluxcd.io/name": "apps"}, {}, ""),
    ],
)
def test_the_tool_is_named_with_its_own_object(
    labels: dict[str, str], annotations: dict[str, str], origin: str
) -> None:
    assert find_origin(labels, annotations) == origin


@pytest.mark.parametrize(
    "value", ["", " ", "a; kubectl delete manp --all", "$(reboot)", "`reboot`", "a\nb", "a\u202eb", "x" * 300, "-a"]
)
def test_what_is_no_name_is_never_repeated(value: str) -> None:
    assert find_origin({}, {"argocd.argoproj.io/tracking-id": f"{value}:group/kind:ml/a"}) == ""
    assert find_origin({}, {"meta.helm.sh/release-name": value}) == ""
    assert find_origin({"app.kubernetes.io/instance": value}, {}) == ""


def test_objects_of_one_place_share_its_words() -> None:
    def one() -> NodePool:
        body = a_node_pool().body()
        return NodePool.from_body(body | {"metadata": body["metadata"] | {"labels": dict(FLUX)}})

    assert one().metadata.origin is one().metadata.origin
