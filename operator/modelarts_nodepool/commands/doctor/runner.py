"""Runs the checks: those of the cluster first, then those of all accounts in parallel.

A check that fails, hangs or raises never hides the others.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.commands.doctor.check import (
    AccountContext,
    Check,
    ClusterContext,
    Finding,
    Line,
    S,
    failed,
    not_checked,
    remedy_for,
)
from modelarts_nodepool.commands.doctor.checks import OF_ACCOUNT, OF_CLUSTER
from modelarts_nodepool.commands.options import refuse_unknown
from modelarts_nodepool.commands.session import Session
from modelarts_nodepool.errors import OperatorError
from modelarts_nodepool.logs import clean

_LONGEST_WORDS = 600


async def run_checks(about: str, checks: Iterable[Check[S]], context: S, progress: Callable[[str], None]) -> list[Line]:
    """A line for each check, in order. `about` is "" for the cluster, else the account's name."""
    found: dict[str, Finding] = {}
    lines = []
    for check in checks:
        begun = time.monotonic()
        finding = _left_out(check, found)
        if finding is None:
            progress(f"checking {f'account {about}: ' if about else ''}{check.name}")
            finding = await _run(check, context)
        found[check.name] = finding
        lines.append(Line(about, check.name, finding, timedelta(seconds=time.monotonic() - begun)))
    return lines


def _left_out(check: Check[S], found: Mapping[str, Finding]) -> Finding | None:
    """Why a check does not run: the check that it needs did not succeed."""
    for need in check.needs:
        finding = found[need]
        if finding.is_good:
            continue
        cause = finding.words if finding.words.startswith("because ") else f"because the check “{need}” did not succeed"
        return not_checked(cause)
    return None


async def _run(check: Check[S], context: S) -> Finding:
    try:
        async with asyncio.timeout(check.lasts.total_seconds()):
            finding = await check.run(context)
    except TimeoutError:
        words = f"no result within {check.lasts.total_seconds():g} s"
        finding = failed(words, "check whether a proxy or a firewall drops the connection, then retry")
    except OperatorError as error:
        finding = failed(str(error), remedy_for(error))
    except Exception as error:  # noqa: BLE001 - a bug in one check must not hide the others
        words = f"the check failed with an unexpected error: {type(error).__name__}: {error}"
        finding = failed(words, "this is a bug in doctor: report it with the output of modelarts-nodepool --version")
    # Messages of other programs may contain anything.
    return Finding(finding.result, clean(finding.words, _LONGEST_WORDS), finding.remedy)


async def examine(
    session: Session,
    service_account: tuple[str, str] | None,
    names: tuple[str, ...],
    progress: Callable[[str], None],
) -> list[Line]:
    """All lines in order. `names`: the accounts to check, all if empty. Raises errors.SettingsError."""
    cluster = ClusterContext(session, service_account)
    lines = await run_checks("", OF_CLUSTER, cluster, progress)
    accounts = _chosen(cluster, names)
    found = await asyncio.gather(
        *(
            run_checks(account.metadata.name, OF_ACCOUNT, AccountContext(session, account), progress)
            for account in accounts
        )
    )
    return [*lines, *(line for part in found for line in part)]


def _chosen(cluster: ClusterContext, names: tuple[str, ...]) -> list[Account]:
    known = {account.metadata.name for account in cluster.accounts} | cluster.broken.keys()
    # If no account could be read, another check says so.
    if known:
        refuse_unknown("--account", "ModelArtsAccount", names, known)
    return [account for account in cluster.accounts if not names or account.metadata.name in names]
