"""Every reason that can hold a deletion has its way out on the pages, and the page about GitOps names real files."""

import re

import pytest

from modelarts_nodepool.api.reasons import CONFIRMABLE, OVERRIDABLE, Reason
from modelarts_nodepool.decide.deletion.decision import Hold
from tests.support.crds import REPOSITORY
from tests.unit.decide.deletion_rows import TABLE

PAGES = REPOSITORY / "docs" / "operations"
PAGE = (PAGES / "gitops.md").read_text()
HELD = {reason for _, decision, reason, _ in TABLE.values() if decision is Hold and reason is not None}


def way_out() -> dict[str, tuple[str, str]]:
    """What lifts a hold, and what to commit, by reason."""
    page = (PAGES / "troubleshooting.md").read_text()
    (section,) = re.findall(r"^## What lifts a hold\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    return {reason: (lifted_by, commit) for reasons, lifted_by, commit in rows for reason in reasons.split(", ")}


def test_every_hold_has_a_way_out_also_through_git_alone() -> None:
    assert len(HELD) >= 10
    others = {Reason.DELETION_STUCK, Reason.REFUSED_BY_API_SERVER, Reason.RELEASE_REFUSED}
    missing = (HELD | OVERRIDABLE | CONFIRMABLE | others) - way_out().keys()
    assert not missing, missing


def test_what_can_be_confirmed_or_overridden_is_so_on_the_page() -> None:
    rows = way_out()
    assert all("confirm-delete" in text for reason in CONFIRMABLE for text in rows[reason])
    assert all("override" in text for reason in OVERRIDABLE for text in rows[reason])


def test_every_path_of_the_page_is_there() -> None:
    paths = re.findall(r"`((?:deploy|docs|crds)/[\w./-]*|options/[\w.-]+|clusters/[\w./-]+)`", PAGE)
    assert paths
    for path in paths:
        roots = (REPOSITORY, REPOSITORY / "deploy" / "flux", REPOSITORY / "deploy" / "argocd")
        assert any((root / path).exists() for root in roots), path


@pytest.mark.parametrize(
    "facts",
    [
        ("kustomize-controller before 1.9 (Flux before 2.9)", "never prunes it again", "confirm first there"),
        ("pre-delete-finalizer.argocd.argoproj.io", "uninstall-check", "delete the failed Job"),
    ],
    ids=["a refused prune that old versions forget", "the uninstall check as a finalizer of an Application"],
)
def test_what_a_tool_does_by_itself_is_on_the_page_with_what_to_do(facts: tuple[str, ...]) -> None:
    (line,) = [line for line in PAGE.splitlines() if facts[0] in line]
    assert all(fact in line for fact in facts), line
