"""The permissions that the operator needs in the cluster, and access reviews to check them.

commands/doctor/ checks them. A test compares the list with the roles in deploy/kustomize/base: the roles grant exactly
these permissions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from modelarts_nodepool.api.names import ACCOUNT_PLURAL, GROUP, NODE_POOL_PLURAL
from modelarts_nodepool.kube.leader_election import LEASE_NAME

AUTHORIZATION = "authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Verbs on resources. `names` limits it to those objects, `is_own` to the operator's namespace.

    A resource may include its subresource, as in roles: `modelartsnodepools/status`.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    is_own: bool = False


NEEDED = (
    Permission(group=GROUP, resources=(NODE_POOL_PLURAL, ACCOUNT_PLURAL), verbs=("get", "list", "watch", "patch")),
    Permission(
        group=GROUP, resources=(f"{NODE_POOL_PLURAL}/status", f"{ACCOUNT_PLURAL}/status"), verbs=("get", "patch")
    ),
    Permission(group="", resources=("namespaces",), verbs=("get", "list", "watch")),
    Permission(
        group="apiextensions.k8s.io",
        resources=("customresourcedefinitions",),
        verbs=("get",),
        names=(f"{ACCOUNT_PLURAL}.{GROUP}", f"{NODE_POOL_PLURAL}.{GROUP}"),
    ),
    Permission(group="", resources=("events",), verbs=("create",)),
    Permission(group="", resources=("secrets",), verbs=("get",), is_own=True),
    Permission(group="coordination.k8s.io", resources=("leases",), verbs=("create",), is_own=True),
    Permission(
        group="coordination.k8s.io", resources=("leases",), verbs=("get", "update"), names=(LEASE_NAME,), is_own=True
    ),
)


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """One verb on one resource. `namespace` "" means all namespaces, `name` "" all names."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    name: str = ""

    @override
    def __str__(self) -> str:
        """The arguments of `kubectl auth can-i`."""
        return f"{self.verb} {self.thing}"

    @property
    def thing(self) -> str:
        """The same without the verb."""
        kind, _, subresource = self.resource.partition("/")
        words = f"{kind}.{self.group}" if self.group else kind
        words += f"/{self.name}" if self.name else ""
        words += f" --subresource={subresource}" if subresource else ""
        return words + (f" -n {self.namespace}" if self.namespace else "")

    def to_attributes(self) -> dict[str, str]:
        """spec.resourceAttributes of an access review."""
        kind, _, subresource = self.resource.partition("/")
        return {
            "group": self.group,
            "resource": kind,
            "subresource": subresource,
            "verb": self.verb,
            "namespace": self.namespace,
            "name": self.name,
        }


def to_questions(operator_namespace: str) -> list[Question]:
    """All needed permissions, in the order of the list."""
    return [question for permission in NEEDED for question in _questions(permission, operator_namespace)]


def build_review(question: Question, service_account: tuple[str, str] | None) -> tuple[str, Mapping[str, Any]]:
    """Path and body of the access review of a ServiceAccount (namespace, name), or of the caller for None."""
    spec: dict[str, Any] = {"resourceAttributes": question.to_attributes()}
    kind = "SelfSubjectAccessReview"
    if service_account is not None:
        namespace, name = service_account
        kind = "SubjectAccessReview"
        spec["user"] = to_user(namespace, name)
        spec["groups"] = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    body = {"apiVersion": AUTHORIZATION, "kind": kind, "spec": spec}
    return f"/apis/{AUTHORIZATION}/{kind.lower()}s", body


def to_user(namespace: str, name: str) -> str:
    """The user name of a ServiceAccount."""
    return f"system:serviceaccount:{namespace}:{name}"


def _questions(permission: Permission, operator_namespace: str) -> Iterator[Question]:
    namespace = operator_namespace if permission.is_own else ""
    for resource in permission.resources:
        for name in permission.names or ("",):
            for verb in permission.verbs:
                yield Question(permission.group, resource, verb, namespace, name)
