"""Who gets in: by a token that the API server knows, by a trusted proxy's word; who does not; what nobody ever sees."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from asking import Client, Watch
from world import World, served

from hetero import log
from hetero.config import DashboardSettings
from hetero.errors import InvalidConfiguration
from hetero.testing.apiserver import ApiServer
from hetero.web.access import Proxied, Tokens
from hetero.web.problems import Refused
from hetero.web.records import Session
from hetero.web.review import Reviewer
from hetero.web.sessions import GRACE, LIFETIME, MOST, MOST_EACH, REVIEWED, Sessions, Token

TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
MAY = ["list pods", "list nodes"]
PAGE = "/api/v1/overview"


class Clock:
    """Moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def running() -> Iterator[ApiServer]:
    """An API server."""
    with ApiServer() as server:
        yield server


@pytest.fixture
def server(running: ApiServer) -> ApiServer:
    """It, knowing one person who may look and one who may not."""
    running.heal()
    running.let_in(TOKEN, "ann", may=MAY)
    running.let_in("poor", "bob", may=["list pods"])
    return running


@contextmanager
def asked(server: ApiServer, clock: Clock | None = None, *, secure: bool = False) -> Iterator[Client]:
    """A dashboard that knows people by tokens."""
    access = Tokens(Reviewer(server.api()), secure=secure, clock=clock or Clock(), pause=0.01)
    with served(World().state, access) as client:
        yield client
    access.close()


def log_in(client: Client, token: str = TOKEN, **headers: str) -> Any:
    """The answer."""
    return client.post("/api/v1/session", {"token": token}, **headers)


def cookie(answer: Any) -> str:
    """What a browser sends back."""
    return answer.cookies[0].split(";")[0]


def test_a_token_logs_in_and_out(server: ApiServer) -> None:
    """A session in a cookie that no script reads and no other site sends."""
    with asked(server) as client:
        assert client.get("/api/v1/session").read(Session).user == ""
        assert client.get("/api/v1/overview").status == 401
        answer = log_in(client, f" {TOKEN}\n")
        assert answer.read(Session).user == "ann"
        flags = answer.cookies[0].lower()
        assert all(word in flags for word in ("httponly", "samesite=strict", "path=/", "max-age=28800"))
        assert "secure" not in flags
        held = cookie(answer)
        assert client.get("/api/v1/overview", cookie=held).status == 200
        assert client.get("/api/v1/session", cookie=held).read(Session).user == "ann"
        gone = client.delete("/api/v1/session", cookie=held)
        assert "max-age=0" in gone.cookies[0].lower()
        assert client.get("/api/v1/overview", cookie=held).status == 401


def test_by_tls_the_cookie_is_for_tls_alone(server: ApiServer) -> None:
    """And for this host alone."""
    with asked(server, secure=True) as client:
        answer = log_in(client)
        assert answer.cookies[0].startswith("__Host-hetero-session=")
        assert "secure" in answer.cookies[0].lower()
        assert client.get("/api/v1/overview", cookie=cookie(answer)).status == 200


@pytest.mark.parametrize(
    ("token", "status"), [("wrong", 401), ("", 401), ("poor", 403), ("ü", 401), ("a\nb", 401), ("x" * 20000, 401)]
)
def test_other_tokens_do_not(server: ApiServer, token: str, status: int) -> None:
    """Nobody's, or of somebody who may not list pods and nodes; told without the token."""
    with asked(server) as client:
        answer = log_in(client, token)
        assert answer.status == status
        assert not answer.cookies
        assert len(token) < 3 or token not in answer.error
        assert client.get("/api/v1/overview", authorization=f"Bearer {token.strip()[:100]}x").status in (401, 429)


def test_bearer_works_as_well(server: ApiServer) -> None:
    """For programs; reviewed once, and kept as a session is."""
    with asked(server) as client:
        before = len(server.calls("POST", "tokenreviews"))
        for _ in range(5):
            assert client.get("/api/v1/overview", authorization=f"Bearer {TOKEN}").status == 200
        assert len(server.calls("POST", "tokenreviews")) == before + 1
        assert client.get("/api/v1/overview", authorization="Basic YTpi").status == 401
        assert client.get("/api/v1/overview", authorization=f"bearer {TOKEN}x").status == 401


