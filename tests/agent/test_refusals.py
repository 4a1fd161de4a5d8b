"""Containers that wait: told once, touched when what kept them is gone, and not more often than that."""

from __future__ import annotations

from typing import Any

import pytest

from hetero import metrics
from hetero.agent.refusals import FORGOTTEN, Refusals
from hetero.errors import ApiError, Unbound


class World:
    """A pod, a clock, and what was said and done."""

    def __init__(self, scene: Any) -> None:
        self.now = 0.0
        self.placed = False
        self.pod: Any = scene.pod(scene.placement())
        self.touched: list[str] = []
        self.told: list[str] = []
        self.error: ApiError | None = None
        self.held = scene.held()
        self.refusals = Refusals(lambda _: self.pod, self._check, self, self, lambda: self.now)

    def _check(self, held: Any) -> None:
        if not self.placed:
            raise Unbound("no placement")

    def patch(self, path: str, body: bytes) -> bytes:
        if self.error:
            raise self.error
        self.touched.append(path)
        return b""

    def post(self, pod: Any, kind_of: str, reason: str, message: str) -> None:
        self.told.append(f"{kind_of} {reason} {pod.name}: {message}")


@pytest.fixture
def world(scene: Any) -> World:
    """Nobody waits yet."""
    return World(scene)


def test_a_user_hears_each_reason_once(world: World) -> None:
    """The kubelet tries for ever; the event of the first time stands."""
    for _ in range(3):
        world.refusals.note(world.held, "no placement")
    world.refusals.note(world.held, "no instance is free")
    assert world.told == [
        "Warning DevicesRefused train: container main: no placement",
        "Warning DevicesRefused train: container main: no instance is free",
    ]


def test_a_container_is_woken_when_its_placement_serves(world: World) -> None:
    """At once, and once."""
    world.refusals.note(world.held, "no placement")
    world.refusals.look(loosened=False)
    assert world.touched == []
    world.placed = True
    world.refusals.look(loosened=False)
    world.refusals.look(loosened=False)
    assert world.touched == ["/api/v1/namespaces/lab/pods/train"]


def test_a_slice_that_could_not_be_made_is_tried_when_there_is_room(world: World) -> None:
    """Its placement was right all the time, so only what was released since can help."""
    world.placed = True
    world.refusals.note(world.held, "no instance is free")
    world.refusals.look(loosened=False)
    assert world.touched == []
    world.refusals.look(loosened=True)
    assert len(world.touched) == 1


def test_a_pod_is_touched_ever_more_seldom(world: World) -> None:
    """What keeps it may be nothing of ours."""
    world.placed = True
    for second in range(120):
        world.now = float(second)
        world.refusals.note(world.held, "no instance is free")
        world.refusals.look(loosened=True)
    assert len(world.touched) == 7


def test_a_container_that_was_not_refused_again_has_started(world: World) -> None:
    """Nobody tells a device plugin so; the kubelet would have asked again by then."""
    world.refusals.note(world.held, "no placement")
    assert len(world.refusals) == 1
    world.now = FORGOTTEN + 1
    world.placed = True
    world.refusals.look(loosened=True)
    assert (len(world.refusals), world.touched) == (0, [])


def test_a_pod_of_several_containers_is_touched_once(world: World, scene: Any) -> None:
    """One change of the pod wakes them all."""
    world.refusals.note(world.held, "no placement")
    world.refusals.note(scene.held(container="second"), "no placement")
    world.placed = True
    world.refusals.look(loosened=False)
    assert len(world.touched) == 1


@pytest.mark.parametrize(("status", "outcome"), [(404, "gone"), (409, "gone"), (500, "failed")])
def test_a_pod_that_cannot_be_touched_is_counted(world: World, status: int, outcome: str) -> None:
    """And nothing else happens: the kubelet asks again by itself."""
    before = metrics.retries.value(outcome)
    world.refusals.note(world.held, "no placement")
    world.placed, world.error = True, ApiError(status, "No", "no")
    world.refusals.look(loosened=False)
    assert metrics.retries.value(outcome) == before + 1


def test_a_pod_that_is_not_known_is_left_alone(world: World) -> None:
    """There is nobody to tell and nothing to touch."""
    world.pod = None
    world.refusals.note(world.held, "no placement")
    world.placed = True
    world.refusals.look(loosened=True)
    assert (world.told, world.touched) == ([], [])
