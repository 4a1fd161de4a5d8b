"""Ports and folders of tests: nobody gets the first by chance, and sockets fit into the second."""

from __future__ import annotations

import gc
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from hetero.testing.apiserver import ApiServer
from hetero.testing.places import HOST, Port, folder


def _bind(port: int) -> None:
    """As who takes a port without asking for it."""
    with socket.socket() as other:
        other.bind((HOST, port))


def _free(port: int) -> bool:
    with suppress(OSError):
        _bind(port)
        return True
    return False


def test_a_port_is_nobody_elses() -> None:
    """Before, while and after somebody listens at it; and a connection to it is refused where nobody does."""
    port = Port()
    assert str(port) == f"127.0.0.1:{port.number}"
    for _ in range(2):
        with pytest.raises(OSError, match="in use"):
            _bind(port.number)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port.number))
        with (
            socket.create_server((HOST, port.number)) as listening,
            socket.create_connection((HOST, port.number)),
            listening.accept()[0],
            pytest.raises(OSError, match="in use"),
        ):
            _bind(port.number)


def test_a_port_goes_with_its_object() -> None:
    """Whether it is released or forgotten."""
    first, second = Port(), Port()
    numbers = (first.number, second.number)
    first.release()
    first.release()
    del second
    gc.collect()
    for number in numbers:
        _bind(number)


def test_a_server_that_is_stopped_keeps_its_port() -> None:
    """Whoever restarts it finds it where it was, however many programs make connections meanwhile."""
    with ApiServer() as server:
        port = int(server.url.rpartition(":")[2])
        server.stop()
        with pytest.raises(OSError, match="in use"):
            _bind(port)
        server.start()
        assert server.url.endswith(f":{port}")
    assert server.wait(lambda: _free(port))  # when the thread that accepted has noticed


@pytest.mark.parametrize("length", [0, 100])
def test_a_folder_has_room_for_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Also where temporary files lie deep."""
    deep = tmp_path / ("a" * length)
    deep.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep) if length else "/tmp")
    with folder() as place:
        assert list(place.iterdir()) == []
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(place / ("x" * 78)))
    assert not place.exists()
