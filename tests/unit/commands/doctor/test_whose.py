"""Whose permissions are checked."""

import pytest

from modelarts_nodepool.commands.doctor.command import whose_permissions


@pytest.mark.parametrize(
    ("given", "is_in_pod", "whose"),
    [
        (None, False, ("op", "modelarts-nodepool-operator")),
        (None, True, None),
        ("self", False, None),
        (("ns", "name"), False, ("ns", "name")),
        (("ns", "name"), True, ("ns", "name")),
    ],
)
def test_it_is_the_operators_unless_somebody_says_otherwise(
    given: str | tuple[str, str] | None, whose: tuple[str, str] | None, *, is_in_pod: bool
) -> None:
    assert whose_permissions(given, "op", is_in_pod=is_in_pod) == whose
