"""The commands that messages, doctor, inventory and uninstall-check print, ready to paste into a shell. Pure.

Each command is defined once; tests/integration/test_printed_commands.py runs all of them. A command that changes an
object names its own field manager: Flux reverts what managers named `kubectl…` set on an object that it applies
(fluxcd/pkg `ssa`, `ApplyCleanupOptions` of kustomize-controller). A field that Git sets can only be changed in Git.
"""

import shlex

from modelarts_nodepool.api.names import (
    ACCOUNT_SHORT,
    CONFIRM_ANNOTATION,
    CREDENTIALS_LABEL,
    GROUP,
    NODE_POOL_PLURAL,
    NODE_POOL_SHORT,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)
from modelarts_nodepool.api.objects import Metadata, NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import UnreadableObject

_MANAGER = "--field-manager=on-call"
_DEPLOYMENT = "deploy/modelarts-nodepool-operator"

# Every command that deletes something begins with this.
DELETES = "kubectl delete"
# Placeholders in messages about any object.
ANY_NAMESPACE, ANY_NAME = "NAMESPACE", "NAME"


def _named(namespace: str, name: str) -> str:
    return f"-n {shlex.quote(namespace)} {NODE_POOL_SHORT} {shlex.quote(name)}"


def _target(node_pool: NodePool | UnreadableObject) -> str:
    return _named(node_pool.metadata.namespace, node_pool.metadata.name)


def _annotate(node_pool: NodePool, setting: str) -> str:
    return f"kubectl annotate {_target(node_pool)} {setting} --overwrite {_MANAGER}"


# One node pool object.


def retain(node_pool: NodePool) -> str:
    """Release the object and keep the node pool. Cannot be undone while the object is being deleted."""
    return retain_named(node_pool.metadata.namespace, node_pool.metadata.name)


def retain_named(namespace: str, name: str) -> str:
    """The same, by namespace and name."""
    patch = """--type=merge -p '{"spec":{"deletionPolicy":"Retain"}}'"""
    return f"kubectl patch {_named(namespace, name)} {patch} {_MANAGER}"


def reconcile_now(node_pool: NodePool) -> str:
    """Decide again at once."""
    return _annotate(node_pool, f'{RECONCILE_ANNOTATION}="$(date +%s)"')


def unpause(node_pool: NodePool) -> str:
    """Remove the annotation paused."""
    return f"kubectl annotate {_target(node_pool)} {PAUSED_ANNOTATION}- {_MANAGER}"


def confirm(node_pool: NodePool) -> str:
    """Confirm this deletion by naming the node pool."""
    return _annotate(node_pool, f"{CONFIRM_ANNOTATION}={shlex.quote(node_pool.node_pool_name)}")


def override(node_pool: NodePool, reason: Reason) -> str:
    """Override one more guard for this object, and keep the guards that are overridden already."""
    reasons = ",".join(sorted(node_pool.overrides | {reason}))
    return _annotate(node_pool, f"{OVERRIDE_ANNOTATION}={reasons}@{shlex.quote(node_pool.metadata.uid)}")


def show(node_pool: NodePool) -> str:
    """Show the object as one line."""
    return f"kubectl get {_target(node_pool)}"


def describe(node_pool: NodePool | UnreadableObject) -> str:
    """Show the whole object."""
    return f"kubectl describe {_target(node_pool)}"


def edit(node_pool: NodePool | UnreadableObject) -> str:
    """Edit the object."""
    return f"kubectl edit {_target(node_pool)} {_MANAGER}"


def delete(node_pool: NodePool) -> str:
    """Delete the object, and the node pool too if its policy is Delete."""
    return delete_named(node_pool.metadata.namespace, node_pool.metadata.name)


def delete_named(namespace: str, name: str) -> str:
    """The same, by namespace and name."""
    return f"{DELETES} {_named(namespace, name)}"


# All node pool objects.


def list_all() -> str:
    """Show all objects with their reasons and messages."""
    return f"kubectl get {NODE_POOL_SHORT} -A -o wide"


def list_of_account(name: str) -> str:
    """Show the objects that name an account. Not by field selector: Kubernetes 1.30 does not support it."""
    return f"{list_all()} | grep -w {shlex.quote(name)}"


# Accounts.


def create_account() -> str:
    """Create an account from the user's manifest."""
    return "kubectl apply -f account.yaml"


def create_sample_account() -> str:
    """Create the account of the samples, in a checkout, after the user has set the values."""
    return "kubectl apply -f deploy/samples/account.yaml"


def list_accounts() -> str:
    """Show all accounts."""
    return f"kubectl get {ACCOUNT_SHORT}"


