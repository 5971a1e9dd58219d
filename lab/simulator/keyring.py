"""Who may call: the credentials, their bad signatures, their locks. gateway.py asks once per request."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.simulator.refusals import not_allowed, token_expired, unauthenticated, wrong_project
from lab.simulator.routes import Route
from lab.simulator.scenario import Credential, Timings, Token
from lab.simulator.signatures import (
    Authorization,
    SignedRequest,
    expected_signature,
    parse_authorization,
)
from lab.simulator.world import World

MAX_SKEW_SECONDS = 15 * 60
BAD_SIGNATURES_BEFORE_LOCK = 5
DATE_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(slots=True)
class Key:
    """A credential and how its signatures fared. `locked_at` is None where it is not locked.

    `ends` is when a temporary key ends, None for one that lasts.
    """

    credential: Credential
    ends: float | None = None
    bad_signatures: int = 0
    locked_at: float | None = None

    def is_locked(self, now: float, lock_seconds: float) -> bool:
        """Whether too many bad signatures still lock it. A lock that ran out is forgotten."""
        if self.locked_at is not None and now >= self.locked_at + lock_seconds:
            self.locked_at, self.bad_signatures = None, 0
        return self.locked_at is not None


class Keyring:
    """All credentials by access key, all IAM tokens by their text."""

    def __init__(self, credentials: list[Credential], tokens: list[Token]) -> None:
        self.keys = {credential.access_key: Key(credential) for credential in credentials}
        self.tokens = {token.token: token for token in tokens}

    def authenticate(
        self, request: SignedRequest, authorization: Authorization, now: float, timings: Timings
    ) -> Credential:
        """The credential that signed the request; raises RefusedError with the verdict for the request log."""
        key = self.keys.get(authorization.access_key)
        if key is None:
            raise unauthenticated(f"ak {authorization.access_key} not exist", "unknownKey")
        if key.is_locked(now, timings.lock_seconds):
            raise unauthenticated(
                f"AK access failed to reach the limit, forbidden: {authorization.access_key}", "locked"
            )
        _check_date(request, authorization, now + timings.clock_skew_seconds)
        self._check_signature(key, request, authorization, now)
        _check_token(key.credential, request, authorization)
        if key.ends is not None and now >= key.ends:
            raise unauthenticated("the security token has expired", "expired")
        return key.credential

    def recognise(self, text: str) -> Token:
        """The IAM token of an X-Auth-Token header; raises RefusedError where it is not good, or not any more."""
        token = self.tokens.get(text)
        if token is None:
            raise unauthenticated("decrypt token fail", "badToken")
        if token.expired:
            raise token_expired()
        return token

    def put(self, credential: Credential, ends: float | None = None) -> None:
        """Add a credential or replace it; its bad signatures are forgotten."""
        self.keys[credential.access_key] = Key(credential, ends)

    def _check_signature(self, key: Key, request: SignedRequest, authorization: Authorization, now: float) -> None:
        expected = expected_signature(request, authorization.signed_headers, key.credential.secret_key)
        if hmac.compare_digest(expected, authorization.signature):
            key.bad_signatures = 0
            return
        key.bad_signatures += 1
        if key.bad_signatures > BAD_SIGNATURES_BEFORE_LOCK:
            key.locked_at = now
        raise unauthenticated("verify aksk signature fail", "invalid")


def read_authorization(request: SignedRequest) -> Authorization:
    """Who says to have signed the request; RefusedError where nobody does."""
    value = request.headers.get("authorization")
    if value is None:
        raise unauthenticated("no Authorization header", "missing")
    authorization = parse_authorization(value)
    if authorization is None:
        raise unauthenticated("the Authorization header is malformed", "malformed")
    return authorization


def authorize(credential: Credential | Token, route: Route, world: World) -> None:
    """Raise RefusedError where who is known may not enter this project or call this operation."""
    if route.project_id != (credential.project_id or world.project_id):
        raise wrong_project(route.project_id)
    if credential.allow is not None and route.operation not in credential.allow:
        raise not_allowed(route.operation, is_encoded=world.shape.encoded_authorization_message)


def _check_date(request: SignedRequest, authorization: Authorization, now: float) -> None:
    if "x-sdk-date" not in authorization.signed_headers:
        raise unauthenticated("X-Sdk-Date must be a signed header", "malformed")
    try:
        signed_at = datetime.strptime(request.headers.get("x-sdk-date", ""), DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise unauthenticated("X-Sdk-Date is not of the form YYYYMMDDTHHMMSSZ", "malformed") from error
    if abs(now - signed_at.timestamp()) > MAX_SKEW_SECONDS:
        raise unauthenticated("X-Sdk-Date differs from the server's time by more than 15 minutes", "clockSkew")


def _check_token(credential: Credential, request: SignedRequest, authorization: Authorization) -> None:
    token = request.headers.get("x-security-token")
    if token is None and credential.security_token is None:
        return
    if token != credential.security_token or "x-security-token" not in authorization.signed_headers:
        raise unauthenticated("X-Security-Token is missing, wrong or not signed", "badToken")
