"""The planner finds a place exactly where there is one: its answers against plain loops, on ten thousand clusters.

The clusters are of all installed vendors, each with models of its own, beside made-up chips: one that runs out of
something that no other has, one on which shares have places, and one of which only some sets may be given. They are
small, and the pods large for them, so that asks get in each other's way.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.device import MEMORY, Device, DeviceModel, Health, Inventory, Node
from hetero.model.placement import Placement
from hetero.placement import Planner
from hetero.vendor import Vendor
from tests.placement.chips import chips
from tests.placement.installed import models, vendors
from tests.placement.reference import Reference, greatest, usage

CLUSTERS = 10_000
BATCHES = 20

VENDORS: dict[str, Vendor] = {**vendors(), **chips()}
MODELS = {name: models(vendor) for name, vendor in VENDORS.items()}
PRODUCTS = sorted({model.name for known in MODELS.values() for model in known})


class Chance:
    """A seeded source of clusters and pods."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        first = self._random.choice(sorted(VENDORS))
        self._kinds = self._random.sample(MODELS[first], min(2, len(MODELS[first])))

    def inventory(self) -> Inventory:
        return Inventory(nodes=tuple(self._node(name) for name in "ab"[: self._random.choice((1, 1, 2))]))

    def _node(self, name: str) -> Node:
        devices = tuple(self._device(index) for index in range(self._random.choice((1, 2, 3, 4, 4))))
        cordoned = (devices[0].uuid,) if self._random.random() < 0.1 else ()
        return Node(name=name, devices=devices, cordoned=cordoned)

    def _device(self, index: int) -> Device:
        ok = self._random.random() > 0.08
        return Device(
            uuid=f"d{index}",
            index=index,
            model=self._model(),
            numa=self._random.choice((-1, 0, 0, 1)),
            health=Health(ok=ok, reason="" if ok else "lost"),
        )

    def _model(self) -> DeviceModel:
        """Mostly one of two of the same vendor, so that pods find devices."""
        return self._random.choice(self._kinds if self._random.random() < 0.93 else MODELS[self._any()])

    def _any(self) -> str:
        return self._random.choice(sorted(VENDORS))

    def placed(self, planner: Planner) -> list[Placement]:
        """Some pods on the cluster already."""
        held = []
        for index in range(self._random.choice((0, 1, 2, 2))):
            pod = self.pod(f"pod-{index}")
            best = planner.options(pod).best()
            placement = planner.place_on(pod, best) if best is not None else None
            if isinstance(placement, Placement):
                planner.charge(placement)
                held.append(placement)
        return held

    def pod(self, name: str) -> PodAsk:
        return PodAsk(
            name=name,
            containers=self._containers("c", self._random.choice((1, 1, 2, 3))),
            init_containers=self._containers("i", self._random.choice((0, 0, 0, 0, 1, 2))),
            node_policy=self._random.choice(("", "binpack", "spread")),
            device_policy=self._random.choice(("", "", "binpack", "spread", "mutex", "numa,binpack", "topology-aware")),
        )

    def _containers(self, letter: str, count: int) -> tuple[ContainerAsk, ...]:
        sizes = [self._random.choice((1, 1, 1, 2)) for _ in range(count)]
        return tuple(
            ContainerAsk(name=f"{letter}{index}", asks=tuple(self._ask() for _ in range(size)))
            for index, size in enumerate(sizes)
        )

    def _ask(self) -> Ask:
        some = self._random.random
        size = self._random.choice((1 / 8, 1 / 4, 1 / 3, 1 / 2, 1 / 2, 2 / 3, 1))
        in_percent = some() < 0.3
        model = self._model()
        memory = model.capacity[MEMORY]
        return Ask(
            vendor=model.vendor,
            family=model.family,
            count=self._random.choice((1, 1, 1, 1, 2, 2, 3)),
            memory=None if in_percent or some() < 0.1 else int(memory * size) + self._random.choice((-1, 0, 1)),
            memory_percentage=self._random.choice((10, 33, 50, 51, 100)) if in_percent else None,
            cores=self._random.choice((0, 0, 20, 30, 50, 60, 100)),
            mode=model.mode if some() < 0.3 else "",
            selection=self._selection() if some() < 0.25 else Selection(),
        )

    def _selection(self) -> Selection:
        words = tuple(self._random.sample((*PRODUCTS, "alpha", "w"), self._random.choice((0, 0, 1))))
        identities = tuple(self._random.sample(("d0", "d1", "d2", "d3"), self._random.choice((0, 0, 1, 2))))
        if self._random.random() < 0.5:
            return Selection(use_models=words, use_devices=identities, same_numa=self._random.random() < 0.5)
        return Selection(avoid_models=words, avoid_devices=identities, same_numa=True)


def _names(inventory: Inventory) -> Mapping[str, set[str]]:
    models = [device.model for node in inventory.nodes for device in node.devices]
    return {vendor: {model.name for model in models if model.vendor == vendor} for vendor in VENDORS}


def _agree(planner: Planner, reference: Reference, pod: PodAsk, inventory: Inventory, held: list[Placement]) -> None:
    """Plain loops, the answer for all nodes and the answer for one node say the same."""
    options = planner.options(pod)
    fits, now, never = options.split([node.name for node in inventory.nodes])
    for node in inventory.nodes:
        expected = reference.fits(pod, node, held)
        assert (node.name in fits) is expected, (node, pod, held)
        assert isinstance(planner.place_on(pod, node.name), Placement) is expected, (node, pod, held)
        assert (node.name in never) is not reference.fits(pod, node, []), (node, pod)
        assert (node.name in now) is not (node.name in fits or node.name in never)
    assert (options.best() is None) is not fits


def _never_too_much(inventory: Inventory, held: list[Placement]) -> None:
    for node in inventory.nodes:
        used = usage(node, held)
        for device in node.devices:
            for name, amount in used[device.uuid].items():
                assert amount <= device.model.capacity[name], (node.name, device.uuid, name)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_place_is_found_exactly_where_there_is_one(batch: int) -> None:
    """Of several containers and init containers, any policy and selection, on devices that others use as well."""
    for seed in range(batch, CLUSTERS, BATCHES):
        chance = Chance(seed)
        inventory = chance.inventory()
        planner, reference = Planner(inventory, VENDORS), Reference(VENDORS, _names(inventory))
        held = chance.placed(planner)
        _agree(planner, reference, chance.pod("late"), inventory, held)
        _never_too_much(inventory, held)


def test_the_clusters_are_worth_looking_at() -> None:
    """Of what is asked some fits and some does not, now and for good, and some only together does not."""
    counts = {"fits": 0, "now": 0, "never": 0, "together": 0}
    for seed in range(400):
        chance = Chance(seed)
        inventory = chance.inventory()
        planner = Planner(inventory, VENDORS)
        chance.placed(planner)
        fits, now, never = planner.options(chance.pod("late")).split([node.name for node in inventory.nodes])
        counts["fits"] += len(fits)
        counts["now"] += len(now)
        counts["never"] += len(never)
        counts["together"] += sum("same time" in text for text in (*now.values(), *never.values()))
    assert min(counts.values()) > 10, counts


def test_the_reference_counts_as_kubernetes_does() -> None:
    """What the reference takes for granted is checked by hand: the greatest moment, dimension by dimension."""
    inventory = Inventory(nodes=(Node(name="a", devices=(Chance(1)._device(0),)),))
    assert greatest(Placement(namespace="n", pod="p", node=inventory.nodes[0].name)) == {}
