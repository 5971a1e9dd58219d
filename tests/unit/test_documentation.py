"""The docs keep up with the code: every reason has its heading, every link leads somewhere."""

import re
from pathlib import Path

import pytest

from modelarts_nodepool.resource.reasons import Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])
HEADINGS = re.findall(r"^## (\w+)$", (ROOT / "docs/operations/troubleshooting.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_heading_of_the_troubleshooting_page(reason: Reason) -> None:
    assert HEADINGS.count(reason.value) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    prose = re.sub(r"`[^`]*`", "", page.read_text())
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", prose)
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("module", re.findall(r"`((?:\w+/)+\w+\.py)`", (ROOT / "docs/architecture.md").read_text()))
def test_every_file_that_the_architecture_names_exists(module: str) -> None:
    assert (ROOT / "operator/modelarts_nodepool" / module).exists()
