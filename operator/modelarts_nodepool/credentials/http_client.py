"""One request to an issuer of credentials, one answer: bounded in time and size, never redirected, never repeated.

Called by metadata.py, pod_identity.py and oidc.py. A connection lives for one request: keys are asked for every few
minutes at most. Errors leave here without the exception that caused them, because that one carries the request.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

import httpx

from modelarts_nodepool.credentials.temporary_key import read_refusal
from modelarts_nodepool.errors import CredentialsUnavailable
from modelarts_nodepool.logs import clean

# For one whole request; the issuer is on the same node, or one hop away.
LIMIT = timedelta(seconds=5)
_REDIRECTS = range(300, 400)
_LONGEST_WORDS = 200
_LONGEST_SHARED = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and whole body, as the wire had it."""

    status: int
    body: bytes

    def words(self, *hidden: str) -> str:
        """What an error answer says, fit for a message. An answer that repeats part of a secret says nothing."""
        said = read_refusal(self.body)
        if any(_shares_much(said, secret) for secret in hidden):
            said = ""
        shown = clean(said, _LONGEST_WORDS)
        return f"{self.status} ({shown})" if shown else str(self.status)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The way to one issuer. `issuer` is how messages call it, `advice` what they end with where it is silent.

    `by_proxy`: whether proxies of the environment are honoured. A link-local address is never asked through a proxy:
    the proxy would be given the credentials of its own machine, or ours. `trust`: whose certificates are believed;
    None is nobody's.
    """

    issuer: str
    advice: str
    by_proxy: bool = False
    trust: ssl.SSLContext | None = None
    limit: timedelta = LIMIT
    body_bytes: int = 64 * 1024

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        content: Mapping[str, object] | None = None,
    ) -> Reply:
        """Send it once. Raises CredentialsUnavailable where no whole answer comes back, or a redirect."""
        sent = {"Content-Type": "application/json"} if content is not None else {}
        body = json.dumps(content).encode() if content is not None else None
        try:
            async with asyncio.timeout(self.limit.total_seconds()), self._connection() as connection:
                request = connection.build_request(method, url, headers={**sent, **(headers or {})}, content=body)
                reply = await self._exchange(connection, request)
        except TimeoutError:
            cause = f"did not answer within {self.limit.total_seconds():g} s"
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
            cause = f"cannot be asked ({_describe(error)})"
        else:
            if reply.status in _REDIRECTS:
                raise CredentialsUnavailable(
                    f"{self.issuer} answered with a redirect ({reply.status}), which is never followed; {self.advice}"
                )
            return reply
        raise CredentialsUnavailable(f"{self.issuer} {cause}; {self.advice}")

    def _connection(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self.trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            trust_env=self.by_proxy,
            follow_redirects=False,
            timeout=self.limit.total_seconds(),
            headers={
                "User-Agent": f"modelarts-nodepool-operator/{version('modelarts-nodepool-operator')}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )

    async def _exchange(self, connection: httpx.AsyncClient, request: httpx.Request) -> Reply:
        response = await connection.send(request, stream=True)
        body = bytearray()
        try:
            # Raw: what comes compressed nevertheless could be any size.
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self.body_bytes:
                    break
        finally:
            await response.aclose()
        if len(body) > self.body_bytes:
            raise CredentialsUnavailable(
                f"{self.issuer} answered with more than {self.body_bytes} bytes, which no credentials take; "
                f"reading stopped; {self.advice}"
            )
        return Reply(response.status_code, bytes(body))


def _describe(error: Exception) -> str:
    # Only for failures to connect does the text say more than the class, and it holds nothing of the request.
    words = clean(str(error), _LONGEST_WORDS) if isinstance(error, httpx.ConnectError) else ""
    return f"{type(error).__name__} {words}".strip()


def _shares_much(said: str, secret: str) -> bool:
    """Whether a piece of the secret stands in the words."""
    pieces = (secret[at : at + _LONGEST_SHARED] for at in range(max(len(secret) - _LONGEST_SHARED, 0) + 1))
    return any(piece and piece in said for piece in pieces)
