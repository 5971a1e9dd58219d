"""Which issuer gives the credentials of an account that has no Secret, one keeper for all accounts that share it.

Built by app.py with the operator's own environment, asked by access/sessions.py. The identity is the operator's:
docs/decisions/0010-pin-the-cloud-identity.md says what that means for whoever may write accounts.
"""

import ssl
from collections.abc import Mapping
from types import MappingProxyType

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.credentials import metadata, oidc, pod_identity
from modelarts_nodepool.credentials.addresses import METADATA_URL, check_metadata_endpoint, check_sts_endpoint, sts_url
from modelarts_nodepool.credentials.refresher import Keeper
from modelarts_nodepool.ports import Clock, Keys

_VARIABLES = ("HC_CONTAINER_", "HUAWEICLOUD_OIDC_")
_REMEDIES = {
    CredentialsSource.METADATA: "see whether the agency of the operator's node still exists and is one of the "
    "project's account",
    CredentialsSource.POD_IDENTITY: "see whether the agency that the pod identity association names still exists and "
    "is one of the project's account",
    CredentialsSource.OIDC: "see whether the agency that HUAWEICLOUD_OIDC_AGENCY_URN names still exists and is one of "
    "the project's account",
}


def login_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables of a process that say who it is to the cloud."""
    return {name: value for name, value in environment.items() if name.startswith(_VARIABLES)}


class Sources:
    """Keepers by source, and for OIDC by region: its token service is the account's region's."""

    def __init__(
        self,
        clock: Clock,
        environment: Mapping[str, str] = MappingProxyType({}),
        *,
        trust: ssl.SSLContext | None = None,
        metadata_endpoint: str | None = None,
        sts_endpoint: str | None = None,
    ) -> None:
        """`environment` are the login variables of the process. Raises errors.SettingsError for a bad endpoint."""
        self._clock = clock
        self._environment = environment
        self._trust = trust
        self._metadata_url = check_metadata_endpoint(metadata_endpoint) if metadata_endpoint else METADATA_URL
        self._sts_url = check_sts_endpoint(sts_endpoint) if sts_endpoint else None
        self._keepers: dict[tuple[CredentialsSource, str], Keeper] = {}

    def keys_of(self, source: CredentialsSource, region: str) -> Keys:
        """The keys of this source, which is any but Secret."""
        url = self._sts_url or sts_url(region) if source is CredentialsSource.OIDC else ""
        if (source, url) not in self._keepers:
            self._keepers[source, url] = self._build(source, url)
        return self._keepers[source, url]

    async def aclose(self) -> None:
        """Stop all refreshes."""
        for keeper in self._keepers.values():
            await keeper.aclose()

    def _build(self, source: CredentialsSource, url: str) -> Keeper:
        clock, remedy = self._clock, _REMEDIES[source]
        if source is CredentialsSource.METADATA:
            return Keeper(metadata.MetadataSource(self._metadata_url, clock), clock, metadata.ISSUER, remedy)
        if source is CredentialsSource.POD_IDENTITY:
            agent = pod_identity.PodIdentitySource(self._environment, clock, self._trust)
            return Keeper(agent, clock, pod_identity.ISSUER, remedy)
        return Keeper(oidc.OidcSource(url, self._environment, clock, self._trust), clock, oidc.ISSUER, remedy)
