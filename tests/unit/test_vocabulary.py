"""Docs and shipped texts use plain English and the field's words."""

from pathlib import Path

import pytest

from tests.support.vocabulary import offenders

ROOT = Path(__file__).parents[2]
GENERATED = ("docs/spec/", "deploy/helm/modelarts-nodepool-operator/files/")
TEXTS = {".json", ".lua", ".md", ".tpl", ".txt", ".yaml"}


def test_docs_and_shipped_texts_have_no_private_vocabulary() -> None:
    candidates = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*"), *ROOT.glob("deploy/**/*")]
    named = {path: str(path.relative_to(ROOT)) for path in candidates if path.suffix in TEXTS}
    read = sorted(path for path, name in named.items() if not name.startswith(GENERATED))
    assert len(read) > 100
    found = offenders(read, ROOT)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("# Title\nWhoever reads: a twin", ["page.md:2", "page.md:2"]),
        ("```console\n$ kubectl\nnobody holds it\n```\n\nthe sweep", ["page.md:6"]),
        ("<!-- figures: a -->\nmirrored\n<!-- end of figures -->\nmirrored", ["page.md:4"]),
        ("no thundering herd, sweep_repairs_total, a container engine", []),
    ],
)
def test_a_private_word_is_found_with_its_place(tmp_path: Path, text: str, places: list[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert [found.partition(": ")[0] for found in offenders([page], tmp_path)] == places
