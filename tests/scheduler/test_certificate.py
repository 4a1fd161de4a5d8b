"""A certificate is replaced while it is served, and half a pair never is."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import ssl
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
import tls

from hetero import metrics
from hetero.errors import InvalidConfiguration
from hetero.scheduler.certificate import Certificate


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Two certificates with their keys."""
    folder = tmp_path_factory.mktemp("pairs")
    return {name: tls.make(folder, name) for name in ("first", "second")}


@pytest.fixture
def files(tmp_path: Path, pairs) -> tuple[Path, Path]:
    """Where the server looks; the first pair."""
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(pairs["first"][0], cert)
    shutil.copy(pairs["first"][1], key)
    return cert, key


def swap(source: Path, target: Path) -> None:
    """Replace a file as a careful writer does."""
    beside = target.with_suffix(".new")
    shutil.copy(source, beside)
    beside.replace(target)


def shown(certificate: Certificate) -> bytes | None:
    """What a new connection is shown."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            plain, _ = listening.accept()
            with plain, certificate.context.wrap_socket(plain, server_side=True):
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            return tls.served(listening.getsockname()[1])
        finally:
            thread.join(120)


def test_a_pair_is_served(files, pairs) -> None:
    """As it is in the files."""
    assert shown(Certificate(*files)) == tls.der(pairs["first"][0])


def test_a_new_pair_is_served_by_the_same_context(files, pairs) -> None:
    """A server that holds the context needs no restart; files that stay cost a look."""
    certificate = Certificate(*files)
    context = certificate.context
    assert not certificate.refresh()
    swap(pairs["second"][0], files[0])
    swap(pairs["second"][1], files[1])
    assert certificate.refresh()
    assert not certificate.refresh()
    assert certificate.context is context
    assert shown(certificate) == tls.der(pairs["second"][0])


def test_half_a_pair_leaves_the_old_one(files, pairs) -> None:
    """It is refused once, not at every look; when the other half comes, the pair is served."""
    certificate = Certificate(*files)
    refused = metrics.certificate_loads.value("refused")
    swap(pairs["second"][0], files[0])
    assert not certificate.refresh()
    assert not certificate.refresh()
    assert metrics.certificate_loads.value("refused") == refused + 1
    assert shown(certificate) == tls.der(pairs["first"][0])
    swap(pairs["second"][1], files[1])
    assert certificate.refresh()
    assert shown(certificate) == tls.der(pairs["second"][0])


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\n", "nonsense"])
def test_what_is_no_certificate_leaves_the_old_one(files, pairs, text: str) -> None:
    """So does a file that is gone, e.g. while a mounted secret is swapped."""
    certificate = Certificate(*files)
    files[0].write_text(text)
    assert not certificate.refresh()
    files[1].unlink()
    assert not certificate.refresh()
    assert shown(certificate) == tls.der(pairs["first"][0])


def test_a_pair_that_was_put_back_is_not_loaded(files, pairs) -> None:
    """The one that is served is the one that is there."""
    certificate = Certificate(*files)
    old = files[0].rename(files[0].with_suffix(".old"))
    files[0].write_text("nonsense")
    assert not certificate.refresh()
    old.replace(files[0])
    assert not certificate.refresh()
    assert shown(certificate) == tls.der(pairs["first"][0])


def test_without_a_pair_nothing_is_served(files, pairs) -> None:
    """A start with a wrong or missing pair fails with the file's name."""
    swap(pairs["second"][1], files[1])
    with pytest.raises(InvalidConfiguration, match=r"tls\.crt: is no certificate that fits the key"):
        Certificate(*files)
    files[1].unlink()
    with pytest.raises(InvalidConfiguration, match=r"tls\.key: cannot be read: No such file"):
        Certificate(*files)
    assert isinstance(Certificate(*pairs["first"]).context, ssl.SSLContext)


def test_a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """At a terminal the library would ask for it, and every answer would wait for somebody to type."""
    locked = tmp_path / "locked.key"
    words = ["ec", "-in", str(files[1]), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=120)
    said = f"from hetero.scheduler.certificate import *; Certificate(Path({str(files[0])!r}), Path({str(locked)!r}))"
    terminal, other = os.openpty()
    with os.fdopen(terminal), os.fdopen(other):
        ended = subprocess.run(
            [sys.executable, "-c", said],
            stdin=other,
            capture_output=True,
            check=False,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            timeout=600,
        )
    assert b"the key unencrypted" in ended.stderr
