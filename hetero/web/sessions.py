"""Who has logged in, kept in memory: a token is never written, shown or logged, and asked about again and again."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

LIFETIME = 8 * 3600.0
"""Seconds that a session lasts, however often it is used."""

REVIEWED = 300.0
"""Seconds after which a token is reviewed again: so long may one be used that was revoked."""

GRACE = 900.0
"""Seconds since the last review after which a session ends, where the API server cannot be asked meanwhile."""

MOST = 1024
"""Sessions at a time; the one that began first makes room."""


MOST_EACH = 256
"""Of one person, so that nobody ends the sessions of all others by beginning new ones. Many may share an account."""


@dataclass(frozen=True)
class Token:
    """A bearer token. Its text shows only where it is asked for."""

    text: str = field(repr=False)

    def __str__(self) -> str:
        return "a token"


@dataclass
class Session:
    """One person who has logged in.

    Attributes:
        user: Their name.
        token: What they logged in with.
        began: When, on the clock of the sessions.
        reviewed: When the token was found good last.
    """

    user: str
    token: Token
    began: float
    reviewed: float


class Sessions:
    """By their ids, of which only a digest is kept.

    Args:
        clock: Seconds, rising.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}  # the oldest first

    def open(self, user: str, token: Token, name: str = "") -> str:
        """Begin a session.

        Args:
            user: Whose.
            token: With which it is reviewed later.
            name: Its id; a new one that nobody can guess where none is given. Ids never come from a browser.
        """
        name = name or secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            self._open.pop(_digest(name), None)
            own = [key for key, session in self._open.items() if session.user == user]
            for key in own[: max(0, len(own) - MOST_EACH + 1)]:
                del self._open[key]
            while len(self._open) >= MOST:
                del self._open[next(iter(self._open))]
            self._open[_digest(name)] = Session(user, token, now, now)
        return name

    def get(self, name: str) -> Session | None:
        """The session of an id; None when there is none, or it is over."""
        now = self._clock()
        with self._lock:
            found = self._open.get(_digest(name))
            if found is not None and (now - found.began > LIFETIME or now - found.reviewed > GRACE):
                del self._open[_digest(name)]
                found = None
        return found

    def close(self, name: str) -> None:
        """End a session."""
        with self._lock:
            self._open.pop(_digest(name), None)

    def due(self, session: Session) -> bool:
        """Whether its token is to be reviewed again."""
        return self._clock() - session.reviewed > REVIEWED

    def renew(self, session: Session) -> None:
        """Its token is still good."""
        session.reviewed = self._clock()

    def __len__(self) -> int:
        return len(self._open)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
