"""Runs checks one after the other; one that fails, hangs or breaks never hides the others."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from modelarts_nodepool.commands.doctor.check import Check, Finding, Line, S, failed, not_checked
from modelarts_nodepool.commands.doctor.remedies import remedy_for
from modelarts_nodepool.errors import OperatorError
from modelarts_nodepool.logs import clean

_LONGEST_WORDS = 600


async def run_checks(about: str, checks: Iterable[Check[S]], scene: S, tell: Callable[[str], None]) -> list[Line]:
    """A line for each check, in order. `about` is "" for the cluster, else the account's name."""
    found: dict[str, Finding] = {}
    lines = []
    for check in checks:
        begun = time.monotonic()
        finding = _left_out(check, found)
        if finding is None:
            tell(f"checking {f'account {about}: ' if about else ''}{check.name}")
            finding = await _run(check, scene)
        found[check.name] = finding
        lines.append(Line(about, check.name, finding, timedelta(seconds=time.monotonic() - begun)))
    return lines


def _left_out(check: Check[S], found: Mapping[str, Finding]) -> Finding | None:
    """Why a check cannot be made, naming the one that is to blame."""
    for need in check.needs:
        finding = found[need]
        if finding.is_good:
            continue
        cause = finding.words if finding.words.startswith("because ") else f"because the check “{need}” did not succeed"
        return not_checked(cause)
    return None


async def _run(check: Check[S], scene: S) -> Finding:
    try:
        async with asyncio.timeout(check.lasts.total_seconds()):
            finding = await check.run(scene)
    except TimeoutError:
        words = f"no result within {check.lasts.total_seconds():g} s"
        finding = failed(words, "see whether a proxy or a firewall swallows the connection, then run it again")
    except OperatorError as error:
        finding = failed(str(error), remedy_for(error))
    except Exception as error:  # noqa: BLE001 - a bug in one check must not hide the others
        words = f"the check itself broke: {type(error).__name__}: {error}"
        finding = failed(
            words, "this is a bug of the doctor: report it with the output of modelarts-nodepool --version"
        )
    # Words of others may hold anything.
    return Finding(finding.result, clean(finding.words, _LONGEST_WORDS), finding.remedy)
