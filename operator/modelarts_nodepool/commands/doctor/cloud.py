"""Log-in, project, permission to list what is granted: signed calls, few of them.

Of a key that is rejected one call is sent, here and not in any later check: six bad signatures lock a key.
"""

import asyncio

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.commands.doctor.check import Finding, failed, not_checked, ok, warning
from modelarts_nodepool.commands.doctor.context import AccountScene
from modelarts_nodepool.commands.doctor.remedies import remedy_for
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import (
    CloudError,
    CredentialsRejected,
    CredentialsUnavailable,
    InvalidName,
    PermissionDenied,
)
from modelarts_nodepool.modelarts.codes import MODELARTS_OTHER_PROJECT

_AT_ONCE = 4
_SHOWN = 3
# `resourcePools: ["*"]` may be hundreds; that the first ones can be listed says enough.
_MOST_LISTED = 20
_ANY = "*"


async def check_log_in(scene: AccountScene) -> Finding:
    """One signed list_pools of the workspace; later checks read what came of it."""
    account = scene.account
    try:
        scene.resource_pools = await scene.session.log_in(
            account, lambda cloud: cloud.list_pools(account.spec.workspace)
        )
    except PermissionDenied as error:
        scene.refusal, scene.refusal_code = str(error), error.code
        return ok("the credentials are accepted")
    except CredentialsRejected as error:
        return failed(str(error), _new_key(scene))
    except CredentialsUnavailable as error:
        if account.spec.credentials.source is CredentialsSource.SECRET:
            return failed(str(error), _new_key(scene))
        if scene.session.is_in_pod:
            return failed(str(error), remedy_for(error))
        return not_checked(f"because these credentials are given where the operator runs: {error}", _in_the_pod(scene))
    return ok("the credentials are accepted")


async def check_project(scene: AccountScene) -> Finding:
    """What list_pools says about project and permission."""
    spec = scene.account.spec
    if scene.resource_pools is not None:
        return ok(f"project {spec.project_id} is theirs; list_pools is allowed")
    if scene.refusal_code in MODELARTS_OTHER_PROJECT:
        return failed(
            f"project {spec.project_id} is not a project of these credentials in {spec.region}: {scene.refusal}",
            f"compare with My Credentials in the console; projectId cannot be changed: create another "
            f"ModelArtsAccount and delete {scene.account.metadata.name}",
        )
    return failed(
        f"list_pools is not allowed: {scene.refusal}",
        "give the IAM user or agency modelarts:pool:list, get, update and delete in this project",
    )


async def check_resource_pools(scene: AccountScene) -> Finding:
    """Granted resource pools against those that there are. No call."""
    pools = scene.resource_pools or {}
    granted = {name for grant in scene.account.spec.grants for name in grant.resource_pools}
    missing = sorted(granted - pools.keys() - {_ANY})
    count = len(pools) if _ANY in granted else len(granted & pools.keys())
    words = f"{len(pools)} in workspace {scene.account.spec.workspace}, {count} of them granted"
    if missing:
        return failed(
            f"{words}; granted and not there: {', '.join(missing[:_SHOWN])}{_more(len(missing))}; there are: "
            f"{', '.join(sorted(pools)[:_SHOWN]) or 'none'}{_more(len(pools))}",
            f"a grant names the ID of a resource pool, not its display name; correct spec.grants{_edit(scene)}",
        )
    if not count:
        return warning(words, f"see: modelarts-nodepool inventory; add to spec.grants{_edit(scene)}")
    return ok(words)


async def check_node_pools(scene: AccountScene) -> Finding:
    """One list_node_pools for each granted resource pool that is there."""
    pools = scene.resource_pools or {}
    granted = {name for grant in scene.account.spec.grants for name in grant.resource_pools}
    names = sorted(pools if _ANY in granted else granted & pools.keys())
    if not names:
        return not_checked("because no resource pool that is there is granted")
    limit = asyncio.Semaphore(_AT_ONCE)

    async def count(name: str) -> int | CloudError | InvalidName:
        async with limit:
            try:
                listing = await scene.session.ask(scene.account, lambda cloud: cloud.list_node_pools(name))
            except (CloudError, InvalidName) as error:
                return error
            return len(listing.node_pools)

    counts = dict(zip(names, await asyncio.gather(*map(count, names[:_MOST_LISTED])), strict=False))
    errors = {name: error for name, error in counts.items() if not isinstance(error, int)}
    if errors:
        name, first = next(iter(errors.items()))
        words = f"{len(errors)} of {len(counts)} cannot be listed; {name}: {first.reason}: {first}"
        return failed(words, remedy_for(first))
    shown = ", ".join(f"{name} has {number}" for name, number in list(counts.items())[:_SHOWN])
    return ok(f"list_node_pools is allowed: {shown}{_more(len(counts))}")


def _more(count: int) -> str:
    return f" and {count - _SHOWN} more" if count > _SHOWN else ""


def _new_key(scene: AccountScene) -> str:
    credentials = scene.account.spec.credentials
    if credentials.source is not CredentialsSource.SECRET:
        return f"see docs/operations/troubleshooting.md, CredentialsRejected; the source is {credentials.source}"
    namespace, name = scene.session.place.operator_namespace, credentials.secret_name or remedies.ANY_NAME
    return (
        f"put a valid key into Secret {namespace}/{name} before you run it again: six failures in a row lock a key for "
        f"five minutes; {remedies.edit_secret(namespace, name)}"
    )


def _edit(scene: AccountScene) -> str:
    metadata = scene.account.metadata
    return remedies.by_hand(metadata, remedies.edit_account(metadata.name))


def _in_the_pod(scene: AccountScene) -> str:
    return remedies.run_doctor_in_pod(scene.session.place.operator_namespace)
