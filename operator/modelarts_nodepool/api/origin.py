"""The origin of an object, by the labels and annotations of GitOps tools. Pure.

Such a tool applies its objects repeatedly and may revert a manual change, so messages name the origin first. The labels
remain on an object that was removed from Git: on an object that is being deleted they mean nothing.
"""

import re
from collections.abc import Mapping

# Label and annotation values become part of messages: accept only plain names.
_NAME = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,252}[A-Za-z0-9])?")


def find_origin(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """The place to change the object, for use after a verb; empty without labels of a tool.

    - Flux: kustomize-controller and helm-controller label objects with the name and namespace of their own object.
    - Argo CD: `argocd.argoproj.io/tracking-id` is `<application>:<group>/<kind>:<namespace>/<name>`. Up to 2.14 it
      uses the label app.kubernetes.io/instance, which other tools set too.
    - Helm: `meta.helm.sh/release-name`.
    """
    for group, kind in (("kustomize", "Kustomization"), ("helm", "HelmRelease")):
        name, namespace = (labels.get(f"{group}.toolkit.fluxcd.io/{key}") for key in ("name", "namespace"))
        if _is_name(name) and _is_name(namespace):
            return f"in Git (Flux {kind} {namespace}/{name})"
    application = annotations.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    if _is_name(application):
        return f"in Git (Argo CD application {application})"
    release = annotations.get("meta.helm.sh/release-name")
    if _is_name(release):
        return f"in the values of Helm release {release}"
    instance = labels.get("app.kubernetes.io/instance")
    return f"in its manifest (application {instance})" if _is_name(instance) else ""


def _is_name(given: object) -> bool:
    return isinstance(given, str) and _NAME.fullmatch(given) is not None
