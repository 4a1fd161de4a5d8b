"""What a chip's rounding adds to an ask is no reason to prefer the chip: the exact fit goes first."""

from __future__ import annotations

from typing import Any

import pytest

from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Inventory, Node
from hetero.model.share import Refusal, Share
from hetero.placement import choice, judge
from hetero.placement.fit import Fit
from hetero.placement.ledger import Ledger
from hetero.testing.fake import FakeSplitting, fake_vendor

POLICIES = ("binpack", "spread")


class Rounding(FakeSplitting):
    """Models named for how many equal parts they have, to which memory and compute are rounded up."""

    def split(self, model: DeviceModel, ask: Any) -> Share | Refusal:
        usual, parts = super().split(model, ask), int(model.name)
        if isinstance(usual, Refusal) or ask.exclusive:
            return usual
        memory, cores = model.capacity[MEMORY] // parts, 100 // parts
        taken = max(-(-usual.memory // memory), -(-usual.cores // cores), 1)
        return Share(quantities={SLOTS: 1, MEMORY: taken * memory, CORES: min(taken * cores, 100)})


VENDORS = {"fake": fake_vendor(splitting=Rounding("fake"))}


def _device(parts: int, index: int = 0) -> Device:
    return Device(uuid=f"d{index}", index=index, model=VENDORS["fake"].splitting.model(str(parts), 1000))


@pytest.mark.parametrize(
    ("fields", "waste"),
    [
        ({"memory": 100}, [0.9, 0.4, 0.0]),
        ({"memory": 500}, [0.5, 0.0, 0.0]),
        ({"memory": 510}, [0.49, 0.49, 0.09]),
        ({"memory": 100, "cores": 30}, [0.9, 0.4, 0.2]),
        ({"memory": None, "memory_percentage": 50}, [0.5, 0.0, 0.0]),
        ({"memory": None, "cores": 100}, None),
        ({"memory": 1000}, None),
    ],
)
def test_waste_is_what_is_charged_beyond_what_is_asked(ask: Any, fields: Any, waste: Any) -> None:
    """As a part of the device, of memory or of compute that is asked; nothing where all is given as asked."""
    devices = tuple(_device(parts, index) for index, parts in enumerate((1, 2, 10)))
    need = Fit(Ledger(Inventory(nodes=(Node(name="n", devices=devices),))), VENDORS).need(ask(**fields))
    assert (None if need.waste is None else need.waste.tolist()) == waste


@pytest.mark.parametrize(("policy", "count"), [("binpack", 10), ("spread", 3)])
def test_the_node_that_gives_just_what_is_asked_is_best(
    planner: Any, pod: Any, ask: Any, policy: str, count: int
) -> None:
    """A chip that rounds up to the half is no fuller for it; it is weighed against room, and serves where no other."""
    nodes = [Node(name=name, devices=(_device(parts),)) for name, parts in (("coarse", 2), ("exact", 10))]
    one = planner(*nodes, vendors=VENDORS)
    for number in range(count):
        assert one.place(pod(ask(memory=100), name=f"{number}", node_policy=policy)).node == "exact"
    if policy == "binpack":
        assert one.place(pod(ask(memory=100), name="late")).node == "coarse", "the other is full"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("count", [1, 2])
def test_the_device_that_gives_just_what_is_asked_is_best(
    planner: Any, pod: Any, ask: Any, policy: str, count: int
) -> None:
    """On one node, too."""
    devices = tuple(_device(parts, index) for index, parts in enumerate((1, 10, 2, 10)))
    one = planner(Node(name="n", devices=devices), vendors=VENDORS)
    placed = one.place(pod(ask(count=count, memory=100), device_policy=policy))
    assert {share.device for share in placed.containers[0].devices} <= {"d1", "d3"}


@pytest.mark.parametrize("policy", POLICIES)
def test_both_ways_say_the_same_of_waste(
    planner: Any, pod: Any, ask: Any, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick one of single asks, and the general one: scores to the last digit, and devices."""
    names = ["a", "b", "c"]

    def said() -> list[Any]:
        nodes = [
            Node(name=name, devices=(_device(parts), _device(2, 1)))
            for name, parts in zip(names, (1, 2, 7), strict=True)
        ]
        one, told = planner(*nodes, vendors=VENDORS), list[Any]()
        for number in range(8):
            asked = pod(ask(memory=130, cores=10), name=f"{number}", node_policy=policy, device_policy=policy)
            told += [one.options(asked).scores(names), one.place(asked), one.options(asked).scores(names)]
        return told

    quick = said()
    for module in (choice, judge):
        monkeypatch.setattr(module, "LARGEST", -1)
    assert said() == quick


def test_scores_are_from_0_to_1_in_the_order_of_the_nodes(planner: Any, pod: Any, ask: Any) -> None:
    """Whoever weighs them with other scores need not know of waste."""
    nodes = [Node(name=str(parts), devices=(_device(parts),)) for parts in (1, 2, 10)]
    one = planner(*nodes, vendors=VENDORS)
    for asked in (pod(ask(memory=100)), pod(ask(memory=100), ask(memory=100, cores=100 // 10))):
        scores = one.options(asked).scores(["1", "2", "10"])
        assert all(0.0 <= score <= 1.0 for score in scores)
        assert scores[2] == max(scores)
