"""A name that could change a URL never passes, in the operator and in the schema alike."""

import re
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from modelarts_nodepool.resource.names import NAME_PATTERN, is_valid_name
from modelarts_nodepool.resource.node_pool import NodePoolSpec

DANGEROUS = [
    "",
    ".",
    "..",
    "a/b",
    "a\\b",
    "../pools",
    "%2e",
    "%2e%2e",
    "a%2fb",
    "a?b",
    "a#b",
    "a;b",
    "a:b",
    "a@b",
    "a b",
    "a\n",
    "\na",
    "a\r",
    "a\t",
    "a\x00",
    "A",
    "aB",
    "1a",
    "-a",
    "a-",
    "a_b",
    "a.b",
    "é",
    "ａ",  # noqa: RUF001 - a full-width letter is the point
    "a" * 64,
]

# Close to the pattern on purpose: `$` lets a trailing line feed pass in Python's re, and hypothesis knows it.
nearly_names = st.one_of(
    st.from_regex(NAME_PATTERN), st.text(alphabet="ab1-./%?#\\\n A", max_size=66), st.text(max_size=70)
)


@pytest.mark.parametrize("name", DANGEROUS, ids=repr)
def test_a_name_that_would_change_a_url_is_refused(name: str) -> None:
    assert not is_valid_name(name)


@pytest.mark.parametrize("name", ["a", "a1", "pool-3f2c", "a--b", "nodepool-1-default", "a" * 63])
def test_names_that_modelarts_gives_are_accepted(name: str) -> None:
    assert is_valid_name(name)


@given(nearly_names)
@example("a\n")
@example("..")
def test_an_accepted_name_is_one_segment_of_the_url_and_stays_what_it_is(name: str) -> None:
    if not is_valid_name(name):
        return
    path = f"/v2/p/pools/{name}/nodepools/{name}"
    assert quote(name, safe="") == name
    assert urlsplit(f"https://cloud.example{path}").path == path
    assert httpx.URL(f"https://cloud.example{path}").raw_path == path.encode()


@given(nearly_names)
@example("a\n")
def test_the_model_and_the_last_check_agree(name: str) -> None:
    try:
        NodePoolSpec.model_validate({"poolName": name})
        passed = True
    except ValidationError:
        passed = False
    assert passed == is_valid_name(name)


def test_the_pattern_holds_from_the_first_to_the_last_character() -> None:
    assert NAME_PATTERN.startswith("^")
    assert NAME_PATTERN.endswith("$")
    assert "|" not in re.sub(r"\(.*?\)", "", NAME_PATTERN)
