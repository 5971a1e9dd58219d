"""Where an object comes from, as the labels and annotations of GitOps tools say. Pure.

What such a tool applies it applies again and again: what is changed by hand may be taken back, so messages name this
place first. The marks stay on an object that was taken out of Git: on an object that is being deleted they say nothing.
"""

import re
from collections.abc import Mapping

# Label or annotation values end up in messages: nothing that could be mistaken for more than a name.
_NAME = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,252}[A-Za-z0-9])?")


def find_origin(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """The place to change the object, to be read after a verb; empty where no tool has left its mark.

    - Flux: kustomize-controller and helm-controller label what they apply with the name and namespace of their object.
    - Argo CD: `argocd.argoproj.io/tracking-id` is `<application>:<group>/<kind>:<namespace>/<name>`. Up to 2.14 it
      tracks by the label app.kubernetes.io/instance instead, which others set, too.
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
