"""The certificate authorities that the operator trusts for the cloud. Built once by app.py, used by every client.

Nothing turns verification off: no code, no flag, no variable.
"""

import os
import ssl
from pathlib import Path

import httpx

from modelarts_nodepool.errors import SettingsError

_HOW = "it must be a file of PEM certificates (-----BEGIN CERTIFICATE-----); see: openssl x509 -noout -subject -in"


def build_trust(ca_bundle: Path | None = None) -> ssl.SSLContext:
    """The public authorities, or those of SSL_CERT_FILE or SSL_CERT_DIR, and in addition those in `ca_bundle`.

    Raises errors.SettingsError if one of these cannot be read or holds no certificate.
    """
    trust = _usual_trust()
    if ca_bundle is not None:
        _add(trust, ca_bundle)
    return trust


def _usual_trust() -> ssl.SSLContext:
    # The library uses the first variable that is set, and loads nothing from a folder that does not exist.
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and folder and not Path(folder).is_dir():
        raise SettingsError(
            f"SSL_CERT_DIR is {folder}, which is not a folder; set it to the folder of the certificates, or unset it"
        )
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise SettingsError(f"SSL_CERT_FILE is {file}, which cannot be used: {_cause(error)}; {_HOW} {file}") from error


def _add(trust: ssl.SSLContext, ca_bundle: Path) -> None:
    try:
        # Alone first: among some hundred public authorities, a file without a certificate would go unnoticed.
        alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        alone.load_verify_locations(cafile=ca_bundle)
        trust.load_verify_locations(cafile=ca_bundle)
    except OSError as error:
        raise SettingsError(f"the CA bundle {ca_bundle} cannot be used: {_cause(error)}; {_HOW} {ca_bundle}") from error
    if not alone.cert_store_stats()["x509"]:
        raise SettingsError(f"the CA bundle {ca_bundle} holds no certificate; {_HOW} {ca_bundle}")


def _cause(error: OSError) -> str:
    # The message of OpenSSL names a line of its source.
    return "it holds no readable certificate" if isinstance(error, ssl.SSLError) else str(error.strerror)
