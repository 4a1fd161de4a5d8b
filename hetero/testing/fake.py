"""A vendor of chips that do not exist: every feature, no driver, so that a test of the core needs no chip.

It is also the shortest complete vendor to read. A device offers :data:`SLOTS_PER_DEVICE` slots, its memory to the MiB
and its compute to the percent; devices are whatever the test says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hetero.errors import DriverMissing, InvalidValue
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Node, Sample
from hetero.model.resources import Resources
from hetero.model.share import Reason, Refusal, Share
from hetero.vendor import Discovery, Driver, Enforcement, Feature, Splitting, Vendor

SLOTS_PER_DEVICE = 10
MODEL = "Fake F1"
MEMORY_MIB = 16384


def fake_vendor(
    name: str = "fake",
    *,
    devices: Sequence[Device] | None = (),
    missing: Mapping[Feature, str] | None = None,
    splitting: Splitting | None = None,
    region: bool = False,
) -> Vendor:
    """A vendor named ``name`` whose resources are ``<name>.example/npu``, ``…/npumem`` and so on.

    Args:
        name: Name of the vendor.
        devices: What this machine has; None when the driver is not installed.
        missing: See :attr:`Vendor.missing`.
        splitting: Instead of the usual one, e.g. for chips with rings.
        region: See :attr:`Enforcement.region`.
    """
    return Vendor(
        name=name,
        title=f"{name.title()} NPU",
        version="1.0",
        resources=(fake_resources(name),),
        discovery=FakeDiscovery(devices),
        splitting=splitting or FakeSplitting(name),
        enforcement=FakeEnforcement(name, region=region),
        missing={Feature.SIMULATION: "there is no driver to simulate", **(missing or {})},
    )


def fake_resources(name: str = "fake") -> Resources:
    """The resource family of the fake vendor."""
    domain = f"{name}.example"
    return Resources(
        vendor=name,
        count=f"{domain}/npu",
        memory=f"{domain}/npumem",
        memory_percentage=f"{domain}/npumem-percentage",
        cores=f"{domain}/npucores",
        priority=f"{domain}/npu-priority",
        use_models=f"{domain}/use-models",
        avoid_models=f"{domain}/avoid-models",
        use_devices=f"{domain}/use-devices",
        avoid_devices=f"{domain}/avoid-devices",
        same_numa=f"{domain}/same-numa",
    )


def fake_device(  # noqa: PLR0913 — a test names only what it is about
    index: int = 0,
    *,
    vendor: str = "fake",
    memory: int = MEMORY_MIB,
    model: str = MODEL,
    numa: int = -1,
    health: Health | None = None,
) -> Device:
    """One device, ``<vendor>-<index>``."""
    return Device(
        uuid=f"{vendor}-{index}",
        index=index,
        model=FakeSplitting(vendor).model(model, memory),
        numa=numa,
        health=health or Health(),
    )


def fake_devices(count: int, *, vendor: str = "fake", memory: int = MEMORY_MIB, model: str = MODEL) -> list[Device]:
    """``count`` devices of one model."""
    return [fake_device(index, vendor=vendor, memory=memory, model=model) for index in range(count)]


def fake_node(name: str = "node", count: int = 1, *, vendor: str = "fake", memory: int = MEMORY_MIB) -> Node:
    """A node with ``count`` devices of one model."""
    return Node(name=name, devices=tuple(fake_devices(count, vendor=vendor, memory=memory)))


class FakeDiscovery(Discovery):
    """Finds what the test put there."""

    def __init__(self, devices: Sequence[Device] | None) -> None:
        self._devices = devices

    def driver(self) -> Driver:
        """Version 1.0, when there are devices at all."""
        self.devices()
        return Driver(version="1.0", library="libfake.so.1")

    def devices(self) -> Sequence[Device]:
        """The devices of the test."""
        if self._devices is None:
            raise DriverMissing("libfake.so.1", "install the fake driver")
        return self._devices

    def sample(self) -> Sequence[Sample]:
        """Idle devices."""
        return [Sample(uuid=one.uuid, memory_used=0, utilization=0, health=one.health) for one in self.devices()]


class FakeSplitting(Splitting):
    """Gives what is asked, to the MiB and the percent."""

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Any product of any memory, in the one mode that there is."""
        if memory <= 0:
            raise InvalidValue("memory", memory, "is no size; write MiB greater than 0")
        if mode:
            raise InvalidValue("mode", mode, "is no mode of a fake device; leave it out")
        capacity = {SLOTS: SLOTS_PER_DEVICE, MEMORY: memory, CORES: 100}
        return DeviceModel(vendor=self._vendor, name=name, capacity=capacity)

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The memory asked, in one slot; all slots when the device is taken whole."""
        total = model.capacity[MEMORY]
        memory = ask.memory_on(total)
        if memory > total:
            return Refusal(
                reason=Reason.INSUFFICIENT_MEMORY,
                message=f"{model.name} has {total} MiB, asked {memory} MiB",
            )
        slots = model.capacity[SLOTS] if ask.exclusive else 1
        return Share(quantities={SLOTS: slots, MEMORY: memory, CORES: ask.cores})


class FakeEnforcement(Enforcement):
    """Tells the program its share in variables, and remembers what it was told to release."""

    def __init__(self, vendor: str, *, region: bool = False) -> None:
        self.region = region
        self.released: list[str] = []
        self._vendor = vendor

    def prepare(self, held: Slice) -> ContainerEdits:
        """``<VENDOR>_DEVICES`` and ``<VENDOR>_MEMORY``, in the order of the slice."""
        prefix = self._vendor.upper().replace("-", "_")
        return ContainerEdits(
            env={
                f"{prefix}_DEVICES": _listed(grant.device.uuid for grant in held.grants),
                f"{prefix}_MEMORY": _listed(grant.share.memory for grant in held.grants),
            }
        )

    def release(self, held: Slice) -> None:
        """Nothing was made, so nothing is undone."""
        self.released.append(held.id)


def _listed(values: Iterable[Any]) -> str:
    return ",".join(str(value) for value in values)
