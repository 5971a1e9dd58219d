"""A list that is split into items says what the whole document says, or nothing."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelarts_nodepool.modelarts.parse import split_items
from modelarts_nodepool.modelarts.transport import parse_json
from tests.support.bodies import BODIES

# What a list may be made of, in any order, often enough to be good JSON now and then.
SHREDS = st.sampled_from(
    [
        *('{"items":[', '{"items": [', '"items":[', '"items"', ":", "[", "]", "{", "}", ",", " ", "\ufeff", "é"),
        *('{"a":1}', '"b":{', "1", '"\\"items\\":["', '"kind":"NodePoolList"', '{"a":1,"a":2}', "null", "NaN"),
    ]
)
TWISTED = [
    pytest.param('{"metadata": {"items": [{"a": 1}]}, "items": [{"a": 2}]}', id="items of something else first"),
    pytest.param('{"metadata": {"items": [{"a": 1}]}, "items": []}', id="and none of its own"),
    pytest.param('{"metadata": {"items": [{"a": 1}]}}', id="and no items"),
    pytest.param('{"items": [{"a": 1}], "items": []}', id="twice"),
    pytest.param('{"items": [], "items": [{"a": 1}]}', id="twice, empty first"),
    pytest.param('{"items": [{"a": 1, "a": 2}]}', id="a key twice in an item"),
    pytest.param('{"kind": "A", "kind": "B", "items": []}', id="a key twice outside"),
    pytest.param('{"items": [{"a": 1},]}', id="a comma too many"),
    pytest.param('{"items": [{"a": 1}', id="broken off"),
    pytest.param('{"items": [{"a": 1}]} x', id="something behind"),
    pytest.param('[{"items": [{"a": 1}]}]', id="in a list"),
    pytest.param('{"items": [{"a": 1}, 2]}', id="no object"),
    pytest.param('{"items": [{"a": 01}]}', id="no number"),
    pytest.param('{"items" : [{"a":' + "[" * 100_000, id="deep"),
]


def check(body: bytes) -> bool:
    """Whether the body can be split. If so, the parts must say what the whole says."""
    split = split_items(body, frozenset())
    if split is not None:
        assert split.envelope["items"] == []
        whole = split.envelope | {"items": [item for _, item in split.items]}
        # Compared as text: NaN is not equal to itself.
        assert json.dumps(parse_json(body)) == json.dumps(whole)
    return split is not None


@given(BODIES | st.lists(SHREDS, max_size=12).map(lambda shreds: "".join(shreds).encode()))
@example(b'{"items": [NaN]}')
@settings(max_examples=200, deadline=None)
def test_pieces_make_up_the_whole(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("text", TWISTED)
def test_what_is_not_simple_is_left_to_whoever_reads_it_as_a_whole(text: str) -> None:
    assert not check(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"items":[]}',
        '{"kind": "A", "items" :\n[ {"a": {"items": []}} ,\t{"a": "ü\\ud800"} ] , "metadata": {} }',
        '{"note": "\\"items\\":[", "items": [{"a": 2}]}',
    ],
)
def test_a_list_is_cut(text: str) -> None:
    assert check(text.encode())


def test_what_is_known_is_not_parsed_again() -> None:
    def body(*items: str) -> bytes:
        return f'{{"items": [{", ".join(items)}]}}'.encode()

    first = split_items(body('{"a": 1}', '{"a": 2}'), frozenset())
    assert first is not None
    known = {digest for digest, _ in first.items}
    second = split_items(body('{"a": 2}', '{"a": 3}', '{"a":  1}'), known)
    assert second is not None
    assert [item for _, item in second.items] == [None, {"a": 3}, {"a": 1}]
    assert second.items[0][0] == first.items[1][0]
