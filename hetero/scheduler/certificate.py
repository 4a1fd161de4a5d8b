"""A certificate that is replaced while it is served: connections made after the change get the new one.

Files are looked at, not watched: Kubernetes swaps the mounted directory by a symbolic link, which a watch on a file
does not see, and a look costs two calls of the system.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from hetero import log, metrics
from hetero.errors import InvalidConfiguration

_log = log.logger("server")

State = tuple[int, int, int]


class Certificate:
    """A pair of files and the context that serves it.

    Args:
        cert: The chain, PEM.
        key: Its key.

    Attributes:
        context: For the server; stays the same object for its life.

    Raises:
        InvalidConfiguration: The pair cannot be used.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self._files = cert, key
        self._state = self._look()
        self._refused: tuple[State | None, State | None] | None = None
        for file in self._files:
            _refuse_unreadable(file)
        try:
            self.context = self._loaded()
        except (OSError, ssl.SSLError) as error:
            reason = f"is no certificate that fits the key {key}: {error}; write both as PEM, the key unencrypted"
            raise InvalidConfiguration(str(cert), reason) from error
        metrics.certificate_loads.add("loaded")

    def refresh(self) -> bool:
        """Load the pair when its files have changed; true when it was. One that cannot be used leaves the old one.

        The two files may be written one after the other, so a pair that does not fit is tried again when it changes.
        """
        state = self._look()
        if state in (self._state, self._refused):
            return False
        try:
            self._loaded()  # first on the side: a live context would be left with half a pair
            self.context.load_cert_chain(*self._files, password=_none)
        except (OSError, ssl.SSLError) as error:
            self._refused = state
            metrics.certificate_loads.add("refused")
            _log.warning("the new certificate cannot be used; the old one stays", reason=str(error))
            return False
        self._state, self._refused = state, None
        metrics.certificate_loads.add("loaded")
        _log.info("the certificate was replaced", file=str(self._files[0]))
        return True

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files, password=_none)
        return context

    def _look(self) -> tuple[State | None, State | None]:
        return _state(self._files[0]), _state(self._files[1])


def _refuse_unreadable(file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise InvalidConfiguration(str(file), f"cannot be read: {error.strerror}") from error


def _none() -> str:
    """The pass phrase of a key: there is none. Without this, one that has one would be asked for at the terminal."""
    return ""


def _state(file: Path) -> State | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
