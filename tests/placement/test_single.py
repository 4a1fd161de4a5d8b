"""The quick way of the plainest pods says the very same as the general one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Weights
from hetero.model.device import Device, Health, Inventory, Node
from hetero.model.placement import Placement
from hetero.placement import Planner, choice, judge
from hetero.testing.fake import fake_vendor
from tests.placement.chips import Placed

VENDORS = {
    "fake": fake_vendor(),
    "other": fake_vendor("other"),
    "placed": fake_vendor("placed", splitting=Placed("placed")),
}


def _device(index: int, chance: random.Random) -> Device:
    vendor = chance.choice(("fake", "fake", "other", "placed", "placed"))
    splitting = VENDORS[vendor].splitting
    return Device(
        uuid=f"{vendor}-{index}",
        index=index,
        model=splitting.model(chance.choice(("F1", "F2")), chance.choice((7000, 16384))),
        health=Health(ok=chance.random() > 0.1, reason=""),
    )


def _node(name: str, chance: random.Random) -> Node:
    devices = tuple(_device(index, chance) for index in range(chance.randint(0, 6)))
    return Node(name=name, devices=devices, cordoned=("fake-0",) if chance.random() < 0.2 else ())


def _pod(name: str, chance: random.Random) -> PodAsk:
    in_percent = chance.random() < 0.4
    ask = Ask(
        vendor=chance.choice(("fake", "placed")),
        count=chance.choice((1, 1, 1, 2)),
        memory=None if in_percent else chance.choice((777, 2000, 9000)),
        memory_percentage=chance.choice((10, 33)) if in_percent else None,
        cores=chance.choice((0, 7, 30, 100)),
    )
    return PodAsk(
        name=name,
        containers=(ContainerAsk(name="c", asks=(ask,)),),
        node_policy=chance.choice(("binpack", "spread")),
        device_policy=chance.choice(("binpack", "spread", "mutex")),
        weights=chance.choice((Weights(), Weights(memory=3.0, slots=0.0))),
    )


def _life(seed: int) -> list[Any]:
    """All that is answered in a random history of one pod after another."""
    chance, said = random.Random(seed), []
    planner = Planner(Inventory(nodes=tuple(_node(name, chance) for name in "abcdefgh")), VENDORS)
    kinds = [_pod("", chance) for _ in range(6)]
    for index in range(60):
        kind = chance.choice(kinds)
        pod = PodAsk(**{**{name: getattr(kind, name) for name in kind.__struct_fields__}, "name": f"pod-{index}"})
        options = planner.options(pod)
        placement = planner.place_on(pod, chance.choice("abcdefgh"))
        said += [options.split(list("abcdefgh")), options.scores(list("abcdefgh")), placement]
        if isinstance(placement, Placement):
            planner.charge(placement)
            said.append(planner.options(pod).scores(list("abcdefgh")))
        if index % 5 == 4:
            planner.free(f"default/pod-{index - 3}")
    return said


@pytest.mark.parametrize("seed", range(20))
def test_both_ways_say_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last digit of every score, and the same device of equals: nobody can tell which way was taken."""
    quick = _life(seed)
    for module in (choice, judge):
        monkeypatch.setattr(module, "LARGEST", -1)
    assert _life(seed) == quick
