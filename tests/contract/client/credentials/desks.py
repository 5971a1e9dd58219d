"""The three issuers as the operator asks them, each against an address of the test's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from modelarts_nodepool.credentials.metadata import MetadataSource
from modelarts_nodepool.credentials.oidc import OidcSource
from modelarts_nodepool.credentials.pod_identity import PodIdentitySource
from modelarts_nodepool.ports import KeySource

NOON = 1_767_355_200.0
ID_TOKEN = "eyJhbGciOiJub25lIn0.CANARYTOKENOFTHEPOD.c2lnbmF0dXJl"
SOURCES = ("Metadata", "PodIdentity", "OIDC")
KEY_OPERATIONS = {
    "Metadata": "issue_metadata_key",
    "PodIdentity": "issue_pod_identity_key",
    "OIDC": "issue_oidc_key",
}
SHORT = timedelta(seconds=0.5)
USUAL = timedelta(seconds=5)


@dataclass
class Clocks:
    """Both clocks of the operator, and the simulator's, as one that is moved by hand."""

    seconds: float = NOON

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, span: timedelta) -> None:
        self.seconds += span.total_seconds()


@dataclass
class SimulatorClock:
    """The same time as the simulator reads it."""

    clocks: Clocks

    def now(self) -> float:
        return self.clocks.seconds


def environment(endpoint: str, token_file: Path) -> dict[str, str]:
    """The login variables of a Pod whose agent is at `endpoint`."""
    return {
        "HC_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint}/v1/credentials",
        "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
        "HUAWEICLOUD_OIDC_PROVIDER_URN": "iam::0123:oidcProvider:cluster",
        "HUAWEICLOUD_OIDC_AGENCY_URN": "iam::0123:agency:node-pools",
        "HUAWEICLOUD_OIDC_TOKEN_FILE": str(token_file),
    }


def a_source(
    name: str,
    endpoint: str,
    token_file: Path,
    clocks: Clocks | None = None,
    *,
    limit: timedelta = USUAL,
    more: Mapping[str, str] = MappingProxyType({}),
) -> KeySource:
    """One of SOURCES at this address; `more` are further variables."""
    clocks, variables = clocks or Clocks(), environment(endpoint, token_file) | dict(more)
    match name:
        case "Metadata":
            return MetadataSource(endpoint, clocks, limit=limit)
        case "PodIdentity":
            return PodIdentitySource(variables, clocks, limit=limit)
        case _:
            return OidcSource(endpoint, variables, clocks, limit=limit)
