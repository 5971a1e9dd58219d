"""Every command of the docs is run from its page, or stands in one file with the reason why not."""

import re

from tests.support.crds import REPOSITORY
from tests.support.pages import Command, all_commands, commands_in, how_to_run, is_about, what_is_said
from tests.support.situations import SITUATIONS

NOT_RUN = what_is_said()["not_run"]
ENTRIES = [*NOT_RUN, *what_is_said()["run"]]


def about(entry: dict[str, str]) -> list[Command]:
    return [command for command in all_commands() if is_about(entry, command)]


def test_a_command_ends_where_a_shell_would_not_wait_for_more() -> None:
    text = "```console\n$ a \\\n    --b   # it's\nsaid\n$ c '{\n}'\n$ d\n```\n"
    assert [(command.text, command.shown) for command in commands_in(text, "page")] == [
        ("a \\\n    --b   # it's", ("said",)),
        ("c '{\n}'", ()),
        ("d", ()),
    ]


def test_the_pages_have_commands_and_most_kinds_of_them_are_run() -> None:
    run = {command.text.split()[0] for command in all_commands() if how_to_run(command)}
    assert run == {"kubectl", "helm", "modelarts-nodepool"}


def test_every_page_whose_commands_are_run_has_a_situation() -> None:
    pages = {command.page for command in all_commands() if how_to_run(command)}
    assert pages == SITUATIONS.keys()


def test_every_entry_is_about_a_command_that_there_is() -> None:
    assert ENTRIES
    assert [entry for entry in ENTRIES if not about(entry)] == []


def test_every_reason_not_to_run_a_command_names_tests_that_exist() -> None:
    assert [entry for entry in NOT_RUN if not entry["why"]] == []
    named = [(entry, path.rstrip(".")) for entry in NOT_RUN for path in re.findall(r"tests/[\w./]+", entry["why"])]
    assert [(entry, path) for entry, path in named if not (REPOSITORY / path).exists()] == []


def test_what_is_the_same_as_on_another_page_stands_there() -> None:
    missing = []
    for entry in (entry for entry in NOT_RUN if "same_as" in entry):
        elsewhere = {plain(command) for command in all_commands() if command.page == entry["same_as"]}
        missing += [(entry, command.text) for command in about(entry) if plain(command) not in elsewhere]
    assert missing == []


def plain(command: Command) -> str:
    """Without what explains it."""
    return re.sub(r"\s+# .*", "", command.text)
