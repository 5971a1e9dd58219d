"""Where the ModelArts API of a region is. Called by app.py with the `--endpoint` settings.

The endpoint comes from the table of regions (api/regions.py) or from the operator's own settings, never from an
object: whoever may write an object must not be able to send signed requests elsewhere. A region that neither knows has
no endpoint, and nothing is sent.
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

# Their hosts all follow this pattern in those tables, but for one: they give ap-southeast-1 the domain
# myhuaweicloud.cn, where every other published configuration has .com, and so have we; whoever finds the other one
# right says --endpoint ap-southeast-1=https://….
_PATTERN = "https://modelarts.{region}.myhuaweicloud.com"
# How Huawei Cloud names its own regions. One that is newer than the table most likely follows the pattern.
_HUAWEI_CLOUD = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_REGION = re.compile(REGION_PATTERN.removeprefix("^").removesuffix("$"))
_HOST = re.compile(r"[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?|[0-9A-Fa-f:.]+")
_WORD = re.compile(r"[-_0-9A-Za-z]{0,63}")
_FLAG = "--endpoint"
_EXAMPLE = f"write for example {_FLAG} cn-north-4=https://modelarts.cn-north-4.myhuaweicloud.com"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A region's API: `url` has scheme, host and perhaps a port, no path."""

    region: str
    url: str

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: no proxy is asked then, and http:// is allowed."""
        return is_loopback(urlsplit(self.url).hostname or "")


def endpoint_of(region: str, overrides: Mapping[str, Endpoint] | None = None) -> Endpoint:
    """The operator's own setting for this region, else its address in the table. Raises errors.EndpointUnknown."""
    if overrides and region in overrides:
        return overrides[region]
    if region not in KNOWN_REGIONS:
        raise EndpointUnknown(_unknown(region))
    return Endpoint(region, _PATTERN.format(region=region))


def _unknown(region: str) -> str:
    """What to set where; for a mistyped region, which one is meant."""
    close = get_close_matches(region, KNOWN_REGIONS, n=1, cutoff=0.8)
    meant = f" (is {close[0]} meant? Then create another account: a region cannot be changed)" if close else ""
    host = _PATTERN.format(region=region) if _HUAWEI_CLOUD.fullmatch(region) else "https://HOST"
    return (
        f"the address of ModelArts in region {region} is not known, so nothing is sent: it is neither among the "
        f"{len(KNOWN_REGIONS)} regions that this version knows{meant} nor in the operator's settings. Set it there: "
        f"{_FLAG} {region}={host}, with Helm --set operator.endpoints.{region}={host}"
    )


def parse_endpoints(texts: Iterable[str]) -> dict[str, Endpoint]:
    """All `--endpoint` values by region; naming a region twice is an error."""
    found: dict[str, Endpoint] = {}
    for text in texts:
        endpoint = parse_endpoint(text)
        if endpoint.region in found:
            raise SettingsError(f"{_FLAG} names region {endpoint.region} twice; leave one out")
        found[endpoint.region] = endpoint
    return found


def parse_endpoint(text: str) -> Endpoint:
    """`REGION=URL`. Without a scheme it is https; http only for this machine; a path is refused."""
    region, equals, url = text.strip().partition("=")
    if not equals or not url:
        raise SettingsError(f"{_FLAG} needs REGION=URL; {_EXAMPLE}")
    _check_region(region)
    # No message quotes the URL: it might hold a password.
    parts = _split(url if "://" in url else f"https://{url}", region)
    host = (parts.hostname or "").lower()
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"{_FLAG} for {region} holds a user name; credentials belong into a Secret")
    if not host or _HOST.fullmatch(host) is None:
        raise SettingsError(f"{_FLAG} for {region} has no valid host; {_EXAMPLE}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise SettingsError(f"{_FLAG} for {region} has a path; the API has no prefix: leave away what follows the host")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsError(f"{_FLAG} for {region} is http://, which is only for loopback; use https://")
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
        raise SettingsError(f"{_FLAG} for {region} is no URL; {_EXAMPLE}")
    return urlsplit(url)


def _check_region(region: str) -> None:
    if _REGION.fullmatch(region) is None:
        # What looks like a URL may hold a password.
        shown = repr(region) if _WORD.fullmatch(region) else "what stands before the equals sign"
        raise SettingsError(f"{shown} is no region (such as cn-north-4); {_EXAMPLE}")
