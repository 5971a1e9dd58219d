"""Temporary keys of an agency that trusts the cluster's OIDC issuer, in exchange for the Pod's service account token.

Built by providers.py, called by refresher.py. The request is that of the official SDK (huaweicloudsdkcore 3.1.219,
OidcStsAccessor). The SDK reads the token file once; this reads it at every refresh.
"""

import ssl
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from modelarts_nodepool.api.regions import KNOWN_REGIONS
from modelarts_nodepool.credentials.http_client import IssuerClient, is_loopback, read_token, split_url
from modelarts_nodepool.credentials.temporary_key import is_header_value, read_temporary_key
from modelarts_nodepool.errors import CredentialsUnavailable, SettingsError
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
ISSUER = "the security token service"
# In every region for which the official SDKs have an STS endpoint (Python SDK 3.1.219, auth/endpoint.py).
_STS_PATTERN = "https://sts.{region}.myhuaweicloud.com"
_PATH = "/v5/agencies/assume-with-oidc"
_SESSION = "oidc-sts-session"
_DURATION = "3600"
_SUCCESSES = range(200, 300)
# Over the internet, perhaps through a proxy.
LIMIT = timedelta(seconds=10)


def sts_url(region: str) -> str:
    """The public address of the security token service in a region.

    Raises CredentialsUnavailable for an unknown region: in another cloud this host name would belong to a stranger.
    """
    if region not in KNOWN_REGIONS:
        raise CredentialsUnavailable(
            f"the address of the security token service in region {region} is not known, and source OIDC needs it; set "
            "MODELARTS_NODEPOOL_STS_ENDPOINT=https://HOST in the operator's environment (flag --sts-endpoint)"
        )
    return _STS_PATTERN.format(region=region)


def check_sts_endpoint(text: str) -> str:
    """The value of --sts-endpoint without a slash at its end. Raises SettingsError."""
    url = split_url(text)
    is_safe = url is not None and (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or "")))
    if url is None or not is_safe or url.path not in {"", "/"}:
        raise SettingsError(
            "--sts-endpoint must be https://HOST[:PORT] without path and user name (http:// only for loopback), for "
            f"example {_STS_PATTERN.format(region='cn-north-4')}"
        )
    return text.rstrip("/")


class OidcProvider:
    """ports.KeyProvider: asks the security token service at `url`. The environment names the agency and the token."""

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
        self._client = IssuerClient(ISSUER, advice, use_proxy=not is_loopback(host), trust=trust, limit=limit)

    async def fetch(self) -> AccessKey:
        """The agency's key, for the duration in the environment."""
        token = self._id_token()
        response = await self._client.request("POST", f"{self._url}{_PATH}", None, self._content(token))
        if response.status not in _SUCCESSES:
            raise CredentialsUnavailable(
                f"{ISSUER} gave no credentials: {response.quote(token)}; check {PROVIDER_VARIABLE}, {AGENCY_VARIABLE}, "
                "the audience of the token and the trust policy of the agency, see docs/operations/credentials.md"
            )
        return read_temporary_key(response.body, ISSUER, self._clock.now())

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
        # The file first: a token in a variable cannot rotate.
        if path := self._environment.get(FILE_VARIABLE):
            return read_token(path, FILE_VARIABLE)
        token = self._required(TOKEN_VARIABLE, f"{FILE_VARIABLE} or {TOKEN_VARIABLE}")
        if not is_header_value(token):
            raise CredentialsUnavailable(
                f"{TOKEN_VARIABLE} does not hold exactly one token; better use {FILE_VARIABLE}"
            )
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
            raise CredentialsUnavailable(f"{DURATION_VARIABLE} is not a number of seconds, for example {_DURATION}")
        return int(text)
