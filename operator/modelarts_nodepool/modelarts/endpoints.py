"""The address of the ModelArts API in a region. Called by app.py with the `--endpoint` settings.

An endpoint comes from the table of regions (api/regions.py) or from the operator's settings, never from an object:
write access to an object must not redirect signed requests. For any other region nothing is sent.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import SplitResult, urlsplit

from modelarts_nodepool.api.names import REGION_PATTERN
from modelarts_nodepool.api.regions import KNOWN_REGIONS
from modelarts_nodepool.credentials.http_client import is_loopback
from modelarts_nodepool.errors import EndpointUnknown, SettingsError

# The hosts of all known regions follow this pattern. The tables of the SDKs give ap-southeast-1 the domain
# myhuaweicloud.cn; every other published configuration has .com. If .cn is right after all, set --endpoint.
_PATTERN = "https://modelarts.{region}.myhuaweicloud.com"
# The names of Huawei Cloud's own regions. A region that is newer than the table probably follows the pattern.
_HUAWEI_CLOUD = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_REGION = re.compile(REGION_PATTERN.removeprefix("^").removesuffix("$"))
_HOST = re.compile(r"[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?|[0-9A-Fa-f:.]+")
_WORD = re.compile(r"[-_0-9A-Za-z]{0,63}")
_FLAG = "--endpoint"
_EXAMPLE = f"for example {_FLAG} cn-north-4=https://modelarts.cn-north-4.myhuaweicloud.com"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A region's API. `url` has a scheme, a host and perhaps a port, but no path."""

    region: str
    url: str

    @property
    def is_loopback(self) -> bool:
        """Whether the endpoint is on this machine: then no proxy is used, and http:// is allowed."""
        return is_loopback(urlsplit(self.url).hostname or "")


def endpoint_of(region: str, overrides: Mapping[str, Endpoint] | None = None) -> Endpoint:
    """The operator's setting for this region, else its address in the table. Raises errors.EndpointUnknown."""
    if overrides and region in overrides:
        return overrides[region]
    if region not in KNOWN_REGIONS:
        raise EndpointUnknown(_unknown(region))
    return Endpoint(region, _PATTERN.format(region=region))


def _unknown(region: str) -> str:
    """Says which flag to set and, for a mistyped region, which region is probably meant."""
    close = get_close_matches(region, KNOWN_REGIONS, n=1, cutoff=0.8)
    meant = f" (did you mean {close[0]}? A region cannot be changed; create another account)" if close else ""
    host = _PATTERN.format(region=region) if _HUAWEI_CLOUD.fullmatch(region) else "https://HOST"
    return (
        f"the ModelArts endpoint of region {region} is not known; no request was sent. The region is neither among the "
        f"{len(KNOWN_REGIONS)} that this version knows{meant} nor in the operator's settings. Set its endpoint: "
        f"{_FLAG} {region}={host}, with Helm --set operator.endpoints.{region}={host}"
    )


def parse_endpoints(texts: Iterable[str]) -> dict[str, Endpoint]:
    """All `--endpoint` values by region. Raises errors.SettingsError, also for a region that is given twice."""
    found: dict[str, Endpoint] = {}
    for text in texts:
        endpoint = parse_endpoint(text)
        if endpoint.region in found:
            raise SettingsError(f"{_FLAG} has region {endpoint.region} twice; remove one")
        found[endpoint.region] = endpoint
    return found


def parse_endpoint(text: str) -> Endpoint:
    """`REGION=URL`. The default scheme is https; http is allowed for loopback only; a path is an error."""
    region, equals, url = text.strip().partition("=")
    if not equals or not url:
        raise SettingsError(f"{_FLAG} needs REGION=URL; {_EXAMPLE}")
    _check_region(region)
    # No message quotes the URL: it can contain a password.
    parts = _split(url if "://" in url else f"https://{url}", region)
    host = (parts.hostname or "").lower()
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"{_FLAG} for {region} has a user name; put credentials into a Secret")
    if not host or _HOST.fullmatch(host) is None:
        raise SettingsError(f"{_FLAG} for {region} has no valid host; {_EXAMPLE}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise SettingsError(f"{_FLAG} for {region} has a path; the API has no prefix, so remove what follows the host")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsError(f"{_FLAG} for {region} is http://, which is allowed only for loopback; use https://")
    if parts.scheme not in {"http", "https"}:
        raise SettingsError(f"{_FLAG} for {region} is neither https:// nor http://; {_EXAMPLE}")
    shown = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port is not None else ""
    return Endpoint(region, f"{parts.scheme}://{shown}{port}")


def _split(url: str, region: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_readable = parts.port != 0 and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        is_readable = False
    if not is_readable:
        raise SettingsError(f"{_FLAG} for {region} is not a URL; {_EXAMPLE}")
    return urlsplit(url)


def _check_region(region: str) -> None:
    if _REGION.fullmatch(region) is None:
        # A value that looks like a URL can contain a password.
        shown = repr(region) if _WORD.fullmatch(region) else "the text before the equals sign"
        raise SettingsError(f"{shown} is not a region (such as cn-north-4); {_EXAMPLE}")
