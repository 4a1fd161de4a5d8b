"""What another site, a wrong name or a strange request gets: nothing. What everybody gets: the headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World, served

from hetero.web import guard
from hetero.web.files import Files
from hetero.web.guard import HEADERS, Guard

EVERYWHERE = {"/": "no-cache", "/nothing": None, "/api/v1/overview": "", "/api/v1/nodes/none": "", "/api/v1/plan": ""}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """Some files, and one outside."""
    root = tmp_path / "static"
    (root / "app").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html>" + " " * 500)
    (root / "app" / "main.mjs").write_text("export const one = 1;")
    (root / "notes.secret").write_text("not served")
    (tmp_path / "outside.html").write_text("outside")
    return root


@pytest.fixture
def client(static: Path) -> Iterator[Client]:
    """An empty cluster."""
    with served(World().state, files=Files(static), hosts=["board.example"]) as client:
        yield client


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_has_the_headers(client: Client, path: str) -> None:
    """Also where it is an error."""
    answer = client.get(path)
    for name, text in HEADERS.items():
        assert answer.headers[name] == text
    assert answer.headers.get("cache-control") == ("no-store" if path.startswith("/api") else EVERYWHERE[path])
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9446", "127.0.0.1:80", "[::1]:9446", "[::1]", "board.example", "Board.Example:443"]
)
def test_names_of_ours_are_let_in(client: Client, host: str) -> None:
    """In any case, with any port."""
    assert client.get("/api/v1/overview", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "localhost@evil.example",
        "board.example:x",
        "[::1",
        "::1",
    ],
)
def test_a_name_that_leads_here_from_elsewhere_is_not(client: Client, host: str) -> None:
    """DNS rebinding: the browser thinks that it talks to the other site."""
    answer = client.get("/api/v1/overview", host=host)
    assert answer.status == 403
    assert "dashboard.hosts" in answer.error


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    """There is nothing to believe."""
    from starlette.datastructures import Headers

    one = Guard(lambda *_: None)  # type: ignore[arg-type,return-value]
    assert one.refusal("GET", "/", Headers(raw=[])) is not None
    twice = Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])
    assert one.refusal("GET", "/", twice) is not None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"origin": "http://127.0.0.1:9446"}, 400),
        ({"origin": "http://127.0.0.1:9446", "sec_fetch_site": "same-origin"}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "file://"}, 403),
        ({"origin": "http://[bad"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
    ],
)
def test_another_site_cannot_have_anything_done(client: Client, headers: dict[str, str], status: int) -> None:
    """By its origin, or what the browser says of the site; 400 is the manifest's own, so that one was let through."""
    assert client.post("/api/v1/plan", {"manifest": ""}, **headers).status == status


def test_another_site_cannot_read(client: Client) -> None:
    """Beside what the browser keeps from it anyway; a link from elsewhere still opens the page."""
    assert client.get("/api/v1/overview", sec_fetch_site="cross-site").status == 403
    assert client.get("/", sec_fetch_site="cross-site").status == 200
    assert "access-control-allow-origin" not in client.get("/api/v1/overview", origin="http://evil.example").headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE"])
def test_nothing_else_is_done(client: Client, method: str) -> None:
    """The interface reads."""
    answer = client.ask(method, "/api/v1/overview", b"{}", headers={"content-type": "application/json"})
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]


def test_files_are_served_as_what_they_are(client: Client) -> None:
    """Packed for who can unpack them, and not again to who has them."""
    plain, packed = client.get("/"), client.get("/index.html", accept_encoding="br, gzip")
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body)
    assert client.get("/app/main.mjs").headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/", if_none_match=plain.headers["etag"]).status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.html",
        "/app/../../outside.html",
        "/%2e%2e/outside.html",
        "/..%2foutside.html",
        "//etc/passwd",
        "/app/",
        "/app",
        "/notes.secret",
        "/index.html/",
        "/app\\main.mjs",
        "/\x00",
        "/static/index.html",
    ],
)
def test_no_path_leads_out(client: Client, path: str) -> None:
    """What is not in the table is not there."""
    answer = client.get(path)
    assert answer.status == 404
    assert b"outside" not in answer.body.replace(b"outside.html", b"")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_any_host_at_all_is_answered_or_refused(host: str) -> None:
    """Never with an exception; and what is let in is one of ours."""
    one = Guard(lambda *_: None)  # type: ignore[arg-type,return-value]
    if one._known(host):
        assert host.lower().rstrip("0123456789").removesuffix(":") in guard.LOOPBACK


@pytest.mark.parametrize(
    ("host", "found"),
    [("0.0.0.0", ()), ("::", ()), ("10.1.2.3", ("10.1.2.3",)), ("fd00::1", ("[fd00::1]",)), ("box", ("box",))],
)
def test_an_address_that_is_listened_on_is_a_name_of_ours(host: str, found: tuple[str, ...]) -> None:
    """But for the one that stands for all."""
    assert guard.names(host) == found
