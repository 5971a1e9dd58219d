"""Credentials of the agency that CCE associates with the operator's service account, from the agent on the node.

Built by sources.py, asked by keeper.py. CCE puts the agent's address and the token's file into the Pod's environment.
The request is the official SDK's (huaweicloudsdkcore 3.1.219, PodIdentityAccessor).
"""

import ssl
from collections.abc import Mapping
from datetime import timedelta

from modelarts_nodepool.credentials.addresses import check_agent_url
from modelarts_nodepool.credentials.http_client import LIMIT, Exchange
from modelarts_nodepool.credentials.temporary_key import read_issued_key
from modelarts_nodepool.credentials.token_files import read_token
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.ports import AccessKey, Clock

URL_VARIABLE = "HC_CONTAINER_CREDENTIALS_FULL_URI"
FILE_VARIABLE = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"
_OK = 200

ISSUER = "the pod identity agent"
_ADVICE = (
    "check that the add-on for pod identities runs on the operator's node and that an association binds an agency to "
    "the operator's service account: kubectl -n kube-system get pods -o wide"
)


class PodIdentitySource:
    """Asks the agent that the environment names."""

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

    async def obtain(self) -> AccessKey:
        """The agency's key. The service account's token is read from its file each time, because it rotates."""
        url, path = self._environment.get(URL_VARIABLE), self._environment.get(FILE_VARIABLE)
        if not url or not path:
            raise CredentialsUnavailable(
                f"{URL_VARIABLE} and {FILE_VARIABLE} are not set in the operator's Pod: CCE sets them when a Pod is "
                "created whose service account has a pod identity association; create the association, then "
                "restart the operator's Deployment"
            )
        token = read_token(path, FILE_VARIABLE)
        address = check_agent_url(url, URL_VARIABLE)
        # http:// is an address nearby, which no proxy can reach.
        by_proxy = address.startswith("https:")
        exchange = Exchange(ISSUER, _ADVICE, by_proxy=by_proxy, trust=self._trust, limit=self._limit)
        reply = await exchange.ask("POST", address, {"Authorization": token}, {})
        if reply.status != _OK:
            raise CredentialsUnavailable(f"{ISSUER} gave no credentials: {reply.words(token)}; {_ADVICE}")
        return read_issued_key(reply.body, ISSUER, self._clock.now())
