import hashlib
import io
import tarfile
from pathlib import Path

import httpx
import pytest

from lab.controlplane import pins
from lab.controlplane.cache import Cache
from lab.controlplane.download import Download, Release, fetch, official_releases
from lab.controlplane.failures import DownloadError
from lab.controlplane.narration import Step
from tests.support.binary_doubles import Listener

CONTENT = b"\x7fELF and so on"
RELEASE = Release("https://files.test/v1/etcd", "https://files.test/v1/etcd.sha256")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def site(files: dict[str, bytes]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        content = files.get(request.url.path)
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

    return httpx.Client(transport=httpx.MockTransport(answer))


def an_archive(member: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(member)
        entry.size = len(CONTENT)
        archive.addfile(entry, io.BytesIO(CONTENT))
    return packed.getvalue()


def test_a_file_with_its_published_checksum_is_taken(tmp_path: Path) -> None:
    step = Step("")
    client = site({"/v1/etcd": CONTENT, "/v1/etcd.sha256": sha256(CONTENT).encode()})
    assert fetch(client, RELEASE, tmp_path, step).read_bytes() == CONTENT
    assert step.done == step.total == len(CONTENT)


def test_a_file_with_another_checksum_is_refused(tmp_path: Path) -> None:
    client = site({"/v1/etcd": CONTENT + b"!", "/v1/etcd.sha256": sha256(CONTENT).encode()})
    with pytest.raises(DownloadError, match="was published"):
        fetch(client, RELEASE, tmp_path, Step(""))


def test_the_line_of_a_list_that_names_the_file_counts(tmp_path: Path) -> None:
    listed = f"{sha256(b'other')}  other\n{sha256(CONTENT)} *etcd\n".encode()
    client = site({"/v1/etcd": CONTENT, "/v1/etcd.sha256": listed})
    assert fetch(client, RELEASE, tmp_path, Step("")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "published",
    [b"", b"<html>Please sign in</html>", f"{'0' * 64}  other\n".encode(), b"abc  etcd\n"],
    ids=["empty", "a sign-in page", "another file", "too short"],
)
def test_without_a_published_checksum_nothing_is_taken(tmp_path: Path, published: bytes) -> None:
    client = site({"/v1/etcd": CONTENT, "/v1/etcd.sha256": published})
    with pytest.raises(DownloadError, match="holds no checksum of etcd"):
        fetch(client, RELEASE, tmp_path, Step(""))


@pytest.mark.parametrize("files", [{}, {"/v1/etcd.sha256": sha256(CONTENT).encode()}], ids=["nothing", "the file"])
def test_a_file_that_is_not_there_is_a_download_error(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(DownloadError, match=r"files\.test: .*404"):
        fetch(site(files), RELEASE, tmp_path, Step(""))


def test_a_host_that_cannot_be_reached_is_a_download_error(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("timed out", request=request)

    with pytest.raises(DownloadError, match=r"files\.test: timed out"):
        fetch(httpx.Client(transport=httpx.MockTransport(refuse)), RELEASE, tmp_path, Step(""))


@pytest.mark.parametrize(
    ("packed", "holds"), [("etcd-v1/etcd", True), ("etcd-v1/etcdctl", False)], ids=["there", "not there"]
)
def test_the_named_member_is_taken_out_of_an_archive(tmp_path: Path, packed: str, *, holds: bool) -> None:
    archive = an_archive(packed)
    release = Release("https://files.test/etcd.tgz", "https://files.test/SHA256SUMS", "etcd-v1/etcd")
    client = site({"/etcd.tgz": archive, "/SHA256SUMS": f"{sha256(archive)}  etcd.tgz\n".encode()})
    if holds:
        assert fetch(client, release, tmp_path, Step("")).read_bytes() == CONTENT
    else:
        with pytest.raises(DownloadError, match="holds no file etcd-v1/etcd"):
            fetch(client, release, tmp_path, Step(""))


def test_every_binary_is_published_for_linux_and_over_tls() -> None:
    releases = official_releases(pins.Platform("linux", "arm64"))
    assert releases.keys() == pins.PACKAGES.keys()
    for release in releases.values():
        assert release.url.startswith("https://")
        assert release.checksum_url.startswith("https://")
        assert "arm64" in release.url


def test_a_platform_without_releases_is_told_before_any_request(tmp_path: Path) -> None:
    download = Download(official_releases(pins.Platform("darwin", "arm64")))
    with pytest.raises(DownloadError, match="no etcd is published for this platform"):
        download.obtain([pins.ETCD], Cache(tmp_path, "key"), Listener())
