"""The commands that messages, doctor, inventory and uninstall-check print, ready to be pasted into a shell. Pure.

Each stands here once; tests/integration/test_printed_commands.py runs all of them. Each that changes an object names a
field manager of its own: Flux takes back what managers named `kubectl…` set on an object that it applies
(fluxcd/pkg `ssa`, `ApplyCleanupOptions` of kustomize-controller). Where Git itself names the field, only Git helps.
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
from modelarts_nodepool.api.unreadable import Misfit

_MANAGER = "--field-manager=on-call"
_DEPLOYMENT = "deploy/modelarts-nodepool-operator"

# How every command begins that deletes something.
DELETES = "kubectl delete"
# Where messages speak of any object: a person puts the name in.
ANY_NAMESPACE, ANY_NAME = "NAMESPACE", "NAME"


def _named(namespace: str, name: str) -> str:
    return f"-n {shlex.quote(namespace)} {NODE_POOL_SHORT} {shlex.quote(name)}"


def _target(node_pool: NodePool | Misfit) -> str:
    return _named(node_pool.metadata.namespace, node_pool.metadata.name)


def _annotate(node_pool: NodePool, setting: str) -> str:
    return f"kubectl annotate {_target(node_pool)} {setting} --overwrite {_MANAGER}"


# One node pool object.


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
    return _annotate(node_pool, f"{CONFIRM_ANNOTATION}={shlex.quote(node_pool.node_pool_name)}")


def override(node_pool: NodePool, reason: Reason) -> str:
    """Lift one more guard of this very object, keeping those lifted already."""
    reasons = ",".join(sorted(node_pool.overrides | {reason}))
    return _annotate(node_pool, f"{OVERRIDE_ANNOTATION}={reasons}@{shlex.quote(node_pool.metadata.uid)}")


def show(node_pool: NodePool) -> str:
    """Show its line of the table."""
    return f"kubectl get {_target(node_pool)}"


def describe(node_pool: NodePool | Misfit) -> str:
    """Show the whole object."""
    return f"kubectl describe {_target(node_pool)}"


def edit(node_pool: NodePool | Misfit) -> str:
    """Change the object by hand."""
    return f"kubectl edit {_target(node_pool)} {_MANAGER}"


def delete(node_pool: NodePool) -> str:
    """Delete the object, and with it whatever its policy says."""
    return delete_named(node_pool.metadata.namespace, node_pool.metadata.name)


def delete_named(namespace: str, name: str) -> str:
    """The same, for an object of which only the name is known."""
    return f"{DELETES} {_named(namespace, name)}"


# All node pool objects.


def list_all() -> str:
    """Show all objects with their reasons and messages."""
    return f"kubectl get {NODE_POOL_SHORT} -A -o wide"


def list_of_account(name: str) -> str:
    """Show the objects that name an account. Not by field selector: Kubernetes 1.30 has none for this."""
    return f"{list_all()} | grep -w {shlex.quote(name)}"


# Accounts.


def create_account() -> str:
    """Create an account from the manifest that the person has."""
    return "kubectl apply -f account.yaml"


def create_sample_account() -> str:
    """Create the account of the samples, in a checkout, once its values are the person's own."""
    return "kubectl apply -f deploy/samples/account.yaml"


def list_accounts() -> str:
    """Show all accounts."""
    return f"kubectl get {ACCOUNT_SHORT}"


def describe_account(name: str) -> str:
    """Show a whole account."""
    return f"kubectl describe {ACCOUNT_SHORT} {shlex.quote(name)}"


def edit_account(name: str) -> str:
    """Change an account by hand."""
    return f"kubectl edit {ACCOUNT_SHORT} {shlex.quote(name)} {_MANAGER}"


def delete_account(name: str) -> str:
    """Delete an account. It stays until no object refers to it."""
    return f"{DELETES} {ACCOUNT_SHORT} {shlex.quote(name)}"


# Secrets, in the operator's namespace.


