"""Who asks: by a token of Kubernetes, by the word of a proxy, or nobody in particular on one's own machine."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starlette.requests import Request

from hetero.config import DashboardSettings
from hetero.errors import InvalidConfiguration
from hetero.web.problems import Refused
from hetero.web.review import Reviewer
from hetero.web.sessions import Session, Sessions, Token
from hetero.web.trials import AT_ONCE, PAUSE, Trials

COOKIE = "hetero-session"
SECRET = "X-Hetero-Proxy-Secret"  # noqa: S105 — the name of a header
LOCAL = "local"
"""The user where nobody logs in."""

LOG_IN = "nobody is logged in; log in with a token of Kubernetes"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        user: Their name.
        session: What they are known by; empty where that is not needed.
    """

    user: str
    session: str = ""


class Access(Protocol):
    """One way to know people."""

    mode: str

    async def caller(self, request: Request) -> Caller:
        """Who sends a request.

        Raises:
            Refused: Nobody who may.
        """

    async def still(self, caller: Caller) -> bool:
        """Whether who began to watch may go on."""


class Open:
    """Nobody logs in: on loopback, on one's own machine."""

    mode = "none"

    async def caller(self, request: Request) -> Caller:
        """Anybody."""
        del request
        return Caller(LOCAL)

    async def still(self, caller: Caller) -> bool:
        """For ever."""
        return bool(caller)


class Proxied:
    """A proxy in front says who asks.

    Args:
        own: The dashboard's settings.

    Raises:
        InvalidConfiguration: The secret cannot be read.
    """

    mode = "proxy"

    def __init__(self, own: DashboardSettings) -> None:
        self._networks = [ipaddress.ip_network(text) for text in own.trusted_proxies]
        self._header = own.user_header
        self._secret = _secret(own.proxy_secret)

    async def caller(self, request: Request) -> Caller:
        """Whom the proxy names."""
        if not self._trusted(request):
            raise Refused(401, "this address is no proxy that dashboard.trusted_proxies names; ask through the proxy")
        names = request.headers.getlist(self._header)
        if len(names) != 1 or not names[0].strip() or not names[0].isprintable() or len(names[0]) > 253:
            raise Refused(401, f"the proxy does not say who asks: {self._header} is to be there once, with a name")
        return Caller(names[0].strip())

    async def still(self, caller: Caller) -> bool:
        """The proxy ends connections itself."""
        return bool(caller)

    def _trusted(self, request: Request) -> bool:
        try:
            address = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        given = request.headers.get(SECRET, "")
        known = not self._secret or hmac.compare_digest(given.encode(), self._secret)
        return known and any(address in network for network in self._networks)


class Tokens:
    """People log in with bearer tokens of Kubernetes, or send one with each request.

    Args:
        reviewer: Asks the API server.
        secure: The dashboard speaks TLS itself, so its cookie is for that alone.
        clock: Seconds, rising.
        pause: Seconds; see :data:`hetero.web.trials.PAUSE`.
    """

    mode = "token"

    def __init__(
        self, reviewer: Reviewer, *, secure: bool, clock: Callable[[], float] = time.monotonic, pause: float = PAUSE
    ) -> None:
        self.sessions = Sessions(clock)
        self.secure = secure
        self.cookie = f"__Host-{COOKIE}" if secure else COOKIE
        self._reviewer = reviewer
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="review")
        self._trials = Trials(self._review, clock, pause=pause)

    async def caller(self, request: Request) -> Caller:
        """The owner of the session, or of the token that the request carries."""
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if kind:
            return await self._bearer(request, kind, text.strip())
        name = request.cookies.get(self.cookie, "")
        session = self.sessions.get(name) if name else None
        if session is None or not await self._good(name, session):
            raise Refused(401, LOG_IN)
        return Caller(session.user, name)

    async def still(self, caller: Caller) -> bool:
        """As long as the session lasts and its token is good."""
        session = self.sessions.get(caller.session)
        return session is not None and await self._good(caller.session, session)

    async def log_in(self, request: Request, token: Token) -> Caller:
        """Begin a session, always a new one.

        Raises:
            Refused: 401 and 403 as the API server says, 503 where it cannot be asked, 429 where too many wait.
        """
        user = await self._reviewed(request, token)
        return Caller(user, self.sessions.open(user, token))

    def log_out(self, request: Request) -> None:
        """End the session that the request names."""
        self.sessions.close(request.cookies.get(self.cookie, ""))

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _bearer(self, request: Request, kind: str, text: str) -> Caller:
        if kind.lower() != "bearer":
            raise Refused(401, "the header Authorization is of another kind; write Bearer and a token of Kubernetes")
        name = f"bearer {hashlib.sha256(text.encode()).hexdigest()}"
        session = self.sessions.get(name)
        if session is None:
            token = Token(text)
            self.sessions.open(await self._reviewed(request, token), token, name)
        elif not await self._good(name, session):
            raise Refused(401, LOG_IN)
        found = self.sessions.get(name)
        return Caller(found.user if found else "", name)

    async def _reviewed(self, request: Request, token: Token) -> str:
        return await self._trials.user(request.client.host if request.client else "", token)

    async def _good(self, name: str, session: Session) -> bool:
        if not self.sessions.due(session):
            return True
        try:
            good = await self._review(session.token) == session.user
        except Refused as refused:
            # Without an answer the last one holds for a while longer; see sessions.GRACE.
            return refused.status == 503 or self._ended(name)
        if not good:
            return self._ended(name)
        self.sessions.renew(session)
        return True

    def _ended(self, name: str) -> bool:
        self.sessions.close(name)
        return False

    async def _review(self, token: Token) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._reviewer.user, token)


def _secret(path: str) -> bytes:
    if not path:
        return b""
    try:
        found = Path(path).read_bytes().strip()
    except OSError as error:
        raise InvalidConfiguration(path, f"cannot be read: {error.strerror}; see dashboard.proxy_secret") from error
    if not found:
        raise InvalidConfiguration(path, "is empty; write the secret that the proxy sends")
    return found
