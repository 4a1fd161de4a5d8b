"""Clusters of all installed vendors' chips side by side: nothing is given twice, and chips are filled to the brim."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.device import MEMORY, Device, DeviceModel, Inventory, Node
from hetero.model.placement import Placement
from hetero.model.share import Share
from hetero.placement import Planner
from hetero.vendor import Vendor
from tests.placement.chips import chips
from tests.placement.installed import models, templates, vendors
from tests.placement.reference import usage

VENDORS: dict[str, Vendor] = {**vendors(), **chips()}
MOST = {
    ("nvidia", "NVIDIA A100-SXM4-40GB"): {
        "1g.5gb": 7,
        "1g.10gb": 4,
        "2g.10gb": 3,
        "3g.20gb": 2,
        "4g.20gb": 1,
        "7g.40gb": 1,
    },
    ("ascend", "910B2"): {"vir06_1c_16g": 4, "vir12_3c_32g": 2},
    ("ascend", "910B3"): {"vir05_1c_16g": 4, "vir10_3c_32g": 2},
    ("ascend", "910B4"): {"vir05_1c_8g": 4},
    ("ascend", "310P3"): {"vir01": 7},
}
"""How many of a template the vendors' documents say that one device holds at most."""

MODELS: list[DeviceModel] = [model for vendor in VENDORS.values() for model in models(vendor)]
TEMPLATED = [(model, template) for model in MODELS for template in sorted(templates(VENDORS[model.vendor], model))]


class Chance:
    """A seeded source of mixed clusters and of pods for them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._asks = {id(model): list(templates(VENDORS[model.vendor], model).values()) for model in MODELS}

    def inventory(self) -> Inventory:
        return Inventory(nodes=tuple(self._node(name) for name in "abc"[: self._random.randint(1, 3)]))

    def _node(self, name: str) -> Node:
        whose = self._random.choices(sorted(VENDORS), k=self._random.choice((1, 2, 2, 3)))
        kinds = [self._random.choice([model for model in MODELS if model.vendor == vendor]) for vendor in whose]
        devices: list[Device] = []
        for kind in kinds:
            for _ in range(self._random.choice((1, 2, 4, 8))):
                place, index = len(devices), sum(device.model.vendor == kind.vendor for device in devices)
                devices.append(Device(uuid=f"{name}-{place}", index=index, model=kind, numa=index // 4))
        return Node(name=name, devices=tuple(devices))

    def pod(self, inventory: Inventory, name: str) -> PodAsk:
        """Asks for what the cluster has, mostly."""
        kinds = [device.model for node in inventory.nodes for device in node.devices]
        return PodAsk(
            name=name,
            containers=self._containers("c", self._random.choice((1, 1, 1, 2, 3)), kinds),
            init_containers=self._containers("i", self._random.choice((0, 0, 0, 1)), kinds),
            node_policy=self._random.choice(("", "binpack", "spread")),
            device_policy=self._random.choice(("", "binpack", "spread", "numa,binpack", "topology-aware", "mutex")),
        )

    def _containers(self, letter: str, count: int, kinds: Sequence[DeviceModel]) -> tuple[ContainerAsk, ...]:
        return tuple(
            ContainerAsk(
                name=f"{letter}{index}",
                asks=tuple(self._ask(self._random.choice(kinds)) for _ in range(self._random.choice((1, 1, 1, 2, 4)))),
            )
            for index in range(count)
        )

    def _ask(self, kind: DeviceModel) -> Ask:
        count = self._random.choice((1, 1, 1, 1, 2, 4))
        same_numa = Selection(same_numa=self._random.random() < 0.1)
        known = self._asks[id(kind)]
        if known and self._random.random() < 0.6:
            return msgspec.structs.replace(self._random.choice(known), selection=same_numa)
        size = self._random.choice((1 / 16, 1 / 8, 1 / 4, 1 / 2, 1))
        return Ask(
            vendor=kind.vendor,
            family=kind.family,
            count=count,
            memory=None if size == 1 else int(kind.capacity[MEMORY] * size),
            cores=self._random.choice((0, 10, 30, 100)) if size < 1 else 100,
            mode=self._random.choice(("", kind.mode)),
            selection=same_numa,
        )


def _within(inventory: Inventory, held: Sequence[Placement]) -> None:
    """No dimension of any device is given out beyond what the device has, by an account of our own."""
    for node in inventory.nodes:
        used = usage(node, held)
        for device in node.devices:
            for name, amount in used[device.uuid].items():
                assert 0 <= amount <= device.model.capacity[name], (node.name, device.uuid, name)


def _settle(planner: Planner, pod: PodAsk, inventory: Inventory) -> Placement | None:
    """The pod placed on the best node; all nodes are judged as they are when the pod is put there."""
    names = [node.name for node in inventory.nodes]
    fits, _, _ = planner.options(pod).split(names)
    placements = {name: planner.place_on(pod, name) for name in names}
    assert fits == [name for name, one in placements.items() if isinstance(one, Placement)], pod
    decision = planner.place(pod)
    assert isinstance(decision, Placement) is bool(fits)
    return decision if isinstance(decision, Placement) else None


@pytest.mark.parametrize("seed", range(24))
def test_nothing_is_over_committed_on_a_mixed_cluster(seed: int) -> None:
    """In no dimension of any vendor's chip, whatever comes and goes; and all is free in the end."""
    chance, choose = Chance(seed), random.Random(seed)
    inventory = chance.inventory()
    planner, held = Planner(inventory, VENDORS), dict[str, Placement]()
    for number in range(40):
        pod = chance.pod(inventory, f"pod-{number}")
        decision = _settle(planner, pod, inventory)
        if decision is not None:
            held[decision.key] = decision
        if held and choose.random() < 0.3:
            planner.free(held.pop(choose.choice(sorted(held))))
        _within(inventory, list(held.values()))
        assert planner.overcommitted() == {}
    for key in held:
        planner.free(key)
    assert planner.free_quantities() == Planner(inventory, VENDORS).free_quantities()


