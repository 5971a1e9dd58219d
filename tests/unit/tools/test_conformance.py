"""No conformance case is without its tests, and none names a test that is missing."""

from tools.conformance import CASES, ROOT, function_names, named_tests, shown_for


def test_the_cases_are_numbered_without_a_gap() -> None:
    assert list(CASES) == list(range(1, len(CASES) + 1))
    assert {number for number, _, _ in named_tests()} <= set(CASES)


def test_every_case_is_shown_where_it_has_to_be() -> None:
    missing = {number: set(case.shown_by) - set(shown_for(number)) for number, case in CASES.items()}
    assert {number: sides for number, sides in missing.items() if sides} == {}
    ours = {"client", "operator"}
    assert [number for number, case in CASES.items() if not (case.why_not or ours & set(case.shown_by))] == []


def test_every_test_that_is_named_elsewhere_exists() -> None:
    named = [test.partition("::") for case in CASES.values() for test in case.elsewhere]
    assert [(path, name) for path, _, name in named if name not in function_names(ROOT / path)] == []
