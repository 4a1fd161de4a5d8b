"""Faults of the server in memory happen as they are asked for, and are over when they should be."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer, Call

NODE = json.dumps({"metadata": {"name": "n"}}).encode()


def _status(call: Any, *arguments: Any) -> int:
    try:
        call(*arguments)
    except ApiError as error:
        return error.status
    return 200


def test_a_fault_happens_so_often_and_no_more(api: Api, server: ApiServer) -> None:
    """And then everything works again."""
    server.fail(503, times=2)
    assert [_status(api.get, paths.NODES) for _ in range(4)] == [503, 503, 200, 200]


def test_a_fault_happens_to_what_matches(api: Api, server: ApiServer) -> None:
    """By method and by a part of the path or its query."""
    server.fail(500, method="POST", path_contains="/nodes")
    server.fail(429, path_contains="limit=7")
    assert _status(api.get, paths.NODES) == 200
    assert _status(api.get, paths.NODES, {"limit": "7"}) == 429
    assert _status(api.post, paths.NAMESPACES, NODE) == 200
    assert _status(api.post, paths.NODES, NODE) == 500


def test_faults_happen_in_the_order_of_their_asking(api: Api, server: ApiServer) -> None:
    """One for each request."""
    for status in (500, 409, 429):
        server.fail(status)
    assert [_status(api.get, paths.NODES) for _ in range(4)] == [500, 409, 429, 200]


@pytest.mark.parametrize("status", [0, 500, 504])
@pytest.mark.parametrize("after", [False, True])
def test_a_request_is_carried_out_or_not(api: Api, server: ApiServer, status: int, after: bool) -> None:
    """As asked for, whatever is answered."""
    server.fail(status, method="POST", after=after)
    assert _status(api.post, paths.NODES, NODE) == status
    assert len(server.objects(paths.NODES)) == after


def test_a_stall_holds_one_request_and_no_other(api: Api, server: ApiServer) -> None:
    """Others are answered meanwhile; healing lets it go on."""
    server.stall(600, method="POST")
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(api.post, paths.NODES, NODE)
        assert server.wait(lambda: bool(server.calls("POST")))
        assert _status(api.get, paths.NODES) == 200
        assert server.objects(paths.NODES) == []
        assert not waiting.done()
        server.heal()
        assert json.loads(waiting.result(120))["metadata"]["name"] == "n"


def test_healing_forgets_what_is_due(api: Api, server: ApiServer) -> None:
    """Everything works."""
    server.fail(500, times=100)
    server.heal()
    assert _status(api.get, paths.NODES) == 200


def test_calls_are_noted_with_their_faults(api: Api, server: ApiServer) -> None:
    """So that a test can say how often something was asked for, and with what."""
    server.fail(500)
    _status(api.get, paths.NODES, {"limit": "7"})
    _status(api.post, paths.NODES, NODE)
    assert server.calls() == [Call("GET", paths.NODES, "limit=7"), Call("POST", paths.NODES, "", NODE)]
    assert server.calls("POST") == server.calls(path_contains="nodes")[1:]


def test_a_restart_keeps_address_and_objects(api: Api, server: ApiServer) -> None:
    """Clients find it again; while it is down there is nobody."""
    url, node = server.url, server.put(paths.NODES, {"metadata": {"name": "n"}})
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])))
    server.start()
    assert server.url == url
    assert json.loads(api.get(paths.node("n"))) == node


def test_stopping_ends_watches_and_stalls(server: ApiServer) -> None:
    """Nothing of a server outlives its test."""
    api = server.api()
    server.stall(600, method="POST")
    watch = api.watch(paths.NODES, {"resourceVersion": str(server.store.version)})
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(_status, api.post, paths.NODES, NODE)
        following = threads.submit(_status, list, watch)
        assert server.wait(lambda: bool(server.calls("POST")))
        server.stop()
        waiting.result(120), following.result(120)
    api.close()
    deadline = time.monotonic() + 120
    while _connections() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _connections() == []


def _connections() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("apiserver")]


def test_a_client_that_talks_nonsense_is_hung_up_on(server: ApiServer, api: Api) -> None:
    """And nobody else is disturbed."""
    for nonsense in (
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01 / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(20)
            assert connection.recv(100)[:12] in (b"", b"HTTP/1.1 404")
    assert _status(api.get, paths.NODES) == 200


def test_tokens_are_asked_for(server: ApiServer) -> None:
    """Where the server wants one; it may change while it runs."""
    server.token = "one"
    api = server.api()
    assert _status(api.get, paths.NODES) == 200
    server.token = "two"
    assert _status(api.get, paths.NODES) == 401
    api.close()