def create_secret(namespace: str, name: str) -> str:
    """Create the Secret of an account from two files, labelled. Not from literals: a shell remembers those."""
    files = "--from-file=accessKey=FILE --from-file=secretKey=FILE"
    create = f"kubectl -n {shlex.quote(namespace)} create secret generic {shlex.quote(name)} {files}"
    return f"{create} && {label_secret(namespace, name)}"


def label_secret(namespace: str, name: str) -> str:
    """Say that a Secret holds ModelArts credentials."""
    secret = f"kubectl -n {shlex.quote(namespace)} label secret {shlex.quote(name)}"
    return f"{secret} {CREDENTIALS_LABEL}=true --overwrite {_MANAGER}"


def describe_secret(namespace: str, name: str) -> str:
    """Show which keys a Secret has, and no value."""
    return f"kubectl -n {shlex.quote(namespace)} describe secret {shlex.quote(name)}"


def edit_secret(namespace: str, name: str) -> str:
    """Change a Secret by hand."""
    return f"kubectl -n {shlex.quote(namespace)} edit secret {shlex.quote(name)} {_MANAGER}"


# CRDs and namespaces.


def show_definition(name: str = f"{NODE_POOL_PLURAL}.{GROUP}") -> str:
    """Show a CRD as it is installed."""
    return f"kubectl get crd {name} -o yaml"


def describe_definition(name: str) -> str:
    """Show the conditions of a CRD."""
    return f"kubectl describe crd {name}"


def apply_definitions() -> str:
    """Bring the CRDs to the version whose folder this is run in, whoever installed them."""
    return "kubectl apply --server-side --force-conflicts -f crds/"


def list_namespaces() -> str:
    """Show all namespaces."""
    return "kubectl get namespaces"


def show_admission() -> str:
    """Show the webhooks and policies that may refuse a write."""
    kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies"
    return f"kubectl get {kinds}"


def show_namespace(name: str) -> str:
    """Show a namespace with its labels, which grants may ask for."""
    return f"kubectl get namespace {shlex.quote(name)} --show-labels"


def create_namespace(name: str) -> str:
    """Create a namespace."""
    return f"kubectl create namespace {shlex.quote(name)}"


# The operator itself.


def apply_permissions() -> str:
    """Grant the operator what this version needs, in a checkout, whoever changed it."""
    return "kubectl apply --server-side --force-conflicts -k deploy/kustomize/base"


def list_pods(namespace: str) -> str:
    """Show what runs in the operator's namespace."""
    return f"kubectl -n {shlex.quote(namespace)} get pods"


def show_log(namespace: str) -> str:
    """Show the log of one of the operator's Pods."""
    return f"kubectl -n {shlex.quote(namespace)} logs {_DEPLOYMENT}"


def run_doctor_in_pod(namespace: str) -> str:
    """Run doctor where the operator runs: with its network, clock and ServiceAccount."""
    return f"kubectl -n {shlex.quote(namespace)} exec {_DEPLOYMENT} -- modelarts-nodepool doctor"


# Clauses of messages.


def way_out(node_pool: NodePool) -> str:
    """The last clause of every hold that may last: the object goes, and nothing more is sent to the cloud.

    Git is not named: the object is being deleted, and a Retain that was seen once since then counts.
    """
    record = node_pool.status.deletion
    if record is not None and record.sent_time is not None:
        return f"or let the object go, whatever becomes of the node pool: {retain(node_pool)}"
    return f"or let the object go and keep the node pool: {retain(node_pool)}"


def by_hand(metadata: Metadata, command: str) -> str:
    """What follows a verb: where the object comes from, if that is known, and the command.

    `raise spec.deletionBudget: kubectl edit …`, or `raise spec.deletionBudget in Git (…); what is changed by hand may
    be taken back: kubectl edit …`.
    """
    if not metadata.origin or metadata.deleted is not None:
        return f": {command}"
    return f" {metadata.origin}; what is changed by hand may be taken back: {command}"
