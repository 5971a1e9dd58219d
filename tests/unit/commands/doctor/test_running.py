"""One check that fails, hangs or breaks never hides the others."""

import asyncio
from datetime import timedelta

from modelarts_nodepool.commands.doctor.check import Check, Finding, Result, failed, ok
from modelarts_nodepool.commands.doctor.runner import run_checks
from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.logs import redact


async def good(_: None) -> Finding:
    return ok("fine")


async def bad(_: None) -> Finding:
    return failed("wrong", "mend it")


async def hanging(_: None) -> Finding:
    await asyncio.sleep(3600)
    return ok("late")


async def broken(_: None) -> Finding:
    raise KeyError("spec")


async def refused(_: None) -> Finding:
    raise ClusterUnavailable("no answer")


async def talkative(_: None) -> Finding:
    redact("CANARY-IN-A-CHECK")
    raise ClusterUnavailable("the key is CANARY-IN-A-CHECK\x1b[2J")


async def run(*checks: Check[None]) -> dict[str, Finding]:
    lines = await run_checks("", checks, None, lambda _: None)
    assert [line.check for line in lines] == [check.name for check in checks]
    return {line.check: line.finding for line in lines}


async def test_each_outcome_is_a_finding_and_the_next_check_is_made() -> None:
    found = await run(
        Check("bad", bad),
        Check("broken", broken),
        Check("refused", refused),
        Check("hanging", hanging, lasts=timedelta(seconds=0.01)),
        Check("good", good),
    )
    assert [finding.result for finding in found.values()] == [Result.FAILED] * 4 + [Result.OK]
    assert "this is a bug" in found["broken"].remedy
    assert "kubectl" in found["refused"].remedy
    assert "no result within 0.01 s" in found["hanging"].words


async def test_what_rests_on_a_failed_check_is_not_made_and_names_the_one_to_blame() -> None:
    found = await run(
        Check("first", bad),
        Check("second", good, needs=("first",)),
        Check("third", broken, needs=("second",)),
        Check("alone", good),
    )
    assert found["second"].result is found["third"].result is Result.NOT_CHECKED
    assert "“first”" in found["second"].words
    assert "“first”" in found["third"].words
    assert found["alone"].result is Result.OK


async def test_no_finding_shows_a_secret_or_moves_the_cursor() -> None:
    words = (await run(Check("talkative", talkative)))["talkative"].words
    assert "CANARY" not in words
    assert words.isprintable()
