"""The keeper: what it writes, and above all how seldom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from hetero.agent.keeping import Keeper, Parts
from hetero.agent.node import Node, ThisNode
from hetero.errors import ApiError
from hetero.monitoring.inventory import Machine
from hetero.testing.fake import fake_device


class World:
    """All of a keeper's parts; each notes what it was asked."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.changed = threading.Condition()
        self.machine: Machine | None = None
        self.error: ApiError | None = None
        self.cleared = 0
        made: Any = self
        self.node = ThisNode(self.wake)
        self.keeper = Keeper(Parts(self.node, made, made, made, made, made, self.concern), every=1000)

    def note(self, what: str) -> None:
        with self.changed:
            self.said.append(what)
            self.changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, 20), self.said

    def offer(self, devices: Any) -> None:
        self.note(f"offer {len(devices)}")

    def stop(self) -> None:
        self.note("take back")

    def publish(self, shown: Any, devices: Any) -> int:
        self.note(f"publish {len(devices)}")
        if self.error:
            raise self.error
        return 1

    def look(self, *, loosened: bool) -> None:
        self.note(f"look {loosened}")

    def clear(self) -> int:
        self.note("clear")
        return self.cleared

    def sweep(self) -> None:
        self.note("sweep")

    def wake(self) -> None:
        self.keeper.wake()

    def concern(self, node: Any, sentence: str) -> None:
        self.note(f"concern {sentence.split(maxsplit=1)[0]}")

    def __len__(self) -> int:
        return 0

    def show(self, runtime: str = "containerd://2.2.9", version: str = "1") -> None:
        metadata = {"name": "desk", "uid": "n1", "resourceVersion": version}
        status = {"nodeInfo": {"containerRuntimeVersion": runtime}}
        self.node.put(msgspec.convert({"metadata": metadata, "status": status}, Node))

    def find(self, count: int) -> None:
        self.machine = Machine(tuple(fake_device(index) for index in range(count)))
        self.keeper.wake()


@pytest.fixture
def world() -> Iterator[World]:
    """A keeper that runs, and has been told nothing."""
    made = World()
    made.keeper.start()
    yield made
    made.keeper.stop()


def test_devices_are_offered_and_published_once(world: World) -> None:
    """However often the keeper is woken, and however often the node's heartbeat comes."""
    world.show()
    world.find(2)
    world.until(lambda: {"offer 2", "publish 2"} <= set(world.said))
    for _ in range(5):
        looks = world.said.count("look False")
        world.keeper.wake()
        world.until(lambda looks=looks: world.said.count("look False") > looks)  # type: ignore[misc]
    assert (world.said.count("offer 2"), world.said.count("publish 2")) == (1, 1)


def test_a_change_of_the_devices_loosens(world: World) -> None:
    """Containers that waited for one may start now."""
    world.show()
    world.find(1)
    world.until(lambda: "look True" in world.said)
    world.find(2)
    world.until(lambda: world.said.count("look True") == 2)


def test_nothing_is_offered_before_the_runtime_is_known(world: World) -> None:
    """A node whose kubelet has not said it yet."""
    world.find(1)
    world.until(lambda: "look False" in world.said)
    assert world.keeper.waiting == "the node's container runtime"
    assert "offer 1" not in world.said
    world.show()
    world.until(lambda: "offer 1" in world.said)
    assert world.keeper.waiting == ""


def test_a_runtime_that_does_not_serve_gets_nothing(world: World) -> None:
    """What was offered is taken back, what was published is withdrawn, and administrators are told once."""
    world.show()
    world.find(1)
    world.until(lambda: "publish 1" in world.said)
    world.show("containerd://1.6.20", "2")
    world.until(lambda: "publish 0" in world.said)
    assert world.said.count("concern containerd://1.6.20") == 1
    assert "take back" in world.said
    assert world.keeper.waiting == "a container runtime that serves, not containerd://1.6.20"
    world.show(version="3")
    world.until(lambda: world.said.count("offer 1") == 2 and world.said.count("publish 1") == 2)


def test_a_server_that_is_away_is_tried_again(world: World) -> None:
    """Until it takes what it is told."""
    world.error = ApiError(503, "Unavailable", "later")
    world.show()
    world.find(1)
    world.until(lambda: world.said.count("publish 1") == 2)
    world.error = None
    world.until(lambda: world.said.count("publish 1") == 3)


def test_it_clears_up_at_the_start_and_after_each_pod(world: World) -> None:
    """And lets those start that waited for the room."""
    world.until(lambda: "sweep" in world.said)
    world.cleared = 1
    world.keeper.wake_to_clear()
    world.until(lambda: world.said[-3:] == ["clear", "look True", "sweep"])


def test_a_defect_does_not_end_it(world: World) -> None:
    """Whatever a part raises."""
    world.error = ZeroDivisionError()  # type: ignore[assignment]
    world.show()
    world.find(1)
    world.until(lambda: "publish 1" in world.said)
    world.error = None
    world.find(2)
    world.until(lambda: "publish 2" in world.said)


def test_devices_are_waited_for_first(world: World) -> None:
    """Drivers may take their time."""
    assert world.keeper.waiting == "the devices"
