"""No conformance case is without its tests, and the page that lists them is true."""

import pytest

from tests.support.conformance import CASES, PAGE, ROOT, function_names, named_tests, page, shown_for


def test_the_cases_are_numbered_without_a_gap() -> None:
    assert list(CASES) == list(range(1, len(CASES) + 1))
    assert {number for number, _, _ in named_tests()} <= set(CASES)


@pytest.mark.parametrize("number", CASES)
def test_every_case_is_shown_where_it_has_to_be(number: int) -> None:
    case = CASES[number]
    assert set(case.shown_by) <= set(shown_for(number))
    assert case.why_not or {"client", "operator"} & set(case.shown_by)


def test_every_test_that_is_named_elsewhere_exists() -> None:
    named = [test.partition("::") for case in CASES.values() for test in case.elsewhere]
    assert [(path, name) for path, _, name in named if name not in function_names(ROOT / path)] == []


def test_the_page_is_what_make_generate_writes() -> None:
    assert PAGE.read_text() == page()
