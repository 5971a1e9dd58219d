"""Whose certificates are believed where the cloud is spoken to. Built once by app.py, used by every client.

Nothing here, and no flag or variable, turns verification off.
"""

import os
import ssl
from pathlib import Path

import httpx

from modelarts_nodepool.errors import SettingsError

_HOW = "it has to be a file of PEM certificates (-----BEGIN CERTIFICATE-----); see: openssl x509 -noout -subject -in"


def build_trust(ca_bundle: Path | None = None) -> ssl.SSLContext:
    """The public authorities, or those of SSL_CERT_FILE or SSL_CERT_DIR, and besides them the ones in `ca_bundle`.

    Raises errors.SettingsError where one of them cannot be read or holds no certificate.
    """
    trust = _usual_trust()
    if ca_bundle is not None:
        _add(trust, ca_bundle)
    return trust


def _usual_trust() -> ssl.SSLContext:
    # The library takes the first of the two, and none of its certificates where it is a folder that does not exist.
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and folder and not Path(folder).is_dir():
        raise SettingsError(
            f"SSL_CERT_DIR is {folder}, which is no folder; name the folder that holds them, or unset it"
        )
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise SettingsError(f"SSL_CERT_FILE is {file}, which cannot be used: {_why(error)}; {_HOW} {file}") from error


def _add(trust: ssl.SSLContext, ca_bundle: Path) -> None:
    try:
        # On its own first: beside some hundred public authorities, a file without one would not be noticed.
        alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        alone.load_verify_locations(cafile=ca_bundle)
        trust.load_verify_locations(cafile=ca_bundle)
    except OSError as error:
        raise SettingsError(f"the CA bundle {ca_bundle} cannot be used: {_why(error)}; {_HOW} {ca_bundle}") from error
    if not alone.cert_store_stats()["x509"]:
        raise SettingsError(f"the CA bundle {ca_bundle} holds no certificate; {_HOW} {ca_bundle}")


def _why(error: OSError) -> str:
    # OpenSSL's own words name a line of its source.
    return "no certificate can be read in it" if isinstance(error, ssl.SSLError) else str(error.strerror)
