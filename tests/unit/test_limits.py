"""No test gives up by a limit of its own that a busy machine breaks."""

import ast
import re
from pathlib import Path

from tests.support.limits import HANGING_SECONDS

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests").glob("**/*.py"))
SHORTEST = 120.0
# Calls whose last argument, or whose `timeout`, says how long is waited for something.
WAITS = {"timeout", "wait_for", "wait", "result", "join", "communicate", "run"}
# Helpers of tests/support whose `seconds` says the same.
PATIENT = {"until", "until_ready", "until_gone", "until_true", "eventually", "wait_for_looks", "deleting", "start"}
LAST = (WAITS - {"run"}) | (PATIENT - {"wait_for_looks"})
FLAG = re.compile(r"--timeout=(\d+)s\b")
# A file without any of these words need not be parsed.
MAY_LIMIT = re.compile(rf"timeout|\b(?:{'|'.join(sorted(LAST | PATIENT))})\(")
# What is asserted there is that something ends in time, or that it never comes.
PACES = {
    "tests/unit/test_limits.py": "what is looked for",
    "tests/unit/lab/controlplane/test_cache.py": "a pause between two looks",
    "tests/unit/lab/controlplane/test_narration.py": "another join",
    "tests/integration/test_health.py": "a connection to a port of this process",
    "tests/contract/client/credentials/issuers.py": "the limit is what is tested",
    "tests/unit/lab/demo/test_layout.py": "words that are laid out, not a command that is run",
}


def limits_in(tree: ast.AST) -> list[tuple[int, float]]:
    """Line and seconds of each limit that is written as a number."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            says = {"timeout", "seconds"} if name in PATIENT else {"timeout"}
            given = [keyword.value for keyword in node.keywords if keyword.arg in says]
            given += node.args[-1:] if name in LAST else []
            found += [(each.lineno, seconds) for each in given if (seconds := number_of(each)) is not None]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [(node.lineno, float(seconds)) for seconds in FLAG.findall(node.value)]
    return found


def number_of(node: ast.expr) -> float | None:
    is_number = isinstance(node, ast.Constant) and type(node.value) in {int, float}
    return float(ast.literal_eval(node)) if is_number else None


def test_no_limit_of_a_test_is_one_that_a_busy_machine_breaks() -> None:
    short = [
        f"{name}:{line}: {seconds:g} s"
        for path in TESTS
        if (name := str(path.relative_to(ROOT))) not in PACES
        if MAY_LIMIT.search(text := path.read_text())
        for line, seconds in limits_in(ast.parse(text))
        if seconds < SHORTEST
    ]
    assert short == []
    assert HANGING_SECONDS >= SHORTEST


def test_limits_are_found_wherever_they_stand() -> None:
    text = (
        "async with asyncio.timeout(5): pass\nawait asyncio.wait_for(life, 20)\nprocess.wait(10)\n"
        "subprocess.run(['x'], timeout=60)\nkubectl('wait', '--timeout=40s')\nfuture.result(timeout=3)\n"
        "until_gone('a', seconds=9)\neventually(is_ready, 8)\nwait_for_looks(1)\nsleep(1)\n"
    )
    assert [seconds for _, seconds in sorted(limits_in(ast.parse(text)))] == [5, 20, 10, 60, 40, 3, 9, 8]
