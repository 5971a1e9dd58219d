"""What the operator may do in the cluster: one access review for each permission of kube/rbac.py."""

from modelarts_nodepool.commands.doctor.check import Finding, failed, ok, warning
from modelarts_nodepool.commands.doctor.context import ClusterScene
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError
from modelarts_nodepool.kube.rbac import Question, build_review, to_questions, to_user

_SHOWN = 4
_FORBIDDEN = 403


async def check_permissions(scene: ClusterScene) -> Finding:
    """Asks about the ServiceAccount of the scene; about the caller where that is it, or nobody was named."""
    account = scene.service_account
    if account is not None and to_user(*account) == scene.caller:
        # It may always ask about itself, and never about others.
        account = None
    who = to_user(*account) if account is not None else (scene.caller or "the caller")
    questions = to_questions(scene.session.place.operator_namespace)
    try:
        denied = [question for question in questions if not await _is_allowed(scene, question, account)]
    except ClusterError as error:
        if error.status != _FORBIDDEN or account is None:
            raise
        return warning(
            f"not known: {scene.caller or 'the caller'} may not ask what {who} may do "
            "(create subjectaccessreviews.authorization.k8s.io)",
            "run it as an administrator or in the operator's Pod; for your own permissions add: --service-account self",
        )
    if not denied:
        return ok(f"all {len(questions)} that the operator needs are granted to {who}")
    return failed(f"{who} lacks {len(denied)} of {len(questions)}: {in_words(denied)}", _remedy(denied, account))


async def _is_allowed(scene: ClusterScene, question: Question, account: tuple[str, str] | None) -> bool:
    path, body = build_review(question, account)
    answer = await scene.session.review(path, body)
    return (answer.get("status") or {}).get("allowed") is True


def in_words(denied: list[Question]) -> str:
    """Permissions, those on the same thing together. Pure."""
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
