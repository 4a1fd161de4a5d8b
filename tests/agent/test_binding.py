"""Who knows a pod, and what becomes of a slice that cannot be made."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from hetero.agent.binding import Lookup, NodeBinding
from hetero.agent.pods import Pod, Pods
from hetero.errors import ApiError, EnforcementError, Unbound
from hetero.model.allocation import ContainerEdits


class Records:
    """No slices."""

    def all(self) -> list[Any]:
        return []


class Slices:
    """Fails as often as it is told to."""

    records = Records()

    def __init__(self) -> None:
        self.released = 0
        self.failures = 0
        self.asked = 0

    def edits(self, wanted: Any) -> ContainerEdits:
        self.asked += 1
        if self.failures:
            self.failures -= 1
            raise EnforcementError("no instance is free")
        return ContainerEdits(env={"A": "b"})


class Shares:
    """Every pod's placement serves."""

    def wanted(self, pod: Pod, held: Any, devices: Any) -> Any:
        return SimpleNamespace(pod=pod, container=held.container, vendor="fake")


class World:
    """An API server's pods, what is known of them, and a binding."""

    def __init__(self) -> None:
        self.pods, self.slices = Pods(), Slices()
        self.listed: list[Pod] = []
        self.lists = 0
        self.error: ApiError | None = None
        self.lookup = Lookup(self.pods, self._list)
        self.frees = False
        shares: Any = Shares()
        slices: Any = self.slices
        self.binding = NodeBinding(self.lookup, shares, slices, dict, self._clear)

    def _list(self) -> list[Pod]:
        self.lists += 1
        if self.error:
            raise self.error
        return self.listed

    def _clear(self) -> None:
        self.slices.released += self.frees


@pytest.fixture
def world() -> World:
    """Nobody is known."""
    return World()


def test_a_pod_that_is_known_is_not_asked_for(world: World, scene: Any) -> None:
    """The informer has it."""
    world.pods.put(scene.pod())
    assert world.binding.live(scene.uid)
    assert world.lists == 0


def test_a_pod_that_is_not_known_is_asked_for_once(world: World, scene: Any) -> None:
    """The kubelet heard of it first; from then on it is known."""
    world.listed = [scene.pod()]
    assert world.binding.live(scene.uid)
    assert world.binding.live(scene.uid)
    assert world.lists == 1


def test_those_who_wait_together_share_a_list(world: World, scene: Any) -> None:
    """A burst of twenty containers is one request or two, not twenty."""
    world.listed = [scene.pod()]
    go = threading.Barrier(20)
    found: list[bool] = []

    def look() -> None:
        go.wait(120)
        found.append(world.binding.live(scene.uid))

    threads = [threading.Thread(target=look) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == [True] * 20
    assert world.lists <= 2


def test_a_pod_that_is_over_or_nowhere_is_not_live(world: World, scene: Any) -> None:
    """Its slots may be another's already."""
    world.pods.put(scene.pod(status={"phase": "Failed"}))
    assert not world.binding.live(scene.uid)
    assert not world.binding.live("nobody")
    with pytest.raises(Unbound, match=r"pod nobody, which holds fake\.example/npu, is not known on this node"):
        world.binding.edits(scene.held(uid="nobody"))


def test_an_api_server_that_is_away_is_named(world: World, scene: Any) -> None:
    """The user reads why his pod waits."""
    world.error = ApiError(0, "Unreachable", "refused")
    with pytest.raises(Unbound, match="is not known on this node yet, and the API server cannot be asked"):
        world.binding.live(scene.uid)


def test_a_slice_that_cannot_be_made_is_told_with_the_pods_name(world: World, scene: Any) -> None:
    """And is not tried again at once where nothing has changed."""
    world.pods.put(scene.pod())
    world.slices.failures = 1
    with pytest.raises(Unbound, match="container main of pod lab/train cannot be made: no instance is free"):
        world.binding.edits(scene.held())
    assert world.slices.asked == 1


def test_a_slice_is_tried_again_when_room_was_made(world: World, scene: Any) -> None:
    """Once."""
    world.pods.put(scene.pod())
    world.slices.failures, world.frees = 1, True
    assert world.binding.edits(scene.held()) == ContainerEdits(env={"A": "b"})
    world.slices.failures = 2
    with pytest.raises(Unbound):
        world.binding.edits(scene.held())
    assert world.slices.asked == 4
