"""URL paths of everything the operator touches in the cluster. Pure."""

from urllib.parse import quote

from modelarts_nodepool.api.names import (
    ACCOUNT_PLURAL,
    API_VERSION,
    CREDENTIALS_LABEL,
    GROUP,
    NODE_POOL_PLURAL,
)
from modelarts_nodepool.api.objects import Account, NodePool
from modelarts_nodepool.api.unreadable import UnreadableObject

API = f"/apis/{API_VERSION}"
NODE_POOLS = f"{API}/{NODE_POOL_PLURAL}"
ACCOUNTS = f"{API}/{ACCOUNT_PLURAL}"
NAMESPACES = "/api/v1/namespaces"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NODE_POOL_DEFINITION = f"{DEFINITIONS}/{NODE_POOL_PLURAL}.{GROUP}"
ACCOUNT_DEFINITION = f"{DEFINITIONS}/{ACCOUNT_PLURAL}.{GROUP}"


def node_pools_in(namespace: str) -> str:
    """The collection of one namespace."""
    return f"{API}/namespaces/{_segment(namespace)}/{NODE_POOL_PLURAL}"


def node_pool(namespace: str, name: str) -> str:
    """One node pool object."""
    return f"{node_pools_in(namespace)}/{_segment(name)}"


def account(name: str) -> str:
    """One account."""
    return f"{ACCOUNTS}/{_segment(name)}"


def path_of(thing: NodePool | UnreadableObject | Account) -> str:
    """The path of this object; an UnreadableObject is a node pool object that cannot be read."""
    if isinstance(thing, Account):
        return account(thing.metadata.name)
    return node_pool(thing.metadata.namespace, thing.metadata.name)


def status_path_of(thing: NodePool | UnreadableObject | Account) -> str:
    """The status subresource of this object."""
    return f"{path_of(thing)}/status"


def namespace(name: str) -> str:
    """One namespace."""
    return f"{NAMESPACES}/{_segment(name)}"


def secrets(namespace: str) -> str:
    """The Secrets of a namespace that carry the credentials label."""
    selector = quote(f"{CREDENTIALS_LABEL}=true", safe="")
    return f"{NAMESPACES}/{_segment(namespace)}/secrets?labelSelector={selector}"


def secret(namespace: str, name: str) -> str:
    """One Secret."""
    return f"{NAMESPACES}/{_segment(namespace)}/secrets/{_segment(name)}"


def events(namespace: str) -> str:
    """The collection of core/v1 Events."""
    return f"{NAMESPACES}/{_segment(namespace)}/events"


def leases(namespace: str) -> str:
    """The collection of Leases."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{_segment(namespace)}/leases"


def admission_binding(name: str) -> str:
    """One ValidatingAdmissionPolicyBinding."""
    return f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{_segment(name)}"


def lease(namespace: str, name: str) -> str:
    """One Lease."""
    return f"{leases(namespace)}/{_segment(name)}"


def api(api_version: str) -> str:
    """Discovery of an apiVersion's resources: `v1` or `<group>/<version>`."""
    group, slash, version = api_version.rpartition("/")
    return f"/apis/{_segment(group)}/{_segment(version)}" if slash else f"/api/{_segment(version)}"


def api_group(api_version: str) -> str:
    """Discovery of the versions of its group; the core group has only one."""
    group, slash, _ = api_version.rpartition("/")
    return f"/apis/{_segment(group)}" if slash else "/api"


def thing_of(api_version: str, plural: str, namespace: str, name: str) -> str:
    """One object of any kind; `namespace` "" for a cluster-scoped kind."""
    scope = f"/namespaces/{_segment(namespace)}" if namespace else ""
    return f"{api(api_version)}{scope}/{_segment(plural)}/{_segment(name)}"


def _segment(name: str) -> str:
    """A name as one segment of a path. A typo in a setting must not change the path."""
    if name in {"", ".", ".."}:
        raise ValueError(f"{name!r} cannot be the name of an object")
    return quote(name, safe="")
