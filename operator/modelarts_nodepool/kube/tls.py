"""TLS contexts for the API server, as strict as Go's: from files, from data, from what a credential plugin gave.

Called by kube/auth.py. A new certificate gets a new context, so that no connection opened with the old one is used.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.kube.access import Trust


def build_context(
    trust: Trust, authorities: bytes, certificate: tuple[bytes, bytes] | None, where: str
) -> ssl.SSLContext:
    """`authorities` are PEM certificates, empty for those of the system; `where` names the source in messages.

    Raises errors.SettingsError.
    """
    tls = _believing(authorities, has_file=bool(trust.ca_file), where=where)
    # Python 3.13 asks more of a CA than kubectl does; clusters with such CAs are common.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Go believes each certificate that it is given, a server's own and one in the middle of a chain, too.
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Go reads subjectAltName alone.
    tls.hostname_checks_common_name = False
    if not trust.is_verified:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _load(tls, certificate, where)
    return tls


def _believing(authorities: bytes, *, has_file: bool, where: str) -> ssl.SSLContext:
    if not authorities and not has_file:
        return ssl.create_default_context()
    try:
        # Never "": Python would believe the authorities of the system in place of an empty file.
        return ssl.create_default_context(cadata=authorities.decode("ascii", "ignore") or "\n")
    except (OSError, ValueError):
        raise SettingsError(
            f"The certificate authority of the API server ({where}) cannot be read: it has to be PEM certificates "
            "(-----BEGIN CERTIFICATE-----). See kubectl config view --minify."
        ) from None


def _load(tls: ssl.SSLContext, certificate: tuple[bytes, bytes], where: str) -> None:
    def refuse() -> str:
        # Without this OpenSSL asks at the terminal, and waits.
        raise PermissionError("the key is encrypted, which is not supported")

    try:
        with as_files(certificate) as (certificate_file, key_file):
            tls.load_cert_chain(certificate_file, key_file, refuse)
    except (OSError, ValueError) as error:
        why = str(error) if isinstance(error, PermissionError) else "both have to be PEM, and belong together"
        raise SettingsError(
            f"The client certificate or key for the API server ({where}) cannot be used: {why}. "
            "See kubectl config view --minify."
        ) from None


@contextmanager
def as_files(contents: tuple[bytes, bytes]) -> Iterator[list[str]]:
    """Paths to read these contents from while the block lasts, for OpenSSL reads files only.

    On Linux they never reach a disk, and no folder has to be writable.
    """
    if not hasattr(os, "memfd_create"):
        with _as_temporary_files(contents) as paths:
            yield paths
        return
    descriptors = [os.memfd_create("tls") for _ in contents]
    try:
        for descriptor, content in zip(descriptors, contents, strict=True):
            os.write(descriptor, content)
        yield [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@contextmanager
def _as_temporary_files(contents: tuple[bytes, bytes]) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(number) for number, _ in enumerate(contents)]
        for path, content in zip(paths, contents, strict=True):
            path.touch(0o600)
            path.write_bytes(content)
        yield [str(path) for path in paths]