def describe_account(name: str) -> str:
    """Show a whole account."""
    return f"kubectl describe {ACCOUNT_SHORT} {shlex.quote(name)}"


def edit_account(name: str) -> str:
    """Edit an account."""
    return f"kubectl edit {ACCOUNT_SHORT} {shlex.quote(name)} {_MANAGER}"


def delete_account(name: str) -> str:
    """Delete an account. It remains until no object refers to it."""
    return f"{DELETES} {ACCOUNT_SHORT} {shlex.quote(name)}"


# Secrets, in the operator's namespace.


def create_secret(namespace: str, name: str) -> str:
    """Create the labelled Secret of an account from two files. Not from literals: a shell keeps a history."""
    files = "--from-file=accessKey=FILE --from-file=secretKey=FILE"
    create = f"kubectl -n {shlex.quote(namespace)} create secret generic {shlex.quote(name)} {files}"
    return f"{create} && {label_secret(namespace, name)}"


def label_secret(namespace: str, name: str) -> str:
    """Label a Secret as ModelArts credentials."""
    secret = f"kubectl -n {shlex.quote(namespace)} label secret {shlex.quote(name)}"
    return f"{secret} {CREDENTIALS_LABEL}=true --overwrite {_MANAGER}"


def describe_secret(namespace: str, name: str) -> str:
    """Show which keys a Secret has, and no value."""
    return f"kubectl -n {shlex.quote(namespace)} describe secret {shlex.quote(name)}"


def edit_secret(namespace: str, name: str) -> str:
    """Edit a Secret."""
    return f"kubectl -n {shlex.quote(namespace)} edit secret {shlex.quote(name)} {_MANAGER}"


# CRDs and namespaces.


def show_definition(name: str = f"{NODE_POOL_PLURAL}.{GROUP}") -> str:
    """Show a CRD as it is installed."""
    return f"kubectl get crd {name} -o yaml"


def describe_definition(name: str) -> str:
    """Show the conditions of a CRD."""
    return f"kubectl describe crd {name}"


def apply_definitions() -> str:
    """Apply the CRDs of the version in the current folder, with any field manager as owner."""
    return "kubectl apply --server-side --force-conflicts -f crds/"


def list_namespaces() -> str:
    """Show all namespaces."""
    return "kubectl get namespaces"


def show_admission() -> str:
    """Show the webhooks and policies that may refuse a write."""
    kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies"
    return f"kubectl get {kinds}"


def show_namespace(name: str) -> str:
    """Show a namespace with its labels, which grants may select."""
    return f"kubectl get namespace {shlex.quote(name)} --show-labels"


def create_namespace(name: str) -> str:
    """Create a namespace."""
    return f"kubectl create namespace {shlex.quote(name)}"


# The operator itself.


def apply_permissions() -> str:
    """Grant the operator the permissions of this version, in a checkout."""
    return "kubectl apply --server-side --force-conflicts -k deploy/kustomize/base"


def list_pods(namespace: str) -> str:
    """Show the Pods in the operator's namespace."""
    return f"kubectl -n {shlex.quote(namespace)} get pods"


def show_log(namespace: str) -> str:
    """Show the log of one of the operator's Pods."""
    return f"kubectl -n {shlex.quote(namespace)} logs {_DEPLOYMENT}"


def run_in_pod(namespace: str, *command: str) -> str:
    """Run a command, doctor by default, in the operator's Pod, with its network, clock and ServiceAccount."""
    words = shlex.join(command or ("doctor",))
    return f"kubectl -n {shlex.quote(namespace)} exec {_DEPLOYMENT} -- modelarts-nodepool {words}"


# Clauses of messages.


def way_out(node_pool: NodePool) -> str:
    """The last clause of every hold that may last: release the object and send nothing more to ModelArts.

    Without a hint to Git: the object is being deleted, and Retain counts once the operator has seen it.
    """
    record = node_pool.status.deletion
    if record is not None and record.sent_time is not None:
        return f"or release the object without waiting for the node pool: {retain(node_pool)}"
    return f"or release the object and keep the node pool: {retain(node_pool)}"


def by_hand(metadata: Metadata, command: str) -> str:
    """What follows a verb: the origin of the object, if known, and the command.

    `raise spec.deletionBudget: kubectl edit …`, or `raise spec.deletionBudget in Git (…); a manual change may be
    reverted: kubectl edit …`.
    """
    if not metadata.origin or metadata.deleted is not None:
        return f": {command}"
    return f" {metadata.origin}; a manual change may be reverted: {command}"
