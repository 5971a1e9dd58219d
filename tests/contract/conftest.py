"""A certificate that nobody knows, and the server side that has it."""

import ssl
import subprocess
from pathlib import Path

import pytest

from modelarts_nodepool.modelarts.tls import build_trust

# 2001:db8::/32 and .invalid lead nowhere: only a proxy can say where they are.
NAMES = "IP:127.0.0.1,IP:2001:db8::1,DNS:modelarts.invalid"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for NAMES, with its key in the same folder."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
    names = ["-addext", f"subjectAltName={NAMES}", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*command.split(), *names], cwd=folder, check=True, capture_output=True)  # noqa: S603 - a fixed command
    return folder / "cert.pem"


@pytest.fixture(scope="session")
def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@pytest.fixture(scope="session")
def trust(certificate: Path) -> ssl.SSLContext:
    """What `--ca-bundle` with this certificate makes."""
    return build_trust(certificate)
