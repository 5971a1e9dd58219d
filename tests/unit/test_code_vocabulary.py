"""The operator's code and messages use the field's words and plain English: no private vocabulary, no riddles."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "modelarts_nodepool"
# Folders and files of the package that may still contain such words. Only ever remove entries.
ALLOWED = frozenset(yaml.safe_load((ROOT / "tests" / "data" / "vocabulary_allowed.yaml").read_text()))

# Instead: a person, the term itself, a plain clause, the reason of a row, duplicate, unreadable, probe.
WORDS = (
    r"whoever",
    r"nobody",
    r"lest",
    r"amiss",
    r"meanwhile",
    r"of it",
    r"one that",
    r"as if",
    r"told",
    r"tells? of",
    r"knock(?:s|ing)?",
    r"rows? [0-9]+[ab]?",
    r"(?:let|lets|letting) (?:it|the object|an object) go",
    r"stands? for (?:the|this|one|a) (?:same )?node pool",
    r"tried again by itself",
    r"goes on by itself",
    r"twins?",
    r"misfits?",
    r"homeless",
)
# `_` is part of a word for `\b`, but not for a reader: unreadable_twin is a twin.
PATTERN = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(WORDS)})(?![A-Za-z])", re.IGNORECASE)


def offenders_in(module: Path) -> list[str]:
    return [
        f"{module.relative_to(ROOT)}:{number}: {match[0]}"
        for number, line in enumerate(module.read_text().splitlines(), start=1)
        for match in PATTERN.finditer(line)
    ]


def is_allowed(module: Path) -> bool:
    place = module.relative_to(PACKAGE)
    return not ALLOWED.isdisjoint({str(place), *map(str, place.parents)})


def test_the_code_has_no_private_vocabulary() -> None:
    modules = [module for module in sorted(PACKAGE.rglob("*.py")) if not is_allowed(module)]
    assert [found for module in modules for found in offenders_in(module)] == []


def test_only_existing_places_are_allowed() -> None:
    assert [place for place in sorted(ALLOWED) if not (PACKAGE / place).exists()] == []


def test_the_pattern_finds_words_in_names_and_sentences() -> None:
    found = PATTERN.findall("Row 13a of it: unreadable_twin, nobody, Misfits, told; a rowing latest one")
    assert found == ["Row 13a", "of it", "twin", "nobody", "Misfits", "told"]
