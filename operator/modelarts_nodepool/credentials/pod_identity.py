"""Temporary keys of the agency that CCE associates with the operator's service account, from the agent on the node.

Built by providers.py, called by refresher.py. CCE sets the agent's address and the token file in the Pod's
environment. The request is that of the official SDK (huaweicloudsdkcore 3.1.219, PodIdentityAccessor).
"""

import ssl
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from modelarts_nodepool.credentials.http_client import LIMIT, IssuerClient, is_private, read_token, split_url
from modelarts_nodepool.credentials.temporary_key import read_temporary_key
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey, Clock

URL_VARIABLE = "HC_CONTAINER_CREDENTIALS_FULL_URI"
FILE_VARIABLE = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"
ISSUER = "the pod identity agent"
_ADVICE = (
    "check that the add-on for pod identities runs on the operator's node and that an association binds an agency to "
    "the operator's service account: kubectl -n kube-system get pods -o wide"
)


def check_agent_url(text: str, variable: str) -> str:
    """The agent's address in an environment variable. Raises CredentialsUnavailable."""
    url = split_url(text)
    is_safe = url is not None and (url.scheme == "https" or (url.scheme == "http" and is_private(url.hostname or "")))
    if not is_safe:
        raise CredentialsUnavailable(
            f"{variable} in the operator's environment is not a safe address for its token. Allowed are https://…, and "
            "http:// to a link-local, loopback or private address; let CCE set it, see docs/operations/credentials.md"
        )
    return text


class PodIdentityProvider:
    """ports.KeyProvider: asks the agent that the environment names."""

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Clock,
        trust: ssl.SSLContext | None = None,
        *,
        limit: timedelta = LIMIT,
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._trust = trust
        self._limit = limit

    async def fetch(self) -> AccessKey:
        """The agency's key. The service account's token rotates, so it is read from its file each time."""
        url, path = self._environment.get(URL_VARIABLE), self._environment.get(FILE_VARIABLE)
        if not url or not path:
            raise CredentialsUnavailable(
                f"{URL_VARIABLE} and {FILE_VARIABLE} are not set in the operator's Pod. CCE sets them when it creates "
                "a Pod whose service account has a pod identity association; create the association, then restart "
                "the operator's Deployment"
            )
        token = read_token(path, FILE_VARIABLE)
        address = check_agent_url(url, URL_VARIABLE)
        # An http:// address is on the node, where no proxy can reach it.
        use_proxy = address.startswith("https:")
        client = IssuerClient(ISSUER, _ADVICE, use_proxy=use_proxy, trust=self._trust, limit=self._limit)
        response = await client.request("POST", address, {"Authorization": token}, {})
        if response.status != HTTPStatus.OK:
            raise CredentialsUnavailable(f"{ISSUER} gave no credentials: {response.quote(token)}; {_ADVICE}")
        return read_temporary_key(response.body, ISSUER, self._clock.now())
