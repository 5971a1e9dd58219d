"""Credentials of an agency that trusts the cluster's OIDC issuer, traded for the operator's service account token.

Built by sources.py, asked by keeper.py. The request is the official SDK's (huaweicloudsdkcore 3.1.219,
OidcStsAccessor); unlike the SDK, which reads the token's file once, this reads it at every refresh.
"""

import ssl
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from modelarts_nodepool.credentials.addresses import is_loopback
from modelarts_nodepool.credentials.http_client import Exchange
from modelarts_nodepool.credentials.temporary_key import is_fit_for_a_header, read_issued_key
from modelarts_nodepool.credentials.token_files import read_token
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock

_PREFIX = "HUAWEICLOUD_OIDC_"
PROVIDER_VARIABLE = f"{_PREFIX}PROVIDER_URN"
AGENCY_VARIABLE = f"{_PREFIX}AGENCY_URN"
TOKEN_VARIABLE = f"{_PREFIX}ID_TOKEN"
FILE_VARIABLE = f"{_PREFIX}TOKEN_FILE"
SESSION_VARIABLE = f"{_PREFIX}SESSION_NAME"
DURATION_VARIABLE = f"{_PREFIX}DURATION_SECONDS"
POLICY_VARIABLE = f"{_PREFIX}POLICY"
POLICY_IDS_VARIABLE = f"{_PREFIX}POLICY_IDS"
_PATH = "/v5/agencies/assume-with-oidc"
_SESSION = "oidc-sts-session"
_DURATION = "3600"
_SUCCESSES = range(200, 300)
# Over the internet, through a proxy perhaps.
LIMIT = timedelta(seconds=10)

ISSUER = "the security token service"


class OidcSource:
    """Asks the security token service at `url`. The environment says which agency and whose token."""

    def __init__(
        self,
        url: str,
        environment: Mapping[str, str],
        clock: Clock,
        trust: ssl.SSLContext | None = None,
        *,
        limit: timedelta = LIMIT,
    ) -> None:
        self._url = url
        self._environment = environment
        self._clock = clock
        host = urlsplit(url).hostname or ""
        advice = f"check DNS and egress rules for {host}, HTTPS_PROXY and --sts-endpoint"
        self._exchange = Exchange(ISSUER, advice, by_proxy=not is_loopback(host), trust=trust, limit=limit)

    async def obtain(self) -> AccessKey:
        """The agency's key for as long as was asked for."""
        token = self._id_token()
        reply = await self._exchange.ask("POST", f"{self._url}{_PATH}", None, self._content(token))
        if reply.status not in _SUCCESSES:
            raise CredentialsUnavailable(
                f"{ISSUER} gave no credentials: {reply.words(token)}; check {PROVIDER_VARIABLE}, {AGENCY_VARIABLE}, "
                "the audience of the token and whom the agency trusts, see docs/operations/credentials.md"
            )
        return read_issued_key(reply.body, ISSUER, self._clock.now())

    def _content(self, token: str) -> dict[str, object]:
        content: dict[str, object] = {
            "provider_urn": self._required(PROVIDER_VARIABLE),
            "agency_urn": self._required(AGENCY_VARIABLE),
            "agency_session_name": self._environment.get(SESSION_VARIABLE) or _SESSION,
            "id_token": token,
            "duration_seconds": self._duration(),
        }
        if policy := self._environment.get(POLICY_VARIABLE):
            content["policy"] = policy
        if ids := [part.strip() for part in self._environment.get(POLICY_IDS_VARIABLE, "").split(",") if part.strip()]:
            content["policy_ids"] = ids
        return content

    def _id_token(self) -> str:
        # The file first: what stands in a variable cannot be rotated.
        if path := self._environment.get(FILE_VARIABLE):
            return read_token(path, FILE_VARIABLE)
        token = self._required(TOKEN_VARIABLE, f"{FILE_VARIABLE} or {TOKEN_VARIABLE}")
        if not is_fit_for_a_header(token):
            raise CredentialsUnavailable(f"{TOKEN_VARIABLE} does not hold one token; better use {FILE_VARIABLE}")
        redact(token)
        return token

    def _required(self, variable: str, shown: str | None = None) -> str:
        value = self._environment.get(variable, "").strip()
        if not value:
            raise CredentialsUnavailable(
                f"{shown or variable} is not set in the operator's Pod, and source OIDC needs it; set it in the "
                "Deployment, see docs/operations/credentials.md"
            )
        return value

    def _duration(self) -> int:
        text = self._environment.get(DURATION_VARIABLE) or _DURATION
        if not text.isascii() or not text.isdecimal() or len(text) > len("999999"):
            raise CredentialsUnavailable(f"{DURATION_VARIABLE} is no number of seconds; write for example {_DURATION}")
        return int(text)
