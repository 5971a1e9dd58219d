import shlex

import pytest

from lab.demo.screen import align, fold_command, fold_prose, split_message

WORDS = ["kubectl", "get", "manp", "-o", shlex.quote('jsonpath={"  "}{.a}'), "--timeout=60s"]


@pytest.mark.parametrize("width", [20, 30, 40, 200])
def test_a_folded_command_is_the_same_command_to_a_shell(width: int) -> None:
    folded = "\n".join(fold_command(WORDS, width, "    "))
    to_a_shell = folded.replace("\\\n", "")
    assert "\n" not in to_a_shell
    assert shlex.split(to_a_shell) == shlex.split(" ".join(WORDS))


def test_no_line_of_a_folded_command_is_too_long_unless_one_word_is() -> None:
    assert all(len(line) <= 30 for line in fold_command(WORDS, 30, "  "))


def test_a_short_command_stays_on_its_line() -> None:
    assert fold_command(["kubectl", "get", "manp"], 80, "  ") == ["kubectl get manp"]


def test_prose_is_folded_between_words() -> None:
    assert fold_prose("a node-pool that is long", 12) == ["a node-pool", "that is long"]


def test_a_message_is_split_into_clauses_with_the_commands_apart() -> None:
    message = "it is held; unsubscribe it, then: kubectl annotate manp a x=1; or let it go: kubectl patch manp a"
    parts = split_message(message)
    assert "".join(parts) == message
    assert [part.strip() for part in parts] == [
        "it is held;",
        "unsubscribe it, then:",
        "kubectl annotate manp a x=1;",
        "or let it go:",
        "kubectl patch manp a",
    ]


def test_rows_are_aligned_and_end_without_spaces() -> None:
    assert align([("NAME", "COUNT"), ("long-name", "1"), ("b", "")]) == ["NAME        COUNT", "long-name   1", "b"]
