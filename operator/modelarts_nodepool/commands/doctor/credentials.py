"""The account's credentials: whether they can be read. Nothing is sent to the cloud, no value is ever shown."""

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.commands.doctor.check import Finding, failed, ok
from modelarts_nodepool.commands.doctor.context import AccountScene
from modelarts_nodepool.credentials.secret import access_key_from_secret
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import CredentialsUnavailable, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.logs import redact


async def check_credentials(scene: AccountScene) -> Finding:
    """For source Secret one GET of it."""
    credentials = scene.account.spec.credentials
    if credentials.source is not CredentialsSource.SECRET or credentials.secret_name is None:
        return ok(f"from {credentials.source}, asked for at log-in")
    namespace, name = scene.session.place.operator_namespace, credentials.secret_name
    try:
        body = await scene.session.cluster.get(paths.secret(namespace, name))
    except ObjectGone:
        return failed(
            f"there is no Secret {namespace}/{name}",
            remedies.create_secret(namespace, name),
        )
    try:
        key = access_key_from_secret(body, name)
    except CredentialsUnavailable as error:
        words, _, remedy = str(error).partition("; ")
        return failed(words, remedy.removeprefix("run: "))
    redact(key.secret)
    redact(key.security_token)
    token = " and securityToken" if key.security_token else ""
    return ok(f"Secret {namespace}/{name} is labelled and has accessKey, secretKey{token}")
