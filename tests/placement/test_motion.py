"""A cluster in motion: pods in the vendors' own words come and go, devices fall ill, and schedulers begin anew.

At each step the account is compared with a plain sum of what the pods hold, place by place. The pods are read from
resources as people write them, so that what a vendor's words come to is tried as well: instances by their names,
several asks of one container, two vendors in one pod, sidecars.
"""

from __future__ import annotations

import random

import msgspec
import pytest

from hetero.admission.asks import pod_ask
from hetero.admission.containers import Container
from hetero.admission.words import Words
from hetero.admission.workloads import Pod
from hetero.errors import InvalidRequest
from hetero.model import wire
from hetero.model.ask import Ask, PodAsk
from hetero.model.device import MEMORY, Device, DeviceModel, Health, Inventory, Node
from hetero.model.placement import Placement
from hetero.model.resources import ContainerRequest, Resources
from hetero.model.share import Share
from hetero.placement import Planner
from tests.placement.installed import models, vendors
from tests.placement.reference import usage

VENDORS = vendors()
WORDS = Words(VENDORS)
MODELS = [model for vendor in VENDORS.values() for model in models(vendor)]
FAMILIES = {(family.vendor, family.family): family for _, family in WORDS.families}
HISTORIES, STEPS = 90, 30


def _by_name(model: DeviceModel) -> list[str]:
    """The resources that count templates of a model, which a family may have beside the usual ones."""
    family, splitting = FAMILIES[model.vendor, model.family], VENDORS[model.vendor].splitting
    requests = [ContainerRequest(path="", limits={one.name: 1}) for one in family.names() if one.name != family.count]
    asks = {name: ask for request in requests for ask in _asks(family, request) for name in request.limits}
    return [name for name, ask in asks.items() if ask.template and isinstance(splitting.split(model, ask), Share)]


def _asks(family: Resources, request: ContainerRequest) -> tuple[Ask, ...]:
    try:
        return family.asks(request)
    except InvalidRequest:
        return ()


