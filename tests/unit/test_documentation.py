"""The docs keep up with the code: every reason has its heading, every link leads somewhere."""

import re
from functools import cache
from pathlib import Path

from modelarts_nodepool.api.reasons import Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])
FENCED = re.DOTALL | re.MULTILINE
HEADINGS = re.findall(r"^## (\w+)$", (ROOT / "docs/operations/troubleshooting.md").read_text(), re.MULTILINE)


def test_every_reason_is_a_heading_of_the_troubleshooting_page() -> None:
    assert {reason: HEADINGS.count(reason) for reason in Reason if HEADINGS.count(reason.value) != 1} == {}


def test_every_relative_link_leads_to_a_file() -> None:
    missing = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", re.sub(r"`[^`]*`", "", page.read_text()))
        if not (page.parent / link).exists()
    ]
    assert missing == []


@cache
def anchors(page: Path) -> set[str]:
    """The names that a page's headings can be linked by: in lower case, punctuation left out, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=FENCED), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_every_link_into_a_page_leads_to_a_heading() -> None:
    missing = [
        f"{page.relative_to(ROOT)}: {link}#{anchor}"
        for page in PAGES
        for link, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", page.read_text())
        if anchor not in anchors((page.parent / link).resolve() if link else page)
    ]
    assert missing == []


def test_the_readme_leads_to_every_page_for_readers() -> None:
    text = (ROOT / "README.md").read_text()
    pages = [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/operations/*.md"), *ROOT.glob("docs/spec/*.md")]
    assert [page for page in pages if f"]({page.relative_to(ROOT)}" not in text] == []


def test_the_list_of_decisions_is_complete() -> None:
    text = (ROOT / "docs/decisions/README.md").read_text()
    assert [page.name for page in ROOT.glob("docs/decisions/0*.md") if f"({page.name})" not in text] == []


def test_the_drawing_of_the_architecture_has_every_room() -> None:
    package = ROOT / "operator/modelarts_nodepool"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    rooms |= {f"lab/{path.parent.name}" for path in ROOT.glob("lab/*/__init__.py")}
    text = (ROOT / "docs/architecture.md").read_text()
    assert {room for room in rooms if room not in text} == set()


def test_every_file_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", (ROOT / "docs/architecture.md").read_text())
    folders = (ROOT / "operator/modelarts_nodepool", ROOT)
    assert named
    assert [module for module in named if not any((folder / module).exists() for folder in folders)] == []
