"""The API server: whether it is there, which version it is, and who we are to it."""

import re

from modelarts_nodepool.commands.doctor.check import Finding, failed, ok
from modelarts_nodepool.commands.doctor.context import ClusterScene
from modelarts_nodepool.errors import ClusterError

_IDENTITY = "authentication.k8s.io/v1"
# docs/install.md: the admission policies and the rules in the CRDs.
OLDEST = (1, 30)
# The feature gate CustomResourceFieldSelectors is on since then; before, the API server drops selectableFields:
# https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
SELECTABLE = (1, 31)


async def check_api_server(scene: ClusterScene) -> Finding:
    """One GET of /version, and the question who is asking."""
    session = scene.session
    version = str((await session.cluster.get("/version")).get("gitVersion"))
    scene.offers_selectable_fields = _number(version) >= SELECTABLE
    scene.caller = await _who_am_i(scene)
    return judge(version, f"{version} at {session.server}{f', asked as {scene.caller}' if scene.caller else ''}")


def judge(version: str, words: str) -> Finding:
    """What is to be said of a version. Pure."""
    number = _number(version)
    if number < OLDEST:
        return failed(
            f"{words}; the operator needs v{OLDEST[0]}.{OLDEST[1]} or newer",
            "upgrade the cluster: docs/install.md says what is needed",
        )
    if number < SELECTABLE:
        # Nothing has to be mended: the operator itself does not use them.
        return ok(f"{words}; field selectors for node pools are not offered by this version, but since v1.31")
    return ok(words)


async def _who_am_i(scene: ClusterScene) -> str:
    body = {"apiVersion": _IDENTITY, "kind": "SelfSubjectReview"}
    try:
        answer = await scene.session.review(f"/apis/{_IDENTITY}/selfsubjectreviews", body)
    except ClusterError:
        # Older API servers do not know it. It is only for the words.
        return ""
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")


def _number(version: str) -> tuple[int, int]:
    found = re.match(r"v(\d+)\.(\d+)", version)
    # What cannot be read is taken for new: some vendors have versions of their own.
    return (int(found[1]), int(found[2])) if found else SELECTABLE
