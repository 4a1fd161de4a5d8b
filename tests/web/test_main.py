"""The process: its options, what it says when it cannot start, and real connections to it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from world import World

from hetero import plugins
from hetero.cli.context import Context
from hetero.cli.dashboard import command, merged
from hetero.config import DashboardSettings, Settings
from hetero.errors import HeteroError, InvalidValue
from hetero.listening import Address, listen
from hetero.scheduler.server import Listener, Servers
from hetero.testing.apiserver import ApiServer
from hetero.web import main
from hetero.web.access import Access, Open, Proxied
from hetero.web.app import Dashboard, Kitchen
from hetero.web.patience import Patient


class Hasty(Patient):
    """Waits a moment for those who are to be cut off, and for the others however long a busy machine takes."""

    seconds = 60.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a dashboard on a real socket."""
    with serving(Open()) as found:
        yield found


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on it waits a moment."""
    return lambda: monkeypatch.setattr(Hasty, "seconds", 0.15)


@contextmanager
def serving(access: Access) -> Iterator[int]:
    """A dashboard that knows people so."""
    dashboard = Dashboard(Kitchen(World().state), access)
    opened = listen(Address("127.0.0.1", 0), "test")
    servers = Servers([Listener(dashboard.app, opened, None, "test", Hasty)], dashboard.hub.close)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(servers.run()))
    thread.start()
    yield int(opened.getsockname()[1])
    loop.call_soon_threadsafe(servers.stop)
    thread.join(120)
    assert not thread.is_alive()
    dashboard.close()
    loop.close()


def talk(port: int, *parts: bytes) -> bytes:
    """Send, and read until the other side closes, with or without a word, or has answered."""
    found = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=120) as connection,
        suppress(ConnectionResetError, BrokenPipeError),
    ):
        for part in parts:
            connection.sendall(part)
        while not found.endswith(b"}") and (chunk := connection.recv(65536)):
            found += chunk
    return found


ASK = b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\n"


def test_a_request_is_answered(port: int) -> None:
    """However it is cut into pieces."""
    assert talk(port, ASK, b"\r\n").startswith(b"HTTP/1.1 200")
    assert talk(port, *(bytes([one]) for one in ASK + b"\r\n")).startswith(b"HTTP/1.1 200")


def test_whoever_connects_cannot_say_to_be_the_proxy() -> None:
    """Also from loopback, where whoever comes by a forwarded port comes from: a header names no address."""
    trusting = DashboardSettings(auth="proxy", trusted_proxies=("10.9.9.9",))
    with serving(Proxied(trusting)) as port:
        claim = f"{trusting.user_header}: root\r\nX-Forwarded-For: 10.9.9.9\r\n\r\n".encode()
        asked = ASK.replace(b"session", b"nodes")
        assert talk(port, asked, claim).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("said", [b"", b"GET ", ASK])
def test_who_does_not_come_to_the_end_of_a_request_is_cut_off(
    port: int, hasty: Callable[[], None], said: bytes
) -> None:
    """Whether nothing was said or half of it."""
    hasty()
    assert talk(port, said) == b""


def test_the_next_request_of_a_connection_has_its_own_time(port: int, hasty: Callable[[], None]) -> None:
    """An answer does not shorten it, and half a request after it is cut off as well."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        for _ in range(3):
            connection.sendall(ASK + b"\r\n")
            found = b""
            while not found.endswith(b"}"):
                found += connection.recv(65536)
        hasty()
        connection.sendall(b"GET /")
        assert connection.recv(65536) == b""


def test_what_is_no_http_is_refused(port: int) -> None:
    """And does no harm."""
    assert talk(port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert talk(port, ASK + b"X: " + b"a" * 200_000 + b"\r\n\r\n")[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 200")
    assert talk(port, ASK, b"\r\n").startswith(b"HTTP/1.1 200")


def test_whoever_watches_is_let_go_at_the_end() -> None:
    """The process does not wait for browsers."""
    dashboard = Dashboard(Kitchen(World().state), Open())
    opened = listen(Address("127.0.0.1", 0), "test")
    servers = Servers([Listener(dashboard.app, opened, None, "test", Patient)], dashboard.hub.close)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(servers.run()))
    thread.start()
    with socket.create_connection(opened.getsockname(), timeout=120) as connection:
        connection.sendall(b"GET /api/v1/nodes HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        found = b""
        while b"data: " not in found:
            found += connection.recv(65536)
        assert b"content-length" not in found.lower()
        loop.call_soon_threadsafe(servers.stop)
        while connection.recv(65536):
            pass
    thread.join(120)
    assert not thread.is_alive()
    dashboard.close()
    loop.close()


# The command


def test_options_win_over_the_configuration() -> None:
    """Those that are given."""
    settings = Settings(dashboard=DashboardSettings(auth="token", listen="127.0.0.1:1"))
    found = merged(settings, {"auth": "none"}).dashboard
    assert (found.auth, found.listen) == ("none", "127.0.0.1:1")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"auth": "password"}, r"--auth: 'password' is none of the words; write token, proxy or none"),
        ({"agents": "push"}, r"--agents: 'push'"),
        ({"auth": "proxy"}, r"--auth: 'proxy' cannot be used: .*trusted_proxies is empty"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, str], words: str) -> None:
    """In a sentence with the option."""
    with pytest.raises(InvalidValue, match=words):
        merged(Settings(), given)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """Of an API server."""
    with ApiServer() as server:
        yield server.kubeconfig(tmp_path / "kubeconfig")


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"listen": "9446"}, "HOST:PORT"),
        ({"listen": "0.0.0.0:0", "auth": "none"}, "without logging in"),
        ({"listen": "0.0.0.0:0", "auth": "token"}, "give dashboard.tls_cert and dashboard.tls_key, or"),
        ({"listen": "192.0.2.1:0", "auth": "token", "tls_cert": "/none", "tls_key": "/none"}, "/none"),
        ({"prometheus": "nowhere"}, "is no URL"),
        ({"health": "nowhere", "listen": "127.0.0.1:0"}, "dashboard.health"),
    ],
)
def test_a_dashboard_that_cannot_start_says_why(kubeconfig: Path, own: dict[str, str], words: str) -> None:
    """In one sentence, before anything is served."""
    settings = Settings(dashboard=DashboardSettings(**own))
    with pytest.raises(HeteroError) as caught:
        main.run(settings, plugins.load(), kubeconfig=str(kubeconfig), context=None)
    assert words in str(caught.value)


def test_the_url_is_told_and_the_process_ends_when_told(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By command line: the pages are up before the URL is."""
    told: list[str] = []

    async def at_once(servers: Servers) -> None:
        servers.stop()
        await servers.run()

    monkeypatch.setattr(main, "until_told", at_once)
    monkeypatch.setattr("webbrowser.open", told.append)
    words = ["--kubeconfig", str(kubeconfig), "--listen", "127.0.0.1:0", "--health", "", "--auth", "none", "--open"]
    answer = CliRunner().invoke(command, words, obj=Context(plugins=plugins.load()))
    assert answer.exit_code == 0, answer.output
    assert "the dashboard is at http://127.0.0.1:" in answer.output
    assert told[0] in answer.output
    assert "no browser on this machine" in answer.output
