"""Accounts: which there are, whether they can be read, and what is odd about one."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from modelarts_nodepool.api.conditions import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.commands.doctor.check import Finding, failed, not_checked, ok, warning
from modelarts_nodepool.commands.doctor.context import AccountScene, ClusterScene
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ObjectGone
from modelarts_nodepool.kube import paths

_SAMPLE = f"{remedies.create_sample_account()}   (after putting in your own project)"


async def check_accounts(scene: ClusterScene) -> Finding:
    """One LIST. Leaves the chosen accounts in the scene."""

    def take(body: Mapping[str, Any]) -> str:
        name = str(body["metadata"]["name"])
        try:
            account = Account.from_body(body)
        except ValidationError as error:
            scene.broken[name] = "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)
            )
            return name
        scene.accounts.append(account)
        return name

    try:
        names = sorted(await scene.session.cluster.list_as(paths.ACCOUNTS, take))
    except ObjectGone:
        return not_checked("because the API server does not serve the kind ModelArtsAccount")
    scene.accounts.sort(key=lambda account: account.metadata.name)
    if not names:
        return warning("there is no ModelArtsAccount: every node pool object waits with AccountNotFound", _SAMPLE)
    if scene.broken:
        words = "; ".join(f"{name}: {why}" for name, why in sorted(scene.broken.items()))
        return failed(
            f"not of the schema, so that the operator passes them over: {words}",
            remedies.edit_account(min(scene.broken)),
        )
    return ok(f"{len(names)}: {', '.join(names)}")


async def check_account(scene: AccountScene) -> Finding:
    """What its own fields say. No call."""
    account = scene.account
    name, spec = account.metadata.name, account.spec
    if account.is_terminating:
        return warning(
            "it is being deleted and takes no new objects; it goes with the last object that names it",
            remedies.list_of_account(name),
        )
    if not spec.grants:
        return warning(
            "it grants nothing to anybody: every object waits with NotGranted",
            f"add to spec.grants{remedies.by_hand(account.metadata, remedies.edit_account(name))}",
        )
    return ok(
        f"region {spec.region}, project {spec.project_id}, workspace {spec.workspace}, grants: {len(spec.grants)}"
    )


async def check_operators_word(scene: AccountScene) -> Finding:
    """What the operator itself wrote about the account: it may see another network and another clock."""
    account = scene.account
    ready = find_condition(account.status.conditions, ConditionType.READY)
    look = remedies.describe_account(account.metadata.name)
    if ready is None:
        return warning("no operator has written a status yet", look)
    words = f"Ready={ready.status}, {ready.reason}"
    if ready.status is ConditionStatus.TRUE:
        return ok(words)
    return warning(f"{words}: {ready.message}", look)
