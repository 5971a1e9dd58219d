"""Temporary keys of the agency of the operator's node, from the instance metadata service of ECS.

Built by providers.py, called by refresher.py. The flow is that of the official SDK (huaweicloudsdkcore 3.1.219,
MetadataAccessor): a session token by PUT, then the key by GET. If the service has no session tokens, the key is
fetched without one, and no token is asked for on the next day.
"""

import re
from datetime import timedelta
from http import HTTPStatus

from modelarts_nodepool.credentials.http_client import LIMIT, IssuerClient, Response, is_loopback, split_url
from modelarts_nodepool.credentials.temporary_key import read_temporary_key
from modelarts_nodepool.errors import CredentialsUnavailable, SettingsError
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock

# The address of the metadata service, fixed by the cloud.
METADATA_URL = "http://169.254.169.254"
ISSUER = "the instance metadata service"
_TOKEN_PATH = "/meta-data/latest/api/token"  # noqa: S105 - a path
_KEY_PATH = "/openstack/latest/securitykey"
_TOKEN_TTL = {"X-Metadata-Token-Ttl-Seconds": "21600"}
_TOKEN_HEADER = "X-Metadata-Token"  # noqa: S105 - the name of a header
_WITHOUT_TOKENS = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.SERVICE_UNAVAILABLE})
_TOKENLESS_FOR = timedelta(hours=24)
_NO_AGENCY = b"configure Cloud Service Agency"
_TOKEN = re.compile(r"[-+/=.:~\w]{1,8192}", re.ASCII)
_ADVICE = (
    "the operator has to run on an ECS node of Huawei Cloud, and network policies have to let its Pod reach "
    "169.254.169.254; elsewhere use another spec.credentials.source"
)
_SET_AGENCY = (
    "the operator's node has no agency: set one for its ECS instance in the console, and for every node that the "
    "operator can move to"
)


def check_metadata_endpoint(text: str) -> str:
    """The value of --metadata-endpoint: the cloud's address, or for tests a loopback one. Raises SettingsError."""
    url = split_url(text)
    is_for_tests = url is not None and url.scheme == "http" and is_loopback(url.hostname or "")
    if url is None or url.path not in {"", "/"} or (not is_for_tests and text.rstrip("/") != METADATA_URL):
        raise SettingsError(
            f"--metadata-endpoint must be {METADATA_URL} or http:// to loopback, because this address gives the "
            "operator its identity; leave the flag out"
        )
    return text.rstrip("/")


class MetadataProvider:
    """ports.KeyProvider: asks the metadata service at `url`. Keeps nothing but the session token."""

    def __init__(self, url: str, clock: Clock, *, limit: timedelta = LIMIT) -> None:
        self._url = url
        self._clock = clock
        self._client = IssuerClient(ISSUER, _ADVICE, limit=limit)
        self._token: str | None = None
        self._tokenless_since = float("-inf")

    async def fetch(self) -> AccessKey:
        """The key that the service has now. At most four requests."""
        if self._token is None and not self._is_tokenless():
            await self._fetch_token()
        response = await self._fetch_key()
        if response.status == HTTPStatus.UNAUTHORIZED and _NO_AGENCY not in response.body:
            # The session token has expired, or the service now requires one: fetch a new one and try once more.
            await self._fetch_token()
            response = await self._fetch_key()
        if response.status != HTTPStatus.OK:
            raise self._refused(response)
        return read_temporary_key(response.body, ISSUER, self._clock.now())

    def _is_tokenless(self) -> bool:
        return self._clock.monotonic() - self._tokenless_since < _TOKENLESS_FOR.total_seconds()

    async def _fetch_token(self) -> None:
        self._token = None
        response = await self._client.request("PUT", f"{self._url}{_TOKEN_PATH}", _TOKEN_TTL)
        if response.status in _WITHOUT_TOKENS:
            self._tokenless_since = self._clock.monotonic()
            return
        if response.status != HTTPStatus.OK:
            raise CredentialsUnavailable(f"{ISSUER} refused a session token: {response.quote()}; {_ADVICE}")
        token = response.body.decode("ascii", "replace").strip()
        # An HTML page can be a single word, too.
        if _TOKEN.fullmatch(token) is None:
            raise CredentialsUnavailable(f"{ISSUER} answered without a session token; {_ADVICE}")
        redact(token)
        self._token = token

    async def _fetch_key(self) -> Response:
        headers = {_TOKEN_HEADER: self._token} if self._token else {}
        return await self._client.request("GET", f"{self._url}{_KEY_PATH}", headers)

    def _refused(self, response: Response) -> CredentialsUnavailable:
        if _NO_AGENCY in response.body or response.status == HTTPStatus.NOT_FOUND:
            return CredentialsUnavailable(f"{ISSUER} has no credentials ({response.status}): {_SET_AGENCY}")
        quote = response.quote(self._token or "")
        if response.status == HTTPStatus.UNAUTHORIZED:
            # The next attempt starts with a new token.
            self._token = None
        return CredentialsUnavailable(f"{ISSUER} gave no credentials: {quote}; {_ADVICE}")
