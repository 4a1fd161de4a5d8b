"""Certificates for tests, made by openssl; and what a server shows."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest


def make(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of that name for 127.0.0.1, and its key, in a folder."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make certificates with")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [openssl, *words, *subject, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return cert, key


def der(cert: Path) -> bytes:
    """The certificate in a file, as it is sent."""
    return ssl.PEM_cert_to_DER_cert(cert.read_text())


def served(port: int) -> bytes | None:
    """The certificate that a server on this machine shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=120) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True)
