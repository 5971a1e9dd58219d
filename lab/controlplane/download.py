"""Fetches the official release binaries, and takes none whose SHA-256 is not the published one.

`binaries.py` tries it before the Go build. Where the network does not lead there, it must fail within seconds.
"""

import hashlib
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.controlplane import pins
from lab.controlplane.cache import Cache
from lab.controlplane.failures import DownloadError
from lab.controlplane.narration import Narrator, Step

KUBERNETES_RELEASES = "https://dl.k8s.io/release"
ETCD_RELEASES = "https://github.com/etcd-io/etcd/releases/download"
TIMEOUT = httpx.Timeout(20.0, connect=3.0)
CHECKSUM_LIMIT_BYTES = 100_000
SHA256_DIGITS = 64


@dataclass(frozen=True)
class Release:
    """One published file, where its checksum is published, and what to take out of it if it is an archive."""

    url: str
    checksum_url: str
    member: str | None = None


def official_releases(here: pins.Platform) -> dict[str, Release]:
    """Every binary that is published for this platform; servers are published for Linux only."""
    if here.os != "linux":
        return {}
    folder = f"{KUBERNETES_RELEASES}/v{pins.KUBERNETES_VERSION}/bin/{here.os}/{here.arch}"
    releases = {
        name: Release(f"{folder}/{name}", f"{folder}/{name}.sha256")
        for name in (pins.APISERVER, pins.CONTROLLER_MANAGER, pins.KUBECTL)
    }
    etcd = f"{ETCD_RELEASES}/v{pins.ETCD_VERSION}"
    stem = f"etcd-v{pins.ETCD_VERSION}-{here.os}-{here.arch}"
    releases[pins.ETCD] = Release(f"{etcd}/{stem}.tar.gz", f"{etcd}/SHA256SUMS", f"{stem}/etcd")
    return releases


class Download:
    """A way to get binaries: over the network, into the cache, each as soon as it is whole and verified."""

    def __init__(self, releases: Mapping[str, Release]) -> None:
        self._releases = releases

    def obtain(self, names: Sequence[str], cache: Cache, narrator: Narrator) -> None:
        """Fetch all of them; the first that fails ends it with `DownloadError`."""
        for name in names:
            release = self._releases.get(name)
            if release is None:
                raise DownloadError(f"no {name} is published for this platform")
            with (
                cache.partial() as partial,
                httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client,
                narrator.step(f"Downloading {name}") as step,
            ):
                cache.install(name, fetch(client, release, partial, step))
            narrator.say(f"Downloaded {name} from {httpx.URL(release.url).host}, checksum verified.")


def fetch(client: httpx.Client, release: Release, folder: Path, step: Step) -> Path:
    """Download one release into the folder, verify it, and give the path of the binary."""
    target = folder / release.url.rpartition("/")[2]
    try:
        # The checksum first: it is small, so a network that leads nowhere costs one short wait.
        published = published_checksum(client, release)
        actual = _stream(client, release.url, target, step)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(f"{httpx.URL(release.url).host}: {error}") from error
    if actual != published:
        raise DownloadError(f"{release.url} has SHA-256 {actual}, but {published} was published")
    return target if release.member is None else _extract(target, release.member, folder)


def published_checksum(client: httpx.Client, release: Release) -> str:
    """The SHA-256 from the file beside the release: bare, or on the line that names the file."""
    response = client.get(release.checksum_url)
    response.raise_for_status()
    name = release.url.rpartition("/")[2]
    for line in response.text[:CHECKSUM_LIMIT_BYTES].splitlines():
        words = line.split()
        is_ours = len(words) == 1 or (len(words) > 1 and words[-1].lstrip("*") == name)
        if is_ours and len(words[0]) == SHA256_DIGITS:
            return words[0].lower()
    raise DownloadError(f"{release.checksum_url} holds no checksum of {name}")


def _stream(client: httpx.Client, url: str, target: Path, step: Step) -> str:
    digest = hashlib.sha256()
    with client.stream("GET", url) as response, target.open("wb") as out:
        response.raise_for_status()
        step.total = int(response.headers.get("Content-Length", 0)) or None
        for block in response.iter_bytes(1 << 18):
            digest.update(block)
            out.write(block)
            step.done += len(block)
            step.detail = f"{step.done / 1e6:.0f} MB"
    return digest.hexdigest()


def _extract(archive: Path, member: str, folder: Path) -> Path:
    target = folder / "extracted"
    with tarfile.open(archive) as opened, target.open("wb") as out:
        for entry in opened:
            if entry.name == member and (source := opened.extractfile(entry)):
                shutil.copyfileobj(source, out)
                return target
    raise DownloadError(f"{archive.name} holds no file {member}")
