"""The cluster: API server, permissions, Lease, namespaces."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from modelarts_nodepool.commands.doctor.check import ClusterContext, Finding, failed, not_checked, ok, warning
from modelarts_nodepool.commands.terminal import to_age
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.leader_election import LEASE_NAME
from modelarts_nodepool.kube.rbac import Question, build_review, to_questions, to_user

_IDENTITY = "authentication.k8s.io/v1"
# docs/install.md: the admission policies and the rules in the CRDs.
OLDEST = (1, 30)
# The feature gate CustomResourceFieldSelectors is on since then; before, the API server drops selectableFields:
# https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
SELECTABLE = (1, 31)


async def check_api_server(context: ClusterContext) -> Finding:
    """One GET of /version, and one review of our identity."""
    session = context.session
    version = str((await session.cluster.get("/version")).get("gitVersion"))
    context.offers_selectable_fields = _number(version) >= SELECTABLE
    context.caller = await _who_am_i(context)
    return judge_version(
        version, f"{version} at {session.server}{f', asked as {context.caller}' if context.caller else ''}"
    )


def judge_version(version: str, words: str) -> Finding:
    """The finding for a version. Pure."""
    number = _number(version)
    if number < OLDEST:
        return failed(
            f"{words}; the operator needs v{OLDEST[0]}.{OLDEST[1]} or newer",
            "upgrade the cluster; see docs/install.md",
        )
    if number < SELECTABLE:
        # No remedy: the operator itself does not use them.
        return ok(f"{words}; field selectors for node pools need v1.31 or newer")
    return ok(words)


async def _who_am_i(context: ClusterContext) -> str:
    body = {"apiVersion": _IDENTITY, "kind": "SelfSubjectReview"}
    try:
        answer = await context.session.review(f"/apis/{_IDENTITY}/selfsubjectreviews", body)
    except ClusterError:
        # Older API servers do not support it. Only the message uses it.
        return ""
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")


def _number(version: str) -> tuple[int, int]:
    found = re.match(r"v(\d+)\.(\d+)", version)
    # An unknown format counts as new: some vendors use their own.
    return (int(found[1]), int(found[2])) if found else SELECTABLE


_SHOWN = 4
_FORBIDDEN = 403


async def check_permissions(context: ClusterContext) -> Finding:
    """The permissions of the ServiceAccount in the context, or of the caller."""
    account = context.service_account
    if account is not None and to_user(*account) == context.caller:
        # A ServiceAccount may always review its own permissions, but not those of others.
        account = None
    who = to_user(*account) if account is not None else (context.caller or "the caller")
    questions = to_questions(context.session.place.operator_namespace)
    try:
        denied = [question for question in questions if not await _is_allowed(context, question, account)]
    except ClusterError as error:
        if error.status != _FORBIDDEN or account is None:
            raise
        return warning(
            f"unknown: {context.caller or 'the caller'} is not allowed to review the permissions of {who} "
            "(create subjectaccessreviews.authorization.k8s.io)",
            "run it as an administrator or in the operator's Pod; for your own permissions add: --service-account self",
        )
    if not denied:
        return ok(f"all {len(questions)} that the operator needs are granted to {who}")
    return failed(f"{who} lacks {len(denied)} of {len(questions)}: {in_words(denied)}", _remedy(denied, account))


async def _is_allowed(context: ClusterContext, question: Question, account: tuple[str, str] | None) -> bool:
    path, body = build_review(question, account)
    answer = await context.session.review(path, body)
    return (answer.get("status") or {}).get("allowed") is True


def in_words(denied: list[Question]) -> str:
    """Permissions, grouped by resource. Pure."""
    verbs: dict[str, list[str]] = {}
    for question in denied:
        verbs.setdefault(question.thing, []).append(question.verb)
    parts = [f"{', '.join(of)} {thing}" for thing, of in verbs.items()]
    more = len(parts) - _SHOWN
    return "; ".join(parts[:_SHOWN]) + (f"; and on {more} more" if more > 0 else "")


def _remedy(denied: list[Question], account: tuple[str, str] | None) -> str:
    asked = f" --as {to_user(*account)}" if account is not None else ""
    scope = "" if denied[0].namespace else " -A"
    return f"{remedies.apply_permissions()}   then: kubectl auth can-i {denied[0]}{scope}{asked}"


# Two machines' clocks are compared here, and the holder renews every two seconds.
_SLACK = timedelta(seconds=30)
# The symptom of a NetworkPolicy without the API server's port.
_BLOCKED = (
    'where they log "the Lease could not be written", a NetworkPolicy blocks the API server; its port is shown by '
    "kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes: "
    "allow it (chart: networkPolicy.apiServerPorts)"
)


async def check_lease(context: ClusterContext) -> Finding:
    """One GET of the Lease in the operator's namespace."""
    namespace = context.session.place.operator_namespace
    try:
        lease = await context.session.cluster.get(paths.lease(namespace, LEASE_NAME))
    except ObjectGone:
        return warning(
            f"there is no Lease {namespace}/{LEASE_NAME}: no operator has run with leader election here yet",
            f"{remedies.list_pods(namespace)}; check --operator-namespace; {_BLOCKED}",
        )
    return judge_lease(lease, namespace, context.session.clock.now())


def judge_lease(lease: Mapping[str, Any], namespace: str, now: datetime) -> Finding:
    """The finding for a Lease. Pure."""
    spec = lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    look = f"{remedies.list_pods(namespace)}; {remedies.show_log(namespace)}; {_BLOCKED}"
    if not renewed:
        return failed(f"the Lease {namespace}/{LEASE_NAME} was never renewed", look)
    age = now - datetime.fromisoformat(renewed)
    if not holder:
        return failed(f"it has no holder: the last operator stopped or could not continue, {_ago(age)}", look)
    lasts = timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
    if age > lasts + _SLACK:
        return failed(f"held by {holder}, last renewed {_ago(age)}: the operator is down", look)
    return ok(f"held by {holder}, renewed {_ago(age)}")


def _ago(age: timedelta) -> str:
    seconds = round(age.total_seconds())
    return f"{to_age(seconds)} ago" if seconds >= 0 else f"{-seconds} s in the future, by this machine's clock"


async def check_namespaces(context: ClusterContext) -> Finding:
    """Two LISTs."""
    cluster = context.session.cluster
    try:
        used = Counter(await cluster.list_as(paths.NODE_POOLS, lambda body: str(body["metadata"]["namespace"])))
    except ObjectGone:
        return not_checked("because the API server does not serve the kind ModelArtsNodePool")
    existing = await cluster.list_as(paths.NAMESPACES, lambda body: str(body["metadata"]["name"]))
    gone = sorted(set(used) - set(existing))
    if not gone:
        return ok(f"all namespaces with node pool objects exist (objects: {used.total()}, namespaces: {len(used)})")
    words = ", ".join(f"{name} ({used[name]})" for name in gone)
    return failed(
        f"these do not exist, but node pool objects remain in them, and every write to those fails: {words}",
        remedies.create_namespace(gone[0]),
    )
