"""Certificates for tests, made by openssl: authorities, servers and people. Keys that protect nothing."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


@dataclass(frozen=True)
class Authority:
    """A folder in which it makes pairs NAME.crt and NAME.key; its own is ca.crt."""

    folder: Path

    @classmethod
    def made_in(cls, folder: Path) -> "Authority":
        """A new one."""
        folder.mkdir(parents=True, exist_ok=True)
        authority = cls(folder)
        authority._openssl(f"req -x509 {_KEY} -days 2 -subj /CN=authority -keyout ca.key -out ca.crt")
        return authority

    def sign(self, name: str, alternatives: str = "") -> Path:
        """The certificate; `alternatives` such as DNS:a.example,IP:127.0.0.1. Its key is beside it."""
        self._openssl(f"req {_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr")
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n" if alternatives else "basicConstraints=CA:FALSE\n")
        self._openssl(
            f"x509 -req -days 2 -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile {name}.ext "
            f"-out {name}.crt"
        )
        return self.folder / f"{name}.crt"

    def sign_itself(self, name: str, alternatives: str) -> Path:
        """A server's certificate that no authority signed."""
        self._openssl(
            f"req -x509 {_KEY} -days 2 -subj /CN={name} -addext subjectAltName={alternatives} "
            f"-keyout {name}.key -out {name}.crt"
        )
        return self.folder / f"{name}.crt"

    def encrypt(self, name: str) -> Path:
        """The key of a pair, encrypted with a passphrase."""
        self._openssl(f"ec -in {name}.key -aes256 -passout pass:secret -out {name}.encrypted.key")
        return self.folder / f"{name}.encrypted.key"

    def _openssl(self, words: str) -> None:
        subprocess.run(["openssl", *words.split()], cwd=self.folder, check=True, capture_output=True)  # noqa: S603, S607 - fixed words
