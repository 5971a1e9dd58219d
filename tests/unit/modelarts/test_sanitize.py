import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.modelarts.transport import sanitize


@given(st.text(max_size=300), st.integers(min_value=10, max_value=100))
def test_words_are_one_printable_line_of_limited_length(text: str, limit: int) -> None:
    words = sanitize(text, limit)
    assert len(words) <= limit
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in words)
    words.encode()


def test_direction_overrides_and_colours_of_a_terminal_are_removed() -> None:
    assert sanitize("a\u202eb\x1b[31mc\r\nd\x00") == "ab[31mc d"


def test_what_shows_as_nothing_is_removed() -> None:
    assert sanitize("a\u200bb\u200dc\ufeffd\u2060e\u3164f\u2800g\u034fh") == "abcdefgh"


@given(st.text("ABCDEF0123456789", min_size=8, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_secret_never_shows_even_where_the_text_is_cut(secret: str, before: str, after: str) -> None:
    for limit in (12, 20, 500):
        assert secret not in sanitize(f"{before}{secret}{after}", limit, [secret])


def test_secret_split_by_control_characters_is_found() -> None:
    assert sanitize("x SEC\x00RET y", hidden=["SECRET"]) == "x [hidden] y"
