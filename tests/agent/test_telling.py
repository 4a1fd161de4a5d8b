"""What the agent says in events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hetero.agent.node import Node
from hetero.agent.pods import Pod
from hetero.agent.telling import REMEMBERED, Telling

TEXT = "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices fake.example/npu"


class Events:
    """What was said, and about whom."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []

    def post(self, pod: Any, kind_of: str, reason: str, message: str) -> None:
        self.said.append((pod.name, reason, message))

    post_node = post


CLOSED = (
    "Pod was rejected: Allocate failed due to rpc error: code = Canceled desc = grpc: the client connection is closing"
)
BROKEN = "Pod was rejected: Allocate failed due to rpc error: code = Unavailable desc = error reading from server: "


def _failed(uid: str, message: str = TEXT, reason: str = "UnexpectedAdmissionError", asks: str = "cpu") -> Pod:
    status = {"phase": "Failed", "reason": reason, "message": message}
    spec = {"containers": [{"name": "main", "resources": {"limits": {asks: "1"}}}]}
    return msgspec.convert({"metadata": {"name": uid, "uid": uid}, "spec": spec, "status": status}, Pod)


def test_a_pod_that_was_failed_for_want_of_devices_is_told_what_to_do() -> None:
    """Once, although each change of it is shown here."""
    events = Events()
    telling = Telling(events, {"fake.example/npu"})
    for _ in range(3):
        telling.look(_failed("a"))
    [(name, reason, message)] = events.said
    assert (name, reason) == ("a", "DevicesUnavailable")
    assert "a controller makes a new pod, a bare one is to be deleted and created again" in message


@pytest.mark.parametrize(
    ("message", "asks"),
    [
        (f"{BROKEN}read unix @->/var/lib/kubelet/device-plugins/hetero-fake.example_npu.sock: connection reset", "cpu"),
        (f"{BROKEN}EOF, which is unexpected", "fake.example/npu"),
        (f"{CLOSED}which is unexpected", "fake.example/npu"),
    ],
)
def test_a_pod_that_was_being_allocated_when_the_agent_died_is_told_too(message: str, asks: str) -> None:
    """The kubelet then names the plugin's socket, or nothing at all: what the pod asks for tells whose it is."""
    events = Events()
    Telling(events, {"fake.example/npu"}).look(_failed("a", message, asks=asks))
    assert [name for name, _, _ in events.said] == ["a"]


def test_another_plugin_that_died_is_not_taken_for_this_one() -> None:
    """Its pod asks for nothing of ours; and where it does, another error than a broken connection is not ours."""
    events = Events()
    telling = Telling(events, {"fake.example/npu"})
    telling.look(_failed("a", f"{BROKEN}EOF", asks="acme.com/other"))
    telling.look(_failed("b", BROKEN.replace("Unavailable", "Unknown"), asks="fake.example/npu"))
    assert events.said == []


def test_pods_that_failed_for_another_reason_are_nobodys_business_here() -> None:
    """Another plugin's devices, too little memory, a program that ended."""
    events = Events()
    telling = Telling(events, {"fake.example/npu"})
    telling.look(_failed("a", "cannot allocate unhealthy devices acme.com/other"))
    telling.look(_failed("b", reason="Evicted"))
    telling.look(msgspec.convert({"metadata": {"name": "c", "uid": "c"}}, Pod))
    assert events.said == []


def test_what_is_remembered_has_an_end() -> None:
    """An agent lives for months."""
    events = Events()
    telling = Telling(events, {"fake.example/npu"})
    for number in range(REMEMBERED + 5):
        telling.look(_failed(str(number)))
    assert len(telling._told) == REMEMBERED


def test_a_runtime_that_does_not_serve_is_told_of_the_node() -> None:
    """Administrators look there."""
    events = Events()
    node = msgspec.convert({"metadata": {"name": "desk"}}, Node)
    Telling(events, ()).runtime(node, "too old")
    assert events.said == [("desk", "ContainerRuntime", "too old")]