def test_the_mixed_clusters_are_worth_looking_at() -> None:
    """Pods of every vendor are placed there, and some are not for want of room."""
    placed, refused = set[str](), 0
    for seed in range(20):
        chance = Chance(seed)
        inventory = chance.inventory()
        planner = Planner(inventory, VENDORS)
        for number in range(20):
            decision = planner.place(chance.pod(inventory, f"pod-{number}"))
            if isinstance(decision, Placement):
                placed |= {share.vendor for one in decision.containers for share in one.devices}
            else:
                refused += 1
    assert placed == set(VENDORS)
    assert refused > 20


def _shares(model: DeviceModel, ask: Ask) -> list[Share]:
    splitting = VENDORS[model.vendor].splitting
    share = splitting.split(model, ask)
    assert isinstance(share, Share)
    return [share, *splitting.alternatives(model, ask)]


def _most(free: dict[str, int], shares: Sequence[Share], least: int = 0) -> int:
    """How many of a share go on a device at best, wherever they are put: by trying everything."""
    most = 0
    for number, share in enumerate(shares[least:], start=least):
        left = {name: amount - share.quantities.get(name, 0) for name, amount in free.items()}
        if min(left.values()) >= 0:
            most = max(most, 1 + _most(left, shares, number + (len(shares) > 1)))
    return most


def _alone(model: DeviceModel) -> Iterator[Ask]:
    yield from templates(VENDORS[model.vendor], model).values()


@pytest.mark.parametrize(("model", "template"), TEMPLATED, ids=lambda value: getattr(value, "name", value))
def test_a_template_chip_is_filled_to_what_it_holds(model: DeviceModel, template: str) -> None:
    """With pods that come one after another, and with one that asks for all at once; never one more."""
    ask = templates(VENDORS[model.vendor], model)[template]
    node = Node(name="n", devices=(Device(uuid="d", index=0, model=model),))
    most = _most(dict(model.capacity), _shares(model, ask))
    one, together = (Planner(Inventory(nodes=(node,)), VENDORS) for _ in range(2))
    decisions = [one.place(_pod(f"{number}", [ask])) for number in range(most + 1)]
    assert [isinstance(decision, Placement) for decision in decisions] == [True] * most + [False]
    assert isinstance(together.place(_pod("all", [ask] * most)), Placement)
    together.free("default/all")
    assert not isinstance(together.place(_pod("more", [ask] * (most + 1))), Placement)


def test_what_chips_hold_is_what_their_documents_say() -> None:
    """Of each template that is listed here and can be asked by size: neither fewer nor more."""
    told = {
        (model.name, template): (_most(dict(model.capacity), _shares(model, ask)), most)
        for model in MODELS
        for template, most in MOST.get((model.vendor, model.name), {}).items()
        if (ask := templates(VENDORS[model.vendor], model).get(template)) is not None
    }
    assert told
    assert {key: found for key, (found, _) in told.items()} == {key: most for key, (_, most) in told.items()}


@pytest.mark.parametrize(
    "model", [model for model in MODELS if any(True for _ in _alone(model))], ids=lambda one: one.name
)
def test_templates_of_several_sizes_fill_a_chip_without_a_gap(model: DeviceModel) -> None:
    """Whatever sizes come, where one more is refused there is truly no place for it however many ways are tried."""
    known = list(_alone(model))
    for seed in range(10):
        chance = random.Random(seed)
        node = Node(name="n", devices=(Device(uuid="d", index=0, model=model),))
        planner = Planner(Inventory(nodes=(node,)), VENDORS)
        for number in range(24):
            ask, free = chance.choice(known), planner.free_quantities()["n"]["d"]
            fits = any(
                all(amount <= free[name] for name, amount in share.quantities.items()) for share in _shares(model, ask)
            )
            assert isinstance(planner.place(_pod(f"{number}", [ask])), Placement) is fits


def _pod(name: str, asks: Sequence[Ask]) -> PodAsk:
    return PodAsk(name=name, containers=(ContainerAsk(name="c", asks=tuple(asks)),))
