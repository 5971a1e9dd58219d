"""The three issuers as the operator asks them, each against an address of the test's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from modelarts_nodepool.credentials.metadata import MetadataProvider
from modelarts_nodepool.credentials.oidc import OidcProvider
from modelarts_nodepool.credentials.pod_identity import PodIdentityProvider
from modelarts_nodepool.ports import KeyProvider
from tests.support.clocks import HandClock

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
class SimulatorClock:
    """The operator's clock as the simulator reads it."""

    clock: HandClock

    def now(self) -> float:
        return self.clock.now().timestamp()


def environment(endpoint: str, token_file: Path) -> dict[str, str]:
    """The login variables of a Pod whose agent is at `endpoint`."""
    return {
        "HC_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint}/v1/credentials",
        "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
        "HUAWEICLOUD_OIDC_PROVIDER_URN": "iam::0123:oidcProvider:cluster",
        "HUAWEICLOUD_OIDC_AGENCY_URN": "iam::0123:agency:node-pools",
        "HUAWEICLOUD_OIDC_TOKEN_FILE": str(token_file),
    }


def a_provider(
    name: str,
    endpoint: str,
    token_file: Path,
    clock: HandClock | None = None,
    *,
    limit: timedelta = USUAL,
    more: Mapping[str, str] = MappingProxyType({}),
) -> KeyProvider:
    """One of SOURCES at this address; `more` are further variables."""
    clock, variables = clock or HandClock(), environment(endpoint, token_file) | dict(more)
    match name:
        case "Metadata":
            return MetadataProvider(endpoint, clock, limit=limit)
        case "PodIdentity":
            return PodIdentityProvider(variables, clock, limit=limit)
        case _:
            return OidcProvider(endpoint, variables, clock, limit=limit)
