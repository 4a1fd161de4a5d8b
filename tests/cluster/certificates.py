"""Keys and certificates of a test's cluster, made by the ``openssl`` command: Python's own module can only use them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates that only this run trusts.

    Args:
        directory: Where all files go.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.pair = Pair(directory / "ca.crt", directory / "ca.key")
        self._new_key(self.pair.key)
        self._openssl("req", "-x509", "-new", "-key", self.pair.key, "-subj", "/CN=hetero-test-ca", "-days", "2",
                      "-out", self.pair.certificate)  # fmt: skip

    def issue(self, name: str, addresses: Sequence[str] = ("127.0.0.1",)) -> Pair:
        """A server's certificate for IP addresses; again for the same name gives a new one in the same files."""
        pair = Pair(self._directory / f"{name}.crt", self._directory / f"{name}.key")
        request, extensions = self._directory / f"{name}.csr", self._directory / f"{name}.ext"
        extensions.write_text("subjectAltName=" + ",".join(f"IP:{address}" for address in addresses) + "\n")
        self._new_key(pair.key)
        self._openssl("req", "-new", "-key", pair.key, "-subj", f"/CN={name}", "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.pair.certificate, "-CAkey", self.pair.key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", pair.certificate)  # fmt: skip
        return pair

    def signing_key(self, name: str) -> Path:
        """An RSA key that signs tokens."""
        key = self._directory / f"{name}.key"
        self._openssl("genrsa", "-out", key, "2048")
        return key

    def _new_key(self, path: Path) -> None:
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)

    def _openssl(self, *arguments: str | Path) -> None:
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"
