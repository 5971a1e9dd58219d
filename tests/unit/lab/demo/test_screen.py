import io

from rich.console import Console

from lab.demo.recording import make_recording_console
from lab.demo.screen import WIDTH, Screen

LONG = "#" * (WIDTH + 60)


def tell_everything(screen: Screen) -> None:
    screen.title("title")
    screen.step("first step")
    screen.say("some words")
    screen.command("kubectl", "get", "manp")
    screen.output(f"verbatim [bold]text[/bold] :smile:\n{LONG}\n")
    screen.cloud("PATCH /_simulator/state", '{"a":1}')
    screen.message("held; then: kubectl annotate manp a")
    screen.columns(("NAME", "COUNT"), [("a", "1")])
    screen.verified("a fact")
    screen.note("a note")
    screen.failed("it failed\nlog line")


def test_away_from_a_terminal_there_is_plain_text_only() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=WIDTH, highlight=False), is_live=False)
    with screen.waiting("waiting for something"):
        tell_everything(screen)
    assert "\x1b" not in out.getvalue()
    assert "waiting for something" not in out.getvalue()
    assert all(line == line.rstrip() for line in out.getvalue().splitlines())


def test_a_console_without_unicode_gets_signs_that_it_has() -> None:
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="ascii")
    tell_everything(Screen(Console(file=out, width=WIDTH), is_live=False))
    out.flush()
    assert b"  + a fact\n" in written.getvalue()


def test_output_is_verbatim_and_never_cut() -> None:
    out = io.StringIO()
    tell_everything(Screen(Console(file=out, width=WIDTH, highlight=False), is_live=False))
    assert "  verbatim [bold]text[/bold] :smile:\n" in out.getvalue()
    assert f"  {LONG}\n" in out.getvalue()


def test_a_recording_has_every_line_and_none_that_leaves_the_picture() -> None:
    recording = make_recording_console()
    tell_everything(Screen(Console(file=io.StringIO(), width=40), recording, is_live=False))
    text = recording.export_text()
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert text.count("#") == len(LONG)
    for word in ("title", "first step", "some words", "$ kubectl get manp", "✓ a fact", "✗ it failed", "log line"):
        assert word in text


def test_what_is_for_the_person_alone_is_not_recorded() -> None:
    out, recording = io.StringIO(), make_recording_console()
    Screen(Console(file=out), recording, is_live=False).tell("still waiting")
    assert "still waiting" in out.getvalue()
    assert "still waiting" not in recording.export_text()


def test_steps_are_numbered_and_the_current_one_is_known() -> None:
    screen = Screen(Console(file=io.StringIO()), is_live=False)
    screen.step("one")
    screen.step("two")
    assert screen.part == "2  two"


def test_a_gap_stands_between_what_was_verified_and_the_next_command() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=WIDTH), is_live=False)
    screen.verified("a fact")
    screen.verified("another")
    screen.command("kubectl", "get")
    screen.command("kubectl", "wait")
    assert out.getvalue() == "  ✓ a fact\n  ✓ another\n\n  $ kubectl get\n  $ kubectl wait\n"
