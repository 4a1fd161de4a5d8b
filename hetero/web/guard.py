"""What every request and every answer is held to, whoever asks: no other site may use a person's browser against this.

Source: OWASP Cheat Sheets, "Cross-Site Request Forgery Prevention" and "HTTP Security Response Headers"; for names that
lead to another machine than before, the same on DNS rebinding.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hetero.web.records import Problem

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Of every answer."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

API = "/api/"

_READING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Stands before an application.

    Args:
        app: What is guarded.
        hosts: Names by which it is reached, beside those of loopback; with or without a port.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = {host.lower() for host in (*LOOPBACK, *hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let through; put the headers on whatever is answered."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if scope["path"].startswith(API):
                    headers["cache-control"] = "no-store"
                    headers.add_vary_header("cookie, authorization, accept")
            await send(message)

        refusal = self.refusal(scope["method"], scope["path"], Headers(scope=scope))
        answer: ASGIApp = self._app if refusal is None else problem(*refusal)
        return await answer(scope, receive, headed)

    def refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        """Status and sentence where a request is not let through."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._known(hosts[0]):
            return 403, "this is not reached by that name; add it to dashboard.hosts if it is to be"
        if path.startswith(API) and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "another site asks; open the dashboard itself"
        if method in _READING:
            return None
        if "origin" in headers and not _same(headers["origin"], hosts[0]):
            return 403, "another site asks; open the dashboard itself"
        return None

    def _known(self, host: str) -> bool:
        return host.lower() in self._hosts or _name(host) in self._hosts


def problem(status: int, sentence: str, retry_after: int | None = None) -> Response:
    """An answer that says what is wrong."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(msgspec.json.encode(Problem(error=sentence)), status, headers, "application/json")


def names(host: str) -> tuple[str, ...]:
    """By which names an address is reached that is listened on: itself, unless it stands for every address."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return (host,)
    if found.is_unspecified:
        return ()
    return (f"[{found}]" if found.version == 6 else str(found),)


def _name(host: str) -> str:
    """A host without its port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() and (":" not in name or name.endswith("]")) else host.lower()


def _same(origin: str, host: str) -> bool:
    """Whether an origin is where the request went; which scheme it is says only a proxy that ends TLS."""
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and _plain(parts.netloc) == _plain(host)
    except ValueError:
        return False


def _plain(host: str) -> str:
    """Without the port that a scheme has anyway: browsers leave it out."""
    lower = host.lower()
    return lower.removesuffix(":443") if lower.endswith(":443") else lower.removesuffix(":80")
