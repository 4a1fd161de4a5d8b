"""The kubelet's protocols: generated as committed, right on the wire, and typed failures at the door."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hetero.allocation.api import deviceplugin_pb2, methods
from hetero.allocation.api.deviceplugin_pb2 import (
    AllocateResponse,
    CdiDevice,
    ContainerAllocateResponse,
    Device,
    Empty,
    ListAndWatchResponse,
    Options,
    RegisterRequest,
)
from hetero.allocation.api.door import Call, Client, Refusal, Server
from hetero.errors import KubeletError

ROOT = Path(__file__).parents[2]
API = Path("hetero/allocation/api")


def test_generated_code_is_what_the_generator_makes(tmp_path: Path) -> None:
    """Nobody edits it, and nobody forgets to generate it again."""
    protos = sorted(str(path.relative_to(ROOT)) for path in (ROOT / API).glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*command, *protos], cwd=ROOT, check=True)
    made = sorted(path.name for path in (tmp_path / API).iterdir())
    assert made == sorted(path.name for path in (ROOT / API).glob("*_pb2.py*"))
    for name in made:
        assert (tmp_path / API / name).read_text() == (ROOT / API / name).read_text()


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (Options(pre_start_required=True, get_preferred_allocation_available=True), "08011001"),
        (
            RegisterRequest(version="v", endpoint="e", resource_name="r", options=Options(pre_start_required=True)),
            "0a01761201651a017222020801",
        ),
        (ListAndWatchResponse(devices=[Device(id="s", health="H")]), "0a060a0173120148"),
        (
            AllocateResponse(container_responses=[ContainerAllocateResponse(cdi_devices=[CdiDevice(name="n")])]),
            "0a052a030a016e",
        ),
        (deviceplugin_pb2.PreStartContainerRequest(devices_ids=["s"]), "0a0173"),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, str) else "",
)
def test_messages_are_the_kubelets_on_the_wire(message: methods.Message, wire: str) -> None:
    """Field numbers and types, byte by byte, as the documented protocol has them."""
    assert message.SerializeToString().hex() == wire
    assert type(message).FromString(bytes.fromhex(wire)) == message


def test_fields_that_are_left_out_do_not_matter() -> None:
    """An answer with mounts, variables and device nodes, as other plugins send it, is read all the same."""
    other = bytes.fromhex("0a060a014b12015612060a012f12012f") + bytes.fromhex("2a030a016e")
    assert [device.name for device in ContainerAllocateResponse.FromString(other).cdi_devices] == ["n"]


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """A server that is not started; its pool outlives it."""
    with ThreadPoolExecutor(4) as pool:
        made = Server(folder / "a.sock", pool)
        yield made
        made.stop()


def test_a_call_is_answered(server: Server) -> None:
    """Once, with the handler's message."""
    server.add(methods.OPTIONS, lambda _: Options(pre_start_required=True))
    server.start()
    with Client(server.socket) as client:
        assert client.call(methods.OPTIONS, Empty(), 10).pre_start_required


def test_only_this_user_connects(server: Server) -> None:
    """The socket has no rights for anybody else."""
    server.start()
    assert server.socket.stat().st_mode & 0o777 == 0o600


def test_a_refusal_is_told_word_for_word(server: Server) -> None:
    """UNAVAILABLE, and the sentence, cut before it is too long for a header."""
    sentence = "no; write é 100%\n" + 2000 * "x"

    def refuse(_: Empty) -> Options:
        raise Refusal(sentence)

    server.add(methods.OPTIONS, refuse)
    server.start()
    with Client(server.socket) as client, pytest.raises(KubeletError) as refused:
        client.call(methods.OPTIONS, Empty(), 10)
    assert refused.value.code == "UNAVAILABLE"
    assert refused.value.reason == sentence[:1024]
    assert str(server.socket) in str(refused.value)


def test_nobody_is_waited_for(folder: Path) -> None:
    """Where nobody listens the call fails at once: who registers looks again when something has changed."""
    with Client(folder / "nobody.sock") as client, pytest.raises(KubeletError) as failed:
        client.call(methods.OPTIONS, Empty(), 60)
    assert failed.value.code == "UNAVAILABLE"


def test_an_answer_that_does_not_come_is_not_waited_for_without_end(server: Server) -> None:
    """The call fails when its time is over."""
    over = threading.Event()

    def hang(_: Empty) -> Options:
        over.wait(120)
        return Options()

    server.add(methods.OPTIONS, hang)
    server.start()
    with Client(server.socket) as client, pytest.raises(KubeletError) as late:
        client.call(methods.OPTIONS, Empty(), 0.2)
    over.set()
    assert late.value.code == "DEADLINE_EXCEEDED"


def test_a_closed_client_says_so(folder: Path) -> None:
    """Nothing of gRPC's own is raised."""
    client = Client(folder / "nobody.sock")
    client.close()
    with pytest.raises(KubeletError, match="closed"):
        client.call(methods.OPTIONS, Empty(), 1)


def test_a_stream_ends_with_its_caller(server: Server) -> None:
    """The handler is told, and its thread is free again."""
    over = threading.Event()

    def lists(_: Empty, call: Call) -> Iterator[ListAndWatchResponse]:
        assert call.when_over(over.set)
        yield ListAndWatchResponse(devices=[Device(id="s")])
        over.wait(120)

    server.add_stream(methods.LIST_AND_WATCH, lists)
    server.start()
    with Client(server.socket) as client:
        assert next(client.stream(methods.LIST_AND_WATCH, Empty())).devices[0].id == "s"
        assert not over.is_set()
    assert over.wait(120)


def test_a_socket_that_cannot_be_made_is_a_sentence(folder: Path) -> None:
    """With its path."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(KubeletError, match=r"missing/a\.sock: cannot be listened on"):
        Server(folder / "missing" / "a.sock", pool).start()


def test_a_stale_socket_is_replaced(server: Server) -> None:
    """Of a process that was killed."""
    server.socket.write_text("left")
    server.add(methods.OPTIONS, lambda _: Options())
    server.start()
    with Client(server.socket) as client:
        assert client.call(methods.OPTIONS, Empty(), 10) == Options()
