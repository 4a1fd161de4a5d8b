"""Logging in and out: ``/api/v1/session``."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import hetero
from hetero import metrics
from hetero.web import requests
from hetero.web.access import Access, Tokens
from hetero.web.problems import Refused
from hetero.web.queries import Query
from hetero.web.records import Login, Session
from hetero.web.sessions import LIFETIME, Token

LIMIT = 32 << 10
"""Bytes of a log-in."""


@dataclass(frozen=True)
class Door:
    """Answers who asks, and lets people in and out.

    Attributes:
        access: Knows people.
        history: There is a Prometheus to ask.
    """

    access: Access
    history: bool = False

    def routes(self, path: str) -> list[Route]:
        """What is served at a path."""
        return [Route(path, self.answer, methods=["GET", "POST", "DELETE"])]

    async def answer(self, request: Request) -> Response:
        """Who asks, after a log-in or log-out where that is asked for."""
        requests.query(request, Query)
        return await {"POST": self._log_in, "DELETE": self._log_out}.get(request.method, self._get)(request)

    async def _get(self, request: Request) -> Response:
        try:
            caller = await self.access.caller(request)
        except Refused as refused:
            if refused.status != 401:
                raise
            return self._session("")
        return self._session(caller.user)

    async def _log_in(self, request: Request) -> Response:
        access = self._tokens()
        login = await requests.body(request, Login, LIMIT)
        try:
            caller = await access.log_in(request, Token(login.token.strip()))
        except Refused as refused:
            metrics.logins.add(str(refused.status))
            raise
        metrics.logins.add("done")
        access.log_out(request)  # of a session that this browser had: its new id is another, always
        answer = self._session(caller.user)
        self._cookie(answer, access, caller.session, LIFETIME)
        return answer

    async def _log_out(self, request: Request) -> Response:
        access = self._tokens()
        access.log_out(request)
        answer = self._session("")
        self._cookie(answer, access, "", 0)
        return answer

    def _tokens(self) -> Tokens:
        if not isinstance(self.access, Tokens):
            raise Refused(405, f"nobody logs in here: dashboard.auth is {self.access.mode}")
        return self.access

    def _session(self, user: str) -> Response:
        session = Session(mode=self.access.mode, user=user, history=self.history, version=hetero.__version__)
        return Response(msgspec.json.encode(session), media_type="application/json")

    @staticmethod
    def _cookie(answer: Response, access: Tokens, value: str, seconds: float) -> None:
        answer.set_cookie(
            access.cookie,
            value,
            max_age=int(seconds),
            path="/",
            secure=access.secure,
            httponly=True,
            samesite="strict",
        )
