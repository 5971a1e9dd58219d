"""Log-in, project, and permission to list the granted resource pools: a few signed calls.

A rejected key is used for one call only, because six bad signatures lock a key.
"""

import asyncio
from collections.abc import Awaitable, Callable

from modelarts_nodepool.api.account import CredentialsSource, RunningWorkloads
from modelarts_nodepool.commands.doctor.check import (
    AccountContext,
    Finding,
    failed,
    not_checked,
    ok,
    remedy_for,
    warning,
)
from modelarts_nodepool.commands.session import CloudReader
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.workloads import may_run
from modelarts_nodepool.errors import (
    CloudError,
    CredentialsRejected,
    CredentialsUnavailable,
    InvalidName,
    PermissionDenied,
)
from modelarts_nodepool.modelarts.faults import MODELARTS_OTHER_PROJECT

_AT_ONCE = 4
_SHOWN = 3
# `resourcePools: ["*"]` may grant hundreds; it is enough to list the first ones.
_MOST_LISTED = 20
_ANY = "*"
_NONE_GRANTED = "because no existing resource pool is granted"


async def check_log_in(context: AccountContext) -> Finding:
    """One signed list_pools of the workspace. Later checks use the result."""
    account = context.account
    try:
        context.resource_pools = await context.session.log_in(
            account, lambda cloud: cloud.list_pools(account.spec.workspace)
        )
    except PermissionDenied as error:
        context.refusal, context.refusal_code = str(error), error.code
        return ok("the credentials are accepted")
    except CredentialsRejected as error:
        return failed(str(error), _new_key(context))
    except CredentialsUnavailable as error:
        if account.spec.credentials.source is CredentialsSource.SECRET:
            return failed(str(error), _new_key(context))
        if context.session.is_in_pod:
            return failed(str(error), remedy_for(error))
        return not_checked(
            f"because these credentials exist only where the operator runs: {error}", _in_the_pod(context)
        )
    return ok("the credentials are accepted")


async def check_project(context: AccountContext) -> Finding:
    """The project and the permission, by the result of list_pools."""
    spec = context.account.spec
    if context.resource_pools is not None:
        return ok(f"the credentials are valid for project {spec.project_id}; list_pools is allowed")
    if context.refusal_code in MODELARTS_OTHER_PROJECT:
        return failed(
            f"project {spec.project_id} is not a project of these credentials in {spec.region}: {context.refusal}",
            f"compare with My Credentials in the console; projectId is immutable: create another "
            f"ModelArtsAccount and delete {context.account.metadata.name}",
        )
    return failed(
        f"list_pools is not allowed: {context.refusal}",
        "give the IAM user or agency modelarts:pool:list, get, update and delete in this project",
    )


async def check_resource_pools(context: AccountContext) -> Finding:
    """Compares granted resource pools with existing ones. No call."""
    pools = context.resource_pools or {}
    granted = _granted(context)
    missing = sorted(granted - pools.keys() - {_ANY})
    count = len(pools) if _ANY in granted else len(granted & pools.keys())
    words = f"{len(pools)} in workspace {context.account.spec.workspace}, {count} of them granted"
    if missing:
        return failed(
            f"{words}; granted but missing: {', '.join(missing[:_SHOWN])}{_more(len(missing))}; existing: "
            f"{', '.join(sorted(pools)[:_SHOWN]) or 'none'}{_more(len(pools))}",
            f"a grant names the ID of a resource pool, not its display name; correct spec.grants{_edit(context)}",
        )
    if not count:
        return warning(words, f"see: modelarts-nodepool inventory; add to spec.grants{_edit(context)}")
    return ok(words)


async def check_node_pools(context: AccountContext) -> Finding:
    """One list_node_pools for each granted resource pool that exists."""

    async def count(cloud: CloudReader, name: str) -> int:
        return len((await cloud.list_node_pools(name)).node_pools)

    counts, errors = await _count_in_each(context, count)
    if not counts and not errors:
        return not_checked(_NONE_GRANTED)
    if errors:
        name, first = next(iter(errors.items()))
        words = f"{len(errors)} of {len(counts) + len(errors)} cannot be listed; {name}: {first.reason}: {first}"
        return failed(words, remedy_for(first))
    shown = ", ".join(f"{name} has {number}" for name, number in list(counts.items())[:_SHOWN])
    return ok(f"list_node_pools is allowed: {shown}{_more(len(counts))}")


async def check_jobs(context: AccountContext) -> Finding:
    """One list_workloads for each granted resource pool that exists. Without it the operator works, but sees less."""
    if context.account.spec.running_workloads is RunningWorkloads.IGNORE:
        return ok("not asked for: runningWorkloads is Ignore, so a deletion ends the jobs on its nodes")

    async def count(cloud: CloudReader, name: str) -> int:
        return sum(1 for job in await cloud.list_workloads(name) if may_run(job))

    counts, errors = await _count_in_each(context, count)
    if not counts and not errors:
        return not_checked(_NONE_GRANTED)
    if errors:
        name, first = next(iter(errors.items()))
        words = (
            f"jobs cannot be listed in {len(errors)} of {len(counts) + len(errors)} resource pools, so only nodes that "
            f"show accelerators in use hold a deletion there; {name}: {first.reason}: {first}"
        )
        return warning(words, "see docs/operations/troubleshooting.md, WorkloadsRunning")
    return ok(f"list_workloads is allowed; running: {sum(counts.values())}")


async def _count_in_each(
    context: AccountContext, count: Callable[[CloudReader, str], Awaitable[int]]
) -> tuple[dict[str, int], dict[str, CloudError | InvalidName]]:
    """One count for each granted resource pool that exists, and the failures of the others."""
    pools, granted = context.resource_pools or {}, _granted(context)
    names = sorted(pools if _ANY in granted else granted & pools.keys())[:_MOST_LISTED]
    limit = asyncio.Semaphore(_AT_ONCE)

    counts: dict[str, int] = {}
    errors: dict[str, CloudError | InvalidName] = {}

    async def count_one(name: str) -> None:
        async with limit:
            try:
                counts[name] = await context.session.ask(context.account, lambda cloud: count(cloud, name))
            except (CloudError, InvalidName) as error:
                errors[name] = error

    await asyncio.gather(*map(count_one, names))
    # In the order of their names, not of the answers.
    return dict(sorted(counts.items())), dict(sorted(errors.items()))


def _granted(context: AccountContext) -> set[str]:
    return {name for grant in context.account.spec.grants for name in grant.resource_pools}


def _more(count: int) -> str:
    return f" and {count - _SHOWN} more" if count > _SHOWN else ""


def _new_key(context: AccountContext) -> str:
    credentials = context.account.spec.credentials
    if credentials.source is not CredentialsSource.SECRET:
        return f"see docs/operations/troubleshooting.md, CredentialsRejected; the source is {credentials.source}"
    namespace, name = context.session.place.operator_namespace, credentials.secret_name or remedies.ANY_NAME
    return (
        f"put a valid key into Secret {namespace}/{name} before you retry: six failures in a row lock a key for "
        f"five minutes; {remedies.edit_secret(namespace, name)}"
    )


def _edit(context: AccountContext) -> str:
    metadata = context.account.metadata
    return remedies.by_hand(metadata, remedies.edit_account(metadata.name))


def _in_the_pod(context: AccountContext) -> str:
    return remedies.run_in_pod(context.session.place.operator_namespace)
