"""Models become structural schemas, or an error where they cannot."""

from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import Field

from modelarts_nodepool.api.crd import to_structural
from modelarts_nodepool.api.meta import Duration, Timestamp, WireModel


class Part(WireModel):
    """What the class says."""

    at: Timestamp | None = None


class Whole(WireModel):
    """A model with one of everything."""

    first_part: Annotated[Part, Field(description="What the field says.")] = Part()
    maybe: Annotated[Part | None, Field(description="Perhaps.")] = None
    parts: tuple[Part, ...]
    labels: dict[str, str] = Field(default_factory=dict)
    yes: Literal[True] | None = None
    every: Duration = timedelta(seconds=90)


SCHEMA = to_structural(Whole)
FIELDS = SCHEMA["properties"]


def test_a_reference_is_replaced_and_the_field_has_the_last_word() -> None:
    assert FIELDS["firstPart"]["description"] == "What the field says."
    assert FIELDS["firstPart"]["type"] == "object"
    assert FIELDS["parts"]["items"]["description"] == "What the class says."


def test_an_optional_field_is_one_that_may_be_left_out() -> None:
    assert SCHEMA["required"] == ["parts"]
    assert FIELDS["maybe"]["type"] == "object"
    assert FIELDS["maybe"]["properties"]["at"] == {"type": "string", "format": "date-time"}


def test_a_constant_is_an_enumeration_of_one() -> None:
    assert FIELDS["yes"] == {"type": "boolean", "enum": [True]}


def test_a_map_keeps_the_type_of_its_values() -> None:
    assert FIELDS["labels"] == {"type": "object", "additionalProperties": {"type": "string"}}


def test_a_default_duration_is_written_as_people_write_it() -> None:
    assert FIELDS["every"]["default"] == "1m30s"


def test_defaults_can_be_left_out() -> None:
    assert "default" not in to_structural(Whole, keep_defaults=False)["properties"]["every"]


def test_what_has_no_single_type_is_an_error() -> None:
    class Either(WireModel):
        value: int | str

    with pytest.raises(TypeError, match="no single type"):
        to_structural(Either)