def test_a_revoked_token_ends_its_sessions(server: ApiServer) -> None:
    """When it is reviewed again; what is watched ends as well."""
    clock = Clock()
    with asked(server, clock) as client:
        held = cookie(log_in(client))
        watch = Watch(client, "/api/v1/overview", cookie=held)
        watch.document()
        server.revoke(TOKEN)
        clock.now += REVIEWED - 1
        assert client.get("/api/v1/overview", cookie=held).status == 200
        clock.now += 2
        assert client.get("/api/v1/overview", cookie=held).status == 401
        watch.close()


def test_what_is_watched_ends_with_its_session(server: ApiServer) -> None:
    """At the next word that would be sent."""
    clock = Clock()
    access = Tokens(Reviewer(server.api()), secure=False, clock=clock)
    with served(World().state, access, beat=0.05) as client:
        held = cookie(log_in(client))
        watch = Watch(client, "/api/v1/overview", cookie=held)
        watch.document()
        clock.now += LIFETIME + 1
        assert watch.until(lambda part: part == "") == ""
    access.close()


def test_while_the_api_server_is_away_sessions_last_a_while(server: ApiServer) -> None:
    """And nobody new gets in; afterwards all is as it was."""
    clock = Clock()
    with asked(server, clock) as client:
        held = cookie(log_in(client))
        server.fail(503, path_contains="reviews", times=100)
        answer = log_in(client)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        clock.now += REVIEWED + 1
        assert client.get("/api/v1/overview", cookie=held).status == 200
        clock.now += GRACE
        assert client.get("/api/v1/overview", cookie=held).status == 401
        server.heal()
        assert log_in(client).status == 200


def test_who_guesses_keeps_nobody_out(server: ApiServer) -> None:
    """Behind one proxy all have one address: after any number of failures there a good token is good."""
    with asked(server) as client:
        statuses = [log_in(client, f"guess-{number}").status for number in range(12)]
        assert statuses == [401] * 12
        assert log_in(client).status == 200
        assert client.get("/api/v1/overview", authorization=f"Bearer {TOKEN}").status == 200


def test_no_session_is_taken_over_from_before_a_log_in(server: ApiServer) -> None:
    """Session fixation: an id that came from somewhere is never made one; the one that a browser had ends."""
    with asked(server) as client:
        fixed = "hetero-session=chosen-by-somebody"
        answer = log_in(client, cookie=fixed)
        assert cookie(answer) != fixed
        assert client.get("/api/v1/overview", cookie=fixed).status == 401
        second = log_in(client, cookie=cookie(answer))
        assert client.get("/api/v1/overview", cookie=cookie(answer)).status == 401
        assert client.get("/api/v1/overview", cookie=cookie(second)).status == 200


def test_a_bearers_session_cannot_be_named_by_a_cookie(server: ApiServer) -> None:
    """What it is kept under has a blank, which a cookie's value has not."""
    with asked(server) as client:
        assert client.get("/api/v1/overview", authorization=f"Bearer {TOKEN}").status == 200
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        for name in (digest, f"bearer {digest}", f"bearer%20{digest}", f'"bearer {digest}"'):
            assert client.get("/api/v1/overview", cookie=f"hetero-session={name}").status in (200, 401)


def test_the_token_is_seen_nowhere(server: ApiServer, capfd: pytest.CaptureFixture[str]) -> None:
    """Not in the log, not in answers, not in the text of anything that could get there."""
    log.configure("debug")
    with asked(server) as client:
        answers = [
            log_in(client),
            log_in(client, TOKEN + "x"),
            client.get("/api/v1/session", authorization=f"Bearer {TOKEN}"),
        ]
        server.fail(500, path_contains="tokenreviews", times=1)
        answers.append(log_in(client))
        assert client.post("/api/v1/session", b'{"token": "%s", }' % TOKEN.encode()).status == 400
        assert client.post("/api/v1/session", {"tokens": TOKEN}).status == 400
    token = Token(TOKEN)
    sessions = Sessions(Clock())
    name = sessions.open("ann", token)
    shown = [repr(token), str(token), repr(sessions.get(name)), f"{token}", str(vars(sessions))]
    with pytest.raises(Refused) as caught:
        Reviewer(server.api()).user(Token(TOKEN + "x"))
    chain: BaseException | None = caught.value
    while chain is not None:
        shown += [repr(chain), str(chain.args)]
        chain = chain.__cause__ or chain.__context__
    captured = capfd.readouterr()
    sent = [text for one in answers for text in (one.body.decode(), str(one.headers), str(one.cookies))]
    for text in (*shown, *sent, captured.err, captured.out):
        assert TOKEN not in text