class Motion:
    """Two nodes of a few models, and what happens to them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kinds = self.random.sample(MODELS, 3)
        sizes = {name: self.random.choice((1, 2, 4, 8)) for name in "ab"}
        self.nodes = {name: Node(name=name, devices=self._devices(size)) for name, size in sizes.items()}
        self.planner = self._planner()
        self.held: dict[str, Placement] = {}
        self.moved = 0

    def _devices(self, size: int) -> tuple[Device, ...]:
        kinds = [self.random.choice(self.kinds) for _ in range(size)]
        return tuple(Device(uuid=f"d{index}", index=index, model=model) for index, model in enumerate(kinds))

    def _planner(self) -> Planner:
        return Planner(Inventory(nodes=tuple(self.nodes.values())), VENDORS)

    def arrive(self) -> None:
        """A pod, whether it finds a place or not."""
        self.moved += 1
        try:
            pod = self._pod(f"p{self.moved}")
        except InvalidRequest:
            return  # odd numbers of pairs, and what else a vendor does not give
        placement = self.planner.place(pod)
        if isinstance(placement, Placement):
            assert self._well(placement), "a device that is ill was given"
            self.held[placement.key] = placement

    def leave(self) -> None:
        """One of them ends."""
        if self.held:
            key = self.random.choice(sorted(self.held))
            self.planner.free(self.held.pop(key))

    def sicken(self) -> None:
        """A device falls ill, or is well again, and the node tells its devices in another order."""
        name = self.random.choice(sorted(self.nodes))
        devices = list(self.nodes[name].devices)
        place = self.random.randrange(len(devices))
        ok = not devices[place].health.ok
        devices[place] = msgspec.structs.replace(devices[place], health=Health(ok=ok, reason="" if ok else "lost"))
        self.random.shuffle(devices)
        self.nodes[name] = Node(name=name, devices=tuple(devices))
        self.planner.put_node(self.nodes[name])

    def restart(self) -> None:
        """A new account, from what the pods' annotations say; the nodes may be heard of before or after the pods."""
        before = self.planner.free_quantities()
        self.planner = self._planner() if self.random.random() < 0.5 else Planner(Inventory(), VENDORS)
        for placement in self.random.sample(list(self.held.values()), len(self.held)):
            self.planner.charge(wire.decode(wire.encode(placement), Placement))
        for node in self.nodes.values():
            self.planner.put_node(node)
        assert self.planner.free_quantities() == before

    def _well(self, placement: Placement) -> bool:
        well = {device.uuid for device in self.nodes[placement.node].devices if device.health.ok}
        containers = (*placement.containers, *placement.init_containers)
        return all(share.device in well for container in containers for share in container.devices)

    def _pod(self, name: str) -> PodAsk:
        many = self.random.choice
        pod = Pod(
            name=name,
            containers=tuple(self._container(f"c{index}") for index in range(many((1, 1, 2, 3)))),
            init_containers=tuple(self._container(f"i{index}") for index in range(many((0, 0, 1, 2)))),
        )
        return msgspec.structs.replace(pod_ask(pod, WORDS), device_policy=many(("", "binpack", "spread")))

    def _container(self, name: str) -> Container:
        limits: dict[str, int] = {}
        for _ in range(self.random.choice((0, 1, 1, 1, 2))):
            limits |= self._limits(self.random.choice(self.kinds))
        policy = "Always" if name.startswith("i") and self.random.random() < 0.2 else ""
        return Container(name=name, path="spec.containers[0]", limits=limits, restart_policy=policy)

    def _limits(self, model: DeviceModel) -> dict[str, int]:
        family = FAMILIES[model.vendor, model.family]
        if (named := _by_name(model)) and self.random.random() < 0.8:
            return {self.random.choice(named): self.random.choice((1, 1, 2)) for _ in range(2)}
        limits = {family.count: self.random.choice((1, 1, 1, 2, 4))}
        if family.memory and self.random.random() < 0.8:
            part = self.random.choice((0.05, 0.125, 0.25, 0.33, 0.5, 0.9, 1))
            limits[family.memory] = max(1, int(model.capacity[MEMORY] * part) // family.memory_unit)
        if family.cores and self.random.random() < 0.3:
            limits[family.cores] = self.random.choice((5, 20, 33, 50, 100))
        return limits


def _add_up(motion: Motion) -> None:
    """Nothing is given twice, and what is left is what was not given."""
    free = motion.planner.free_quantities()
    for node in motion.nodes.values():
        used = usage(node, list(motion.held.values()))
        for device in node.devices:
            capacity, taken = device.model.capacity, used[device.uuid]
            assert taken.keys() <= capacity.keys()
            assert all(taken.get(name, 0) <= capacity[name] for name in capacity), (node.name, device.uuid)
            assert free[node.name][device.uuid] == {name: capacity[name] - taken.get(name, 0) for name in capacity}
    assert not motion.planner.overcommitted()


@pytest.mark.parametrize("batch", range(6))
def test_accounts_add_up_whatever_moves(batch: int) -> None:
    """After each arrival, end, illness and restart, in every dimension of every device."""
    for seed in range(batch, HISTORIES, 6):
        motion = Motion(seed)
        steps = {motion.arrive: 6, motion.leave: 1, motion.sicken: 1, motion.restart: 1}
        for step in motion.random.choices(list(steps), list(steps.values()), k=STEPS):
            step()
            _add_up(motion)


def test_the_histories_are_worth_looking_at() -> None:
    """Many pods are placed, some of them by template, with several asks on one device, or of two vendors."""
    counts = {"placed": 0, "templates": 0, "one device": 0, "two vendors": 0}
    for seed in range(60):
        motion = Motion(seed)
        for _ in range(STEPS):
            motion.arrive()
        for placement in motion.held.values():
            held = [container.devices for container in placement.containers if container.devices]
            shares = [share for devices in held for share in devices]
            counts["placed"] += 1
            counts["templates"] += any(share.share.template for share in shares)
            counts["one device"] += any(len({share.device for share in devices}) < len(devices) for devices in held)
            counts["two vendors"] += len({share.vendor for share in shares}) > 1
    assert min(counts.values()) > 2, counts
