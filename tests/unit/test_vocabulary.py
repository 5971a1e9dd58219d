"""Code, docs and shipped texts use plain English and the field's words."""

from pathlib import Path

import pytest

from tests.support.vocabulary import offenders

ROOT = Path(__file__).parents[2]
GENERATED = ("docs/spec/", "deploy/helm/modelarts-nodepool-operator/files/")
TEXTS = {".json", ".lua", ".md", ".tpl", ".txt", ".yaml"}


def test_code_docs_and_shipped_texts_have_no_private_vocabulary() -> None:
    candidates = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*"), *ROOT.glob("deploy/**/*")]
    named = {path: str(path.relative_to(ROOT)) for path in candidates if path.suffix in TEXTS}
    texts = sorted(path for path, name in named.items() if not name.startswith(GENERATED))
    code = sorted((ROOT / "operator" / "modelarts_nodepool").rglob("*.py"))
    assert len(texts) > 100
    assert len(code) > 80
    found = offenders([*code, *texts], ROOT)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "text", "places"),
    [
        ("page.md", "# Title\nWhoever reads: a twin", ["page.md:2", "page.md:2"]),
        ("page.md", "```console\n$ kubectl\nnobody holds it\n```\n\nthe sweep", ["page.md:6"]),
        ("page.md", "<!-- figures: a -->\nmirrored\n<!-- end of figures -->\nmirrored", ["page.md:4"]),
        ("page.md", "no thundering herd, sweep_repairs_total, a container engine, one that, row 1", []),
        (
            "code.py",
            "a_twin = nobody\nMisfits  # told; Row 13a; one that; rowing latest",
            [1, 1, 2, 2, 2, 2],
        ),
    ],
)
def test_a_private_word_is_found_with_its_place(tmp_path: Path, file: str, text: str, places: list[object]) -> None:
    page = tmp_path / file
    page.write_text(text)
    found = [found.partition(": ")[0] for found in offenders([page], tmp_path)]
    assert found == [place if isinstance(place, str) else f"{file}:{place}" for place in places]
