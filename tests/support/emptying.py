"""Leaves a control plane as it was at its start, for the next module that wants an empty one.

By requests, since kubectl costs a process a call. No operator may run: it would give finalizers back.
"""

import re

from lab.controlplane import ControlPlane
from lab.harness.api import NODE_POOLS
from lab.harness.failures import ApiError
from tests.support.api import ACCOUNTS, CRDS, NAMESPACES, Api, node_pools_in
from tests.support.liveness import eventually

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
# Bindings go first: without one, a policy refuses nothing.
REFUSING = (
    *("validatingadmissionpolicybindings", "mutatingadmissionpolicybindings"),
    *("validatingadmissionpolicies", "mutatingadmissionpolicies"),
    *("validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
)
# The API server makes its own again only when it starts.
NOT_ITS_OWN = "labelSelector=!kubernetes.io/bootstrapping"
ITS_NAMESPACES = {"default", "kube-node-lease", "kube-public", "kube-system"}
# Such a name is one test's alone. Its namespace stays, since to delete one costs some seventy requests.
UNIQUE = re.compile(r"-[0-9a-f]{8}\b")


def empty(plane: ControlPlane) -> None:
    """Remove policies, webhooks, our objects, CRDs, rights and namespaces; wait until they are gone."""
    with Api(plane) as api:
        _empty(api)


def _empty(api: Api) -> None:
    refuse_nothing(api)
    for kind in ("clusterrolebindings", "clusterroles"):
        api.delete(f"{RBAC}/{kind}?{NOT_ITS_OWN}")
    assert eventually(lambda: _are_without_finalizers(api)), "objects kept their finalizers"
    # Before the CRDs: while a kind goes, the namespace controller cannot know what a namespace holds, and waits.
    for name in _namespaces(api):
        api.delete(f"{NAMESPACES}/{name}")
    assert eventually(lambda: not _namespaces(api)), _namespaces(api)
    let_crds_go(api)


def refuse_nothing(api: Api) -> None:
    """Remove policies and webhooks. The API server applies them for a moment longer."""
    for kind in REFUSING:
        api.delete(f"{ADMISSION}/{kind}")


def let_crds_go(api: Api) -> None:
    """Remove all CRDs with their objects; wait until they are gone."""
    assert eventually(lambda: _are_without_finalizers(api) and _is_rid_of_crds(api)), _names_in(api, CRDS)


def _names_in(api: Api, path: str) -> list[str]:
    return [found["metadata"]["name"] for found in api.items(path)]


def _are_without_finalizers(api: Api) -> bool:
    """False if a policy refuses a write, which it does for a moment after its removal: try again."""
    try:
        for found in (*api.items(NODE_POOLS), *api.items(ACCOUNTS)):
            where, name = found["metadata"].get("namespace"), found["metadata"]["name"]
            if found["metadata"].get("finalizers"):
                api.strip(f"{node_pools_in(where) if where else ACCOUNTS}/{name}")
    except ApiError:
        return False
    return True


def _is_rid_of_crds(api: Api) -> bool:
    """The same for CRDs, which a policy protects."""
    crds = _names_in(api, CRDS)
    try:
        for name in crds:
            api.delete(f"{CRDS}/{name}")
    except ApiError:
        return False
    return not crds


def _namespaces(api: Api) -> list[str]:
    return [name for name in _names_in(api, NAMESPACES) if name not in ITS_NAMESPACES and not UNIQUE.search(name)]
