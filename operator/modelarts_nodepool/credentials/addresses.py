"""Which addresses an issuer of credentials may have. Pure. None of them ever comes from an object.

Plain http only where nobody in between can listen: the link-local metadata address, loopback, private addresses of
an agent on the node. No message quotes a URL: it might hold a password.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from modelarts_nodepool.api.regions import KNOWN_REGIONS
from modelarts_nodepool.errors import CredentialsUnavailable, SettingsError

# The address of the instance metadata service of ECS, fixed by the cloud.
METADATA_URL = "http://169.254.169.254"
# In every region for which the official SDKs know an endpoint of STS (Python SDK 3.1.219, auth/endpoint.py).
_STS_PATTERN = "https://sts.{region}.myhuaweicloud.com"


def sts_url(region: str) -> str:
    """The public address of the security token service in a region. Raises CredentialsUnavailable where it is unknown.

    In a region of another cloud the name would be of a host that has nothing to do with that cloud.
    """
    if region not in KNOWN_REGIONS:
        raise CredentialsUnavailable(
            f"the address of the security token service in region {region} is not known, and source OIDC needs it; set "
            "MODELARTS_NODEPOOL_STS_ENDPOINT=https://HOST in the operator's environment (flag --sts-endpoint)"
        )
    return _STS_PATTERN.format(region=region)


def check_sts_endpoint(text: str) -> str:
    """The value of --sts-endpoint without a slash at its end. Raises SettingsError."""
    url = _split(text)
    if url is None or url.path not in {"", "/"} or not _has_safe_scheme(url, is_loopback(url.hostname or "")):
        raise SettingsError(
            "--sts-endpoint is not https://HOST[:PORT] (http:// only for loopback, no path, no user name); write for "
            f"example {_STS_PATTERN.format(region='cn-north-4')}"
        )
    return text.rstrip("/")


def check_metadata_endpoint(text: str) -> str:
    """The value of --metadata-endpoint: the cloud's own address, or a stand-in on this machine, for tests."""
    url = _split(text)
    is_stand_in = url is not None and url.scheme == "http" and is_loopback(url.hostname or "")
    if url is None or url.path not in {"", "/"} or (not is_stand_in and text.rstrip("/") != METADATA_URL):
        raise SettingsError(
            f"--metadata-endpoint may only be {METADATA_URL} or http:// to loopback: whoever answers there gives the "
            "operator its identity; leave the flag out"
        )
    return text.rstrip("/")


def check_agent_url(text: str, variable: str) -> str:
    """The address of the pod identity agent as the environment names it. Raises CredentialsUnavailable."""
    url = _split(text)
    if url is None or not _has_safe_scheme(url, _is_near(url.hostname or "")):
        raise CredentialsUnavailable(
            f"{variable} in the operator's environment is no URL that its token may be sent to: https://…, or http:// "
            "to a link-local, loopback or private address; let CCE set it, see docs/operations/credentials.md"
        )
    return text


def is_loopback(host: str) -> bool:
    """Whether it is this machine."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _is_near(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_private and not address.is_unspecified


def _has_safe_scheme(url: SplitResult, is_near: bool) -> bool:  # noqa: FBT001 - read aloud it is plain
    return url.scheme == "https" or (url.scheme == "http" and is_near)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _split(text: str) -> SplitResult | None:
    """The parts of a URL, None where it is none or holds what no issuer's address holds."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        url = urlsplit(text)
        is_readable = bool(url.hostname) and url.port != 0
    except ValueError:
        return None
    return url if is_readable and not (url.username or url.password or url.query or url.fragment) else None