def test_a_huge_or_strange_log_in_is_refused(server: ApiServer) -> None:
    """Before anybody is asked about it."""
    with asked(server) as client:
        before = len(server.calls("POST", "tokenreviews"))
        assert client.post("/api/v1/session", {"token": "x" * 100_000}).status == 413
        assert client.ask("POST", "/api/v1/session", b"token=x").status == 415
        assert client.post("/api/v1/session", [1]).status == 400
        assert client.get("/api/v1/session?x=1").status == 400
        assert len(server.calls("POST", "tokenreviews")) == before


# A proxy in front


def proxied(tmp_path: Path, **fields: Any) -> Proxied:
    """Trusted from one network, with a secret."""
    (tmp_path / "secret").write_text("open sesame\n")
    named = {"auth": "proxy", "trusted_proxies": ("10.0.0.0/8",), "proxy_secret": str(tmp_path / "secret")}
    return Proxied(DashboardSettings(**{**named, **fields}))


def test_a_trusted_proxys_word_is_believed(tmp_path: Path) -> None:
    """From its address, with its secret, in its header, once."""
    with served(World().state, proxied(tmp_path)) as client:
        client.address = "10.1.2.3"
        headers = {"x_forwarded_user": "ann", "x_hetero_proxy_secret": "open sesame"}
        assert client.get("/api/v1/session", **headers).read(Session).user == "ann"
        assert client.get("/api/v1/overview", **headers).status == 200
        for wrong in ({"x_hetero_proxy_secret": "guess"}, {"x_forwarded_user": ""}, {"x_forwarded_user": "a\tb"}):
            assert client.get("/api/v1/overview", **{**headers, **wrong}).status == 401
        client.address = "127.0.0.1"
        assert client.get("/api/v1/overview", **headers).status == 401
        assert client.post("/api/v1/session", {"token": "x"}).status == 405
        client.address = "no address"
        assert client.get("/api/v1/overview", **headers).status == 401


def test_a_proxys_secret_has_to_be_there(tmp_path: Path) -> None:
    """An empty one would let everybody be the proxy."""
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        proxied(tmp_path, proxy_secret=str(tmp_path / "none"))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(InvalidConfiguration, match="is empty"):
        proxied(tmp_path, proxy_secret=str(tmp_path / "empty"))


# Sessions by themselves


def test_sessions_end() -> None:
    """After eight hours however much they are used, and where their token was not found good for long."""
    clock = Clock()
    sessions = Sessions(clock)
    name = sessions.open("ann", Token("t"))
    session = sessions.get(name)
    assert session is not None
    for _ in range(40):
        clock.now += GRACE - 1
        sessions.renew(session)
    assert sessions.get(name) is None
    other = sessions.open("ann", Token("t"))
    clock.now += GRACE + 1
    assert sessions.get(other) is None
    assert sessions.get("anything") is None


def test_there_is_an_end_to_how_many_sessions_are_kept() -> None:
    """The one that began first makes room."""
    sessions = Sessions(Clock())
    names = [sessions.open(f"ann{number}", Token("t")) for number in range(MOST + 1)]
    assert len(sessions) == MOST
    assert len(set(names)) == MOST + 1
    assert sessions.get(names[0]) is None
    assert sessions.get(names[-1]) is not None


def test_nobody_ends_the_sessions_of_others() -> None:
    """By beginning many: one's own are the first to go."""
    sessions = Sessions(Clock())
    other = sessions.open("bob", Token("t"))
    own = [sessions.open("ann", Token("t")) for _ in range(MOST + 1)]
    assert sessions.get(other) is not None
    assert len(sessions) == MOST_EACH + 1
    assert (sessions.get(own[0]), sessions.get(own[-1]) is None) == (None, False)


def test_tokens_that_are_tried_at_once_are_counted_as_well(server: ApiServer) -> None:
    """Of many sent together some wait and the others come again later; nobody is let in."""
    with asked(server) as client:

        async def at_once() -> list[int]:
            several = (client.asked("GET", PAGE, headers={"authorization": f"Bearer x{one}"}) for one in range(60))
            return [answer.status for answer in await asyncio.gather(*several)]

        found = client.run(at_once())
        assert found.count(401) >= 10
        assert found.count(401) + found.count(429) == 60
        assert log_in(client).status == 200
