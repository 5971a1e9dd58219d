"""The accounts: their schema, their fields, their credentials, and their status.

No request is sent to ModelArts, and no value of a Secret is shown.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.api.meta import ConditionStatus, ConditionType, find_condition
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.commands.doctor.check import (
    AccountContext,
    ClusterContext,
    Finding,
    failed,
    not_checked,
    ok,
    warning,
)
from modelarts_nodepool.credentials.secret import access_key_from_secret
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import CredentialsUnavailable, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import redact

_SAMPLE = f"{remedies.create_sample_account()}   (after you set your project in it)"


async def check_accounts(context: ClusterContext) -> Finding:
    """One LIST. Stores the accounts in the context."""

    def parse_account(body: Mapping[str, Any]) -> str:
        name = str(body["metadata"]["name"])
        try:
            account = Account.from_body(body)
        except ValidationError as error:
            context.broken[name] = "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)
            )
            return name
        context.accounts.append(account)
        return name

    try:
        names = sorted(await context.session.cluster.list_as(paths.ACCOUNTS, parse_account))
    except ObjectGone:
        return not_checked("because the API server does not serve the kind ModelArtsAccount")
    context.accounts.sort(key=lambda account: account.metadata.name)
    if not names:
        return warning("there is no ModelArtsAccount: every node pool object waits with AccountNotFound", _SAMPLE)
    if context.broken:
        words = "; ".join(f"{name}: {why}" for name, why in sorted(context.broken.items()))
        return failed(
            f"these do not match the schema, so the operator ignores them: {words}",
            remedies.edit_account(min(context.broken)),
        )
    return ok(f"{len(names)}: {', '.join(names)}")


async def check_account(context: AccountContext) -> Finding:
    """The fields of the account. No call."""
    account = context.account
    name, spec = account.metadata.name, account.spec
    if account.is_terminating:
        return warning(
            "it is being deleted and accepts no new objects; it is removed after the last object that names it",
            remedies.list_of_account(name),
        )
    if not spec.grants:
        return warning(
            "it has no grants: every object waits with NotGranted",
            f"add to spec.grants{remedies.by_hand(account.metadata, remedies.edit_account(name))}",
        )
    return ok(
        f"region {spec.region}, project {spec.project_id}, workspace {spec.workspace}, grants: {len(spec.grants)}"
    )


async def check_account_status(context: AccountContext) -> Finding:
    """The status that the operator wrote: its network and clock may differ from this machine's."""
    account = context.account
    ready = find_condition(account.status.conditions, ConditionType.READY)
    look = remedies.describe_account(account.metadata.name)
    if ready is None:
        return warning("no operator has written a status yet", look)
    words = f"Ready={ready.status}, {ready.reason}"
    if ready.status is ConditionStatus.TRUE:
        return ok(words)
    return warning(f"{words}: {ready.message}", look)


async def check_credentials(context: AccountContext) -> Finding:
    """For source Secret, one GET of the Secret."""
    credentials = context.account.spec.credentials
    if credentials.source is not CredentialsSource.SECRET or credentials.secret_name is None:
        return ok(f"from {credentials.source}, requested at log-in")
    namespace, name = context.session.place.operator_namespace, credentials.secret_name
    try:
        body = await context.session.cluster.get(paths.secret(namespace, name))
    except ObjectGone:
        return failed(
            f"there is no Secret {namespace}/{name}",
            remedies.create_secret(namespace, name),
        )
    try:
        key = access_key_from_secret(body, name)
    except CredentialsUnavailable as error:
        words, _, remedy = str(error).partition("; ")
        return failed(words, remedy.removeprefix("label it: "))
    redact(key.secret)
    redact(key.security_token)
    token = " and securityToken" if key.security_token else ""
    return ok(f"Secret {namespace}/{name} is labelled and has accessKey, secretKey{token}")
