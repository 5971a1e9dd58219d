"""Credentials of the agency of the node that the operator runs on, from the instance metadata service of ECS.

Built by sources.py, asked by keeper.py. The flow is the official SDK's (huaweicloudsdkcore 3.1.219,
MetadataAccessor): a session token by PUT, the key by GET with it. Where the service knows no tokens the key is
asked for without one, and the token not again for a day.
"""

import re
from datetime import timedelta

from modelarts_nodepool.credentials.http_client import LIMIT, Exchange, Reply
from modelarts_nodepool.credentials.temporary_key import read_issued_key
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.logs import redact
from modelarts_nodepool.ports import AccessKey, Clock

_TOKEN_PATH = "/meta-data/latest/api/token"  # noqa: S105 - a path
_KEY_PATH = "/openstack/latest/securitykey"
_LASTING = {"X-Metadata-Token-Ttl-Seconds": "21600"}
_TOKEN_HEADER = "X-Metadata-Token"  # noqa: S105 - the name of a header
_WITHOUT_TOKENS = frozenset({404, 405, 503})
_TOKENLESS_FOR = timedelta(hours=24)
_NO_AGENCY = b"configure Cloud Service Agency"
_TOKEN = re.compile(r"[-+/=.:~\w]{1,8192}", re.ASCII)
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404

ISSUER = "the instance metadata service"
_ADVICE = (
    "the operator has to run on an ECS node of Huawei Cloud whose network policies let its Pod reach 169.254.169.254; "
    "elsewhere use another spec.credentials.source"
)
_SET_AGENCY = (
    "the node that the operator runs on has no agency: set one for the node's ECS instance in the console, and for "
    "every node that the operator may move to"
)


class MetadataSource:
    """Asks the metadata service at `url`. Keeps nothing but its session token."""

    def __init__(self, url: str, clock: Clock, *, limit: timedelta = LIMIT) -> None:
        self._url = url
        self._clock = clock
        self._exchange = Exchange(ISSUER, _ADVICE, limit=limit)
        self._token: str | None = None
        self._tokenless_since = float("-inf")

    async def obtain(self) -> AccessKey:
        """The key as the service has it now. Four requests at most."""
        if self._token is None and not self._is_tokenless():
            await self._renew_token()
        reply = await self._ask_for_key()
        if reply.status == _UNAUTHORIZED and _NO_AGENCY not in reply.body:
            # The session token has run out, or tokens have become required: one new one, one more try.
            await self._renew_token()
            reply = await self._ask_for_key()
        if reply.status != _OK:
            raise self._refused(reply)
        return read_issued_key(reply.body, ISSUER, self._clock.now())

    def _is_tokenless(self) -> bool:
        return self._clock.monotonic() - self._tokenless_since < _TOKENLESS_FOR.total_seconds()

    async def _renew_token(self) -> None:
        self._token = None
        reply = await self._exchange.ask("PUT", f"{self._url}{_TOKEN_PATH}", _LASTING)
        if reply.status in _WITHOUT_TOKENS:
            self._tokenless_since = self._clock.monotonic()
            return
        if reply.status != _OK:
            raise CredentialsUnavailable(f"{ISSUER} refused a session token: {reply.words()}; {_ADVICE}")
        token = reply.body.decode("ascii", "replace").strip()
        # A page of HTML may be one word, too.
        if _TOKEN.fullmatch(token) is None:
            raise CredentialsUnavailable(f"{ISSUER} answered with something that is no session token; {_ADVICE}")
        redact(token)
        self._token = token

    async def _ask_for_key(self) -> Reply:
        headers = {_TOKEN_HEADER: self._token} if self._token else {}
        return await self._exchange.ask("GET", f"{self._url}{_KEY_PATH}", headers)

    def _refused(self, reply: Reply) -> CredentialsUnavailable:
        if _NO_AGENCY in reply.body or reply.status == _NOT_FOUND:
            return CredentialsUnavailable(f"{ISSUER} has no credentials ({reply.status}): {_SET_AGENCY}")
        said = reply.words(self._token or "")
        if reply.status == _UNAUTHORIZED:
            # Not with this token: the next attempt begins anew.
            self._token = None
        return CredentialsUnavailable(f"{ISSUER} gave no credentials: {said}; {_ADVICE}")
