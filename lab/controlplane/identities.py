"""Who may speak to the control plane: tokens, the key that signs ServiceAccount tokens, kubeconfig files.

`plane.py` calls it once per start. Every file is readable by its owner only.
"""

import base64
import csv
import io
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml

CLUSTER = "modelarts-nodepool-lab"
ADMIN = "lab-admin"
# Order of the group of NIST P-256: a private key is a number from 1 to this, less one.
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Tokens:
    """The two bearer tokens that the API server is told by file."""

    admin: str
    controller_manager: str


def write_private(path: Path, text: str) -> Path:
    """Write a file that was never readable by anybody else."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)
    return path


def write_tokens(path: Path) -> Tokens:
    """Draw new tokens and write the file for --token-auth-file."""
    tokens = Tokens(secrets.token_hex(24), secrets.token_hex(24))
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow([tokens.admin, ADMIN, ADMIN, "system:masters"])
    rows.writerow([tokens.controller_manager, "system:kube-controller-manager", "system:kube-controller-manager"])
    write_private(path, table.getvalue())
    return tokens


def write_signing_key(path: Path) -> Path:
    """Write a new P-256 private key (RFC 5915); the public half is derived by whoever reads it.

    So the lab needs neither openssl nor a library for a key that lives for minutes.
    """
    scalar = (secrets.randbelow(P256_ORDER - 1) + 1).to_bytes(32, "big")
    named_curve = bytes.fromhex("a00a06082a8648ce3d030107")
    der = bytes.fromhex("3031020101" + "0420") + scalar + named_curve
    body = base64.encodebytes(der).decode()
    return write_private(path, f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n")


def write_kubeconfig(path: Path, server: str, authority: bytes, user: str, token: str) -> Path:
    """Write a kubeconfig with one context and everything it needs inside."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CLUSTER,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": CLUSTER, "context": {"cluster": CLUSTER, "user": user}}],
        "current-context": CLUSTER,
    }
    return write_private(path, yaml.safe_dump(content, sort_keys=False))
