"""One object of each kind as the operator keeps it in memory: slim, typed, frozen.

Built from the body of the API server (`from_body`). Whole bodies are never kept: at 10,000 objects, managedFields alone
would cost more memory than everything else. The origin of an object is where to change it: a GitOps tool applies its
objects repeatedly and may revert a manual change, so messages name the origin first. The labels remain on an object
that was removed from Git: on an object that is being deleted they mean nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any

from modelarts_nodepool.api.account import AccountSpec, AccountStatus
from modelarts_nodepool.api.names import (
    CONFIRM_ANNOTATION,
    CONFIRMED_BY_ANNOTATION,
    GROUP,
    NODE_POOL_FINALIZER,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)
from modelarts_nodepool.api.node_pool import NodePoolSpec, NodePoolStatus
from modelarts_nodepool.api.reasons import OVERRIDABLE, Reason
from modelarts_nodepool.logs import clean

# A user name of Kubernetes has no limit of its own.
_LONGEST_USER = 253

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One of metadata.ownerReferences. The garbage collector deletes an object if none of its owners exists."""

    api_version: str
    kind: str
    name: str
    uid: str

    @classmethod
    def from_body(cls, raw: Mapping[str, Any]) -> "Owner":
        """From an entry of the list."""
        return cls(api_version=raw["apiVersion"], kind=raw["kind"], name=raw["name"], uid=raw["uid"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The used part of metadata. `annotations`: those of our own group only. `origin`: see api/objects.py."""

    uid: str
    name: str
    namespace: str = ""
    generation: int = 1
    resource_version: str = ""
    created: datetime
    deleted: datetime | None = None
    finalizers: tuple[str, ...] = ()
    owners: tuple[Owner, ...] = ()
    annotations: Mapping[str, str]
    origin: str = ""

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Metadata":
        """From `metadata` of any object that the API server sends."""
        raw = body["metadata"]
        deleted = raw.get("deletionTimestamp")
        annotations = raw.get("annotations") or {}
        return cls(
            uid=raw["uid"],
            name=raw["name"],
            namespace=raw.get("namespace") or "",
            generation=raw.get("generation") or 1,
            resource_version=raw["resourceVersion"],
            created=datetime.fromisoformat(raw["creationTimestamp"]),
            deleted=datetime.fromisoformat(deleted) if deleted else None,
            finalizers=tuple(raw.get("finalizers") or ()),
            owners=tuple(Owner.from_body(owner) for owner in raw.get("ownerReferences") or ()),
            annotations={key: value for key, value in annotations.items() if key.startswith(f"{GROUP}/")},
            # Interned: thousands of objects have the same origin.
            origin=intern(find_origin(raw.get("labels") or {}, annotations)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """A ModelArtsNodePool."""

    metadata: Metadata
    spec: NodePoolSpec
    status: NodePoolStatus

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "NodePool":
        """Raises pydantic.ValidationError if spec or status does not match the schema."""
        return cls(
            metadata=Metadata.from_body(body),
            spec=NodePoolSpec.model_validate(body.get("spec") or {}),
            status=NodePoolStatus.model_validate(body.get("status") or {}),
        )

    @property
    def node_pool_name(self) -> str:
        """The effective name in the cloud."""
        return self.spec.node_pool_name or self.metadata.name

    @property
    def is_protected(self) -> bool:
        """Whether our finalizer is on the object."""
        return NODE_POOL_FINALIZER in self.metadata.finalizers

    @property
    def other_finalizers(self) -> tuple[str, ...]:
        """Finalizers that are not ours."""
        return tuple(name for name in self.metadata.finalizers if name != NODE_POOL_FINALIZER)

    @property
    def is_paused(self) -> bool:
        """Whether the annotation paused stops DELETEs: every value except "false" does, even an empty one.

        People type "True", "yes", "1" and " false". A deletion that is held by mistake says so and can continue; a
        DELETE that is sent by mistake cannot be undone.
        """
        return self.metadata.annotations.get(PAUSED_ANNOTATION, "false") != "false"

    @property
    def confirmation(self) -> str | None:
        """The node pool name in the annotation confirm-delete."""
        return self.metadata.annotations.get(CONFIRM_ANNOTATION)

    @property
    def confirmed_by(self) -> str | None:
        """The user who confirmed the deletion, for people: printable, of limited length, without secrets.

        From the annotation confirmed-by, which only the policy of deploy/admission/four-eyes makes reliable. So nothing
        is decided by it. None without a matching confirmation.
        """
        if self.confirmation != self.node_pool_name:
            return None
        return clean(self.metadata.annotations.get(CONFIRMED_BY_ANNOTATION, ""), _LONGEST_USER) or None

    @property
    def override(self) -> str:
        """The text of the override annotation."""
        return self.metadata.annotations.get(OVERRIDE_ANNOTATION, "")

    @property
    def overrides(self) -> frozenset[Reason]:
        """The guards that the override annotation lifts: `<Reason>[,<Reason>…]@<uid of this object>`.

        A uid cannot stay in Git or in a backup: an override with the uid of another object lifts nothing.
        """
        reasons, at, uid = self.override.partition("@")
        if not at or uid != self.metadata.uid:
            return frozenset()
        given = {reason.strip() for reason in reasons.split(",")}
        return frozenset(reason for reason in OVERRIDABLE if reason.value in given)

    @property
    def reconcile_at(self) -> str | None:
        """The text of the reconcile-at annotation; None if it is empty."""
        return self.metadata.annotations.get(RECONCILE_ANNOTATION) or None

    @property
    def title(self) -> str:
        """`namespace/name`, as logs and messages name the object."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def log_fields(self) -> dict[str, object]:
        """What every log line about the object carries."""
        return {
            "object": self.title,
            "uid": self.metadata.uid,
            "nodePool": f"{self.spec.pool_name}/{self.node_pool_name}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A ModelArtsAccount."""

    metadata: Metadata
    spec: AccountSpec
    status: AccountStatus

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Account":
        """Raises pydantic.ValidationError if spec or status does not match the schema."""
        return cls(
            metadata=Metadata.from_body(body),
            spec=AccountSpec.model_validate(body.get("spec") or {}),
            status=AccountStatus.model_validate(body.get("status") or {}),
        )

    @property
    def is_terminating(self) -> bool:
        """Whether the account itself is being deleted."""
        return self.metadata.deleted is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """The part of a namespace that grants and guards use."""

    name: str
    uid: str = ""
    resource_version: str = ""
    labels: Mapping[str, str]
    deleted: datetime | None = None

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "Namespace":
        """From a core/v1 Namespace."""
        raw = body["metadata"]
        deleted = raw.get("deletionTimestamp")
        return cls(
            name=raw["name"],
            uid=raw.get("uid") or "",
            resource_version=raw.get("resourceVersion") or "",
            labels=dict(raw.get("labels") or {}),
            deleted=datetime.fromisoformat(deleted) if deleted else None,
        )
