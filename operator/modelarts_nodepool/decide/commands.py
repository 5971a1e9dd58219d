"""The commands that messages end with, ready to be pasted. Called by the rows and by status messages.

Each command that changes an object names a field manager of its own: Flux takes back what managers named `kubectl…`
set on an object that it applies (kustomize-controller, `ssa.ApplyCleanupOptions`).
"""

import shlex

from modelarts_nodepool.resource.misfit import Misfit
from modelarts_nodepool.resource.names import (
    ACCOUNT_SHORT,
    CONFIRM_ANNOTATION,
    GROUP,
    NODE_POOL_PLURAL,
    NODE_POOL_SHORT,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)
from modelarts_nodepool.resource.objects import NodePool
from modelarts_nodepool.resource.reasons import OVERRIDABLE, Reason

_MANAGER = "--field-manager=on-call"


def _named(namespace: str, name: str) -> str:
    return f"-n {shlex.quote(namespace)} {NODE_POOL_SHORT} {shlex.quote(name)}"


def _target(node_pool: NodePool | Misfit) -> str:
    return _named(node_pool.metadata.namespace, node_pool.metadata.name)


def _annotate(node_pool: NodePool, setting: str) -> str:
    return f"kubectl annotate {_target(node_pool)} {setting} --overwrite {_MANAGER}"


def retain(node_pool: NodePool) -> str:
    """Let the object go and keep the node pool. Cannot be taken back while the object is being deleted."""
    return retain_named(node_pool.metadata.namespace, node_pool.metadata.name)


def retain_named(namespace: str, name: str) -> str:
    """The same, for an object of which only the name is known."""
    patch = """--type=merge -p '{"spec":{"deletionPolicy":"Retain"}}'"""
    return f"kubectl patch {_named(namespace, name)} {patch} {_MANAGER}"


def look_again(node_pool: NodePool) -> str:
    """Decide again at once."""
    return _annotate(node_pool, f'{RECONCILE_ANNOTATION}="$(date +%s)"')


def unpause(node_pool: NodePool) -> str:
    """Go on."""
    return f"kubectl annotate {_target(node_pool)} {PAUSED_ANNOTATION}- {_MANAGER}"


def confirm(node_pool: NodePool) -> str:
    """Confirm this deletion by naming the node pool."""
    return _annotate(node_pool, f"{CONFIRM_ANNOTATION}={node_pool.node_pool_name}")


def override(node_pool: NodePool, reason: Reason) -> str:
    """Lift one more guard of this very object, keeping those lifted already."""
    reasons = ",".join(sorted(given_overrides(node_pool) | {reason}))
    return _annotate(node_pool, f"{OVERRIDE_ANNOTATION}={reasons}@{node_pool.metadata.uid}")


def describe(node_pool: NodePool | Misfit) -> str:
    """Show the whole object."""
    return f"kubectl describe {_target(node_pool)}"


def list_all() -> str:
    """Show all objects with their reasons and messages."""
    return f"kubectl get {NODE_POOL_SHORT} -A -o wide"


def edit(node_pool: NodePool | Misfit) -> str:
    """Change the object by hand."""
    return f"kubectl edit {_target(node_pool)}"


def show_definition() -> str:
    """Show the CRD as it is installed."""
    return f"kubectl get crd {NODE_POOL_PLURAL}.{GROUP} -o yaml"


def apply_definitions() -> str:
    """Bring the CRDs to the version whose folder this is run in."""
    return "kubectl apply --server-side -f crds/"


def describe_account(node_pool: NodePool) -> str:
    """Show the account that the object names."""
    return f"kubectl describe {ACCOUNT_SHORT} {shlex.quote(node_pool.spec.account_ref.name)}"


def edit_account(node_pool: NodePool) -> str:
    """Change the account that the object names."""
    return f"kubectl edit {ACCOUNT_SHORT} {shlex.quote(node_pool.spec.account_ref.name)}"


def delete(node_pool: NodePool) -> str:
    """Delete the object, and with it whatever its policy says."""
    return f"kubectl delete {_target(node_pool)}"


def given_overrides(node_pool: NodePool) -> frozenset[Reason]:
    """The guards that people lifted: `<Reason>[,<Reason>…]@<uid>`, of this very object only.

    A uid cannot be left in Git or in a backup: an override of another object's uid lifts nothing.
    """
    words, at, uid = node_pool.override.partition("@")
    if not at or uid != node_pool.metadata.uid:
        return frozenset()
    given = {word.strip() for word in words.split(",")}
    return frozenset(reason for reason in OVERRIDABLE if reason.value in given)
