"""One examination from beginning to end: the cluster first, then all accounts at the same time."""

import asyncio
from collections.abc import Callable

from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.commands.doctor.check import Line
from modelarts_nodepool.commands.doctor.checks import OF_ACCOUNT, OF_CLUSTER
from modelarts_nodepool.commands.doctor.context import AccountScene, ClusterScene
from modelarts_nodepool.commands.doctor.runner import run_checks
from modelarts_nodepool.commands.session import Session
from modelarts_nodepool.errors import SettingsError


async def examine(
    session: Session,
    service_account: tuple[str, str] | None,
    names: tuple[str, ...],
    tell: Callable[[str], None],
) -> list[Line]:
    """All lines in order. `names` are the accounts to look at, all where empty. Raises errors.SettingsError."""
    cluster = ClusterScene(session, service_account)
    lines = await run_checks("", OF_CLUSTER, cluster, tell)
    accounts = _chosen(cluster, names)
    found = await asyncio.gather(
        *(run_checks(account.metadata.name, OF_ACCOUNT, AccountScene(session, account), tell) for account in accounts)
    )
    return [*lines, *(line for part in found for line in part)]


def _chosen(cluster: ClusterScene, names: tuple[str, ...]) -> list[Account]:
    known = {account.metadata.name for account in cluster.accounts} | cluster.broken.keys()
    # Where none could be read there is nothing to compare with, and a line that says so.
    if known and (unknown := sorted(set(names) - known)):
        raise SettingsError(
            f"--account {unknown[0][:80]!r}: there is no such ModelArtsAccount; there are: {', '.join(sorted(known))}"
        )
    return [account for account in cluster.accounts if not names or account.metadata.name in names]
