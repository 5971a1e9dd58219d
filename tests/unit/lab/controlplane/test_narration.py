import io
import threading

from rich.console import Console

from lab.controlplane.narration import ConsoleNarrator, Step, clock


def test_away_from_a_terminal_progress_comes_as_plain_lines() -> None:
    out = io.StringIO()
    narrator = ConsoleNarrator(Console(file=out, force_terminal=False, width=40), plain_interval_seconds=0.01)
    with narrator.step("Compiling everything there is, with a long title") as step:
        step.total, step.done, step.detail = 4, 1, "1 of 4 packages"
        while "25%" not in out.getvalue():
            threading.Event().wait(0.01)
    first, *later = out.getvalue().splitlines()
    assert first == "Compiling everything there is, with a long title …"
    # A line may have come before there was anything to count.
    second = next(line for line in later if "25%" in line)
    assert second.startswith("Compiling everything there is, with a long title: 25%, 1 of 4 packages (")


def test_on_a_terminal_nothing_of_a_step_remains() -> None:
    out = io.StringIO()
    narrator = ConsoleNarrator(Console(file=out, force_terminal=True, width=80))
    with narrator.step("Compiling") as step:
        step.total = 4
    assert "Compiling" in out.getvalue()
    assert out.getvalue().rstrip().endswith("\x1b[2K")


def test_text_is_told_as_it_is() -> None:
    out = io.StringIO()
    ConsoleNarrator(Console(file=out, width=20)).say("a path [/etc/x] that is longer than the line")
    assert out.getvalue() == "a path [/etc/x] that is longer than the line\n"


def test_times_read_as_people_write_them() -> None:
    assert [clock(7.9), clock(61), clock(600)] == ["7s", "1m01s", "10m00s"]


def test_a_step_without_a_total_shows_no_percentage() -> None:
    assert "%" not in Step("Waiting").plain()
