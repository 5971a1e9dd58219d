"""The issuers of keys for accounts without a Secret: one refresher for all accounts with the same source.

Built by app.py with the operator's environment, used by access/sessions.py. The identity is the operator's own:
docs/decisions/0010-pin-the-cloud-identity.md says what that means for those who may write accounts.
"""

import ssl
from collections.abc import Mapping
from types import MappingProxyType

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.credentials import metadata, oidc, pod_identity
from modelarts_nodepool.credentials.refresher import Refresher
from modelarts_nodepool.ports import Clock, Credentials

_VARIABLES = ("HC_CONTAINER_", "HUAWEICLOUD_OIDC_")
_CHECK_AGENCY = "check that the agency {which} still exists and belongs to the account of the project"
_REMEDIES = {
    CredentialsSource.METADATA: _CHECK_AGENCY.format(which="of the operator's node"),
    CredentialsSource.POD_IDENTITY: _CHECK_AGENCY.format(which="in the pod identity association"),
    CredentialsSource.OIDC: _CHECK_AGENCY.format(which=f"in {oidc.AGENCY_VARIABLE}"),
}


def login_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that identify the operator to the cloud."""
    return {name: value for name, value in environment.items() if name.startswith(_VARIABLES)}


class Providers:
    """Refreshers by source, for OIDC also by region: its token service is that of the account's region."""

    def __init__(
        self,
        clock: Clock,
        environment: Mapping[str, str] = MappingProxyType({}),
        *,
        trust: ssl.SSLContext | None = None,
        metadata_endpoint: str | None = None,
        sts_endpoint: str | None = None,
    ) -> None:
        """`environment` holds the process' login variables. Raises errors.SettingsError for a bad endpoint."""
        self._clock = clock
        self._environment = environment
        self._trust = trust
        self._metadata_url = (
            metadata.check_metadata_endpoint(metadata_endpoint) if metadata_endpoint else metadata.METADATA_URL
        )
        self._sts_url = oidc.check_sts_endpoint(sts_endpoint) if sts_endpoint else None
        self._refreshers: dict[tuple[CredentialsSource, str], Refresher] = {}

    def credentials_from(self, source: CredentialsSource, region: str) -> Credentials:
        """The credentials of this source, which is not Secret."""
        url = self._sts_url or oidc.sts_url(region) if source is CredentialsSource.OIDC else ""
        if (source, url) not in self._refreshers:
            self._refreshers[source, url] = self._build(source, url)
        return self._refreshers[source, url]

    async def aclose(self) -> None:
        """Stop all refreshes."""
        for refresher in self._refreshers.values():
            await refresher.aclose()

    def _build(self, source: CredentialsSource, url: str) -> Refresher:
        clock, remedy = self._clock, _REMEDIES[source]
        if source is CredentialsSource.METADATA:
            return Refresher(metadata.MetadataProvider(self._metadata_url, clock), clock, metadata.ISSUER, remedy)
        if source is CredentialsSource.POD_IDENTITY:
            agent = pod_identity.PodIdentityProvider(self._environment, clock, self._trust)
            return Refresher(agent, clock, pod_identity.ISSUER, remedy)
        sts = oidc.OidcProvider(url, self._environment, clock, self._trust)
        return Refresher(sts, clock, oidc.ISSUER, remedy)
