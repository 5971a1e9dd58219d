"""Where temporary keys come from in the false cloud: the state and the rules, without HTTP.

issuing.py speaks for it. The keys it makes sign requests to the same simulator until they end.
"""

import itertools
import secrets
from collections.abc import Callable

from lab.simulator.keyring import Keyring
from lab.simulator.scenario import Credential
from lab.simulator.scenario_issuers import Issuers

# So that a test can search everything there is for any secret that was ever issued.
SECRET_MARK, TOKEN_MARK = "SIMULATEDSECRET", "SIMULATEDTOKEN"


class IssuedKeys:
    """Makes temporary keys, and remembers which session tokens of the metadata service are good."""

    def __init__(self, settings: Issuers, keyring: Keyring, now: Callable[[], float]) -> None:
        self.settings = settings
        self._keyring = keyring
        self._now = now
        self._sessions: dict[str, float] = {}
        self._numbers = itertools.count(1)

    def open_session(self, seconds: float) -> str:
        """A session token of the metadata service that is good for so long."""
        token = f"{TOKEN_MARK}{secrets.token_urlsafe(40)}"
        self._sessions[token] = self._now() + seconds
        return token

    def is_open(self, token: str) -> bool:
        """Whether a session token is good."""
        return self._now() < self._sessions.get(token, 0)

    def issue(self, seconds: float | None = None) -> tuple[Credential, float]:
        """A key that the gateway accepts from now on, and when it ends; `seconds` is what was asked for."""
        lasting = self.settings.valid_seconds
        ends = self._now() + (lasting if seconds is None else min(seconds, lasting))
        credential = Credential(
            access_key=f"HST{next(self._numbers):04d}{secrets.token_hex(6).upper()}",
            secret_key=f"{SECRET_MARK}{secrets.token_urlsafe(30)}",
            security_token=f"{TOKEN_MARK}{secrets.token_urlsafe(300)}",
        )
        self._keyring.put(credential, ends)
        return credential, ends
