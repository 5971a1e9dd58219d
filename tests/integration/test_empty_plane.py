"""What a module leaves on the control plane that modules share one after the other is no longer there for the next."""

import json

from lab.controlplane import ControlPlane
from lab.harness.failures import ApiError
from modelarts_nodepool.api.names import ACCOUNT_FINALIZER, NODE_POOL_FINALIZER
from tests.support.api import ACCOUNTS, CRDS, NAMESPACES, Api, node_pools_in
from tests.support.crds import ACCOUNT_SPEC, NODE_POOL_SPEC, NODE_POOLS, REPOSITORY, to_json, until_served
from tests.support.emptying import ADMISSION, NOT_ITS_OWN, RBAC, REFUSING, empty
from tests.support.liveness import eventually

COLLECTIONS = (
    CRDS,
    NAMESPACES,
    *(f"{ADMISSION}/{kind}" for kind in REFUSING),
    *(f"{RBAC}/{kind}?{NOT_ITS_OWN}" for kind in ("clusterroles", "clusterrolebindings")),
)


def names(api: Api) -> dict[str, list[str]]:
    return {path: [found["metadata"]["name"] for found in api.items(path)] for path in COLLECTIONS}


def is_protected(api: Api) -> bool:
    try:
        api.delete(f"{CRDS}/{NODE_POOLS}?dryRun=All")
    except ApiError:
        return True
    return False


def test_policies_rights_namespaces_and_objects_with_finalizers_are_gone(empty_plane: ControlPlane) -> None:
    kubectl = empty_plane.kubectl
    with Api(empty_plane) as api:
        before = names(api)
        kubectl.run("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
        until_served(empty_plane)
        kubectl.run(
            "apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "kustomize" / "overlays" / "production")
        )
        kubectl.run("create", "namespace", "ml")
        metadata = {"name": "default", "finalizers": [ACCOUNT_FINALIZER]}
        api.create(ACCOUNTS, json.loads(to_json("ModelArtsAccount", metadata, ACCOUNT_SPEC)))
        metadata = {"name": "training-a", "finalizers": [NODE_POOL_FINALIZER]}
        api.create(node_pools_in("ml"), json.loads(to_json("ModelArtsNodePool", metadata, NODE_POOL_SPEC)))
        assert eventually(lambda: is_protected(api))
        changed = {path for path, found in names(api).items() if found != before[path]}
        assert len(changed) >= 6
        empty(empty_plane)
        assert names(api) == before
