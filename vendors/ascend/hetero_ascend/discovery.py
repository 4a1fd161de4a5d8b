"""Which NPUs this machine has and what they are doing, by DCMI."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Sequence

import msgspec

from hetero import log
from hetero.driver import NONSENSE, host
from hetero.errors import DriverError, DriverFailed
from hetero.model.device import MEMORY, SLOTS, Device, DeviceModel, Health, Process, Sample
from hetero.model.quantity import MIB
from hetero.vendor import Discovery, Driver
from hetero_ascend import modes, nearness
from hetero_ascend.chips import NEWEST, chip_of
from hetero_ascend.dcmi import Address, Dcmi
from hetero_ascend.health import health_of
from hetero_ascend.names import VENDOR
from hetero_ascend.splitting import npu_model

_log = log.logger("ascend")

# Source: mind-cluster, ascend-docker-runtime: what a program needs beside the chip's own file, where it is there.
_SHARED = ("/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc", "/dev/dvpp_cmdlist")
_SHARED_NEWEST = ("/dev/hisi_hdc", "/dev/uburma", "/dev/ummu")

_AICORE = 2
_ALL = 13


class DcmiDiscovery(Discovery):
    """NPUs by DCMI.

    Args:
        dcmi: The library.
    """

    def __init__(self, dcmi: Dcmi | None = None) -> None:
        self._dcmi = dcmi or Dcmi()
        self._gates = modes.Gates()
        self._seen: dict[Address, Device] = {}

    def driver(self) -> Driver:
        """The driver's version, and that of its library."""
        api = self._dcmi.api_version()
        return Driver(version=modes.driver_version(self._dcmi), library=self._dcmi.library.path, api=api)

    def devices(self) -> Sequence[Device]:
        """All chips in the order of the driver; those that are two on a module are two devices."""
        found: list[Device] = []
        for chip in self._dcmi.chips():
            device = self._described(chip, {one.uuid for one in found})
            if device is not None:
                self._seen[chip] = device
                found.append(msgspec.structs.replace(device, index=len(found)))
        return [msgspec.structs.replace(one, links=nearness.links(one, found)) for one in found]

    def sample(self) -> Sequence[Sample]:
        """Memory, utilisation, processes, temperature and power of each chip."""
        addresses = {device.uuid: chip for chip, device in self._seen.items()}
        devices = self.devices()
        addresses |= {device.uuid: chip for chip, device in self._seen.items()}
        return [self._sample(device, addresses[device.uuid]) for device in devices]

    def _described(self, chip: Address, others: Collection[str]) -> Device | None:
        """One that cannot be asked any more is told as it was; one that never told its identity is left out."""
        known = self._seen.get(chip)
        try:
            uuid = self._dcmi.die(chip)
            if uuid in others:
                raise DriverFailed("die", NONSENSE, f"it told {uuid} of two chips")
            known = known if known and known.uuid == uuid else _nameless(uuid)
            return self._device(chip, uuid)
        except DriverError as error:
            _log.error("NPU cannot be described", chip=str(tuple(chip)), known=bool(known), reason=str(error))
            return msgspec.structs.replace(known, health=Health(ok=False, reason=str(error))) if known else None

    def _device(self, chip: Address, uuid: str) -> Device:
        bus = self._dcmi.bus(chip)
        model, health = self._model(chip), health_of(self._dcmi, chip)
        if not model.family:
            health = Health(ok=False, reason=f"{model.name} is a chip that this release does not know")
        return Device(
            uuid=uuid,
            index=0,  # its place in the list is known when the list is
            model=model,
            numa=nearness.numa_node(bus, self._dcmi.cpus(chip)),
            health=health,
            paths=_paths(self._dcmi.phy_id(chip), model),
            bus=bus,
        )

    def _model(self, chip: Address) -> DeviceModel:
        name = self._dcmi.chip_name(chip)
        memory, _ = self._dcmi.memory(chip)
        kind = chip_of(name)
        if kind is None:
            return DeviceModel(vendor=VENDOR, name=name, capacity={SLOTS: 1, MEMORY: memory})
        return npu_model(kind, name, memory, self._gates.mode(kind, chip))

    def _sample(self, device: Device, chip: Address) -> Sample:
        try:
            _, used = self._dcmi.memory(chip)
            power = self._dcmi.number("power", chip)
            return Sample(
                uuid=device.uuid,
                memory_used=used,
                utilization=self._utilization(chip),
                health=device.health,
                processes=self._processes(chip),
                temperature=self._dcmi.number("temperature", chip),
                power=None if power is None else power / 10,
            )
        except DriverError as error:
            return Sample(uuid=device.uuid, memory_used=0, health=Health(ok=False, reason=str(error)))

    def _utilization(self, chip: Address) -> int:
        for kind in (_AICORE, _ALL):
            percent = self._dcmi.number("utilization", chip, ctypes.c_uint, kind)
            if percent is not None and percent <= 100:
                return percent
        return -1

    def _processes(self, chip: Address) -> tuple[Process, ...]:
        try:
            entries = self._dcmi.processes(chip)
        except DriverFailed:
            return ()  # who uses it is worth less than the rest of the sample
        return tuple(Process(pid=one.proc_id, memory=one.proc_mem_usage // MIB) for one in entries)


def _nameless(uuid: str) -> Device:
    """A chip of which nothing but its identity is known: it is shown, and never given."""
    return Device(uuid=uuid, index=0, model=DeviceModel(vendor=VENDOR, name="unknown", capacity={SLOTS: 1, MEMORY: 0}))


def _paths(phy: int, model: DeviceModel) -> tuple[str, ...]:
    shared = _SHARED_NEWEST if model.family == NEWEST.family else _SHARED
    return (f"/dev/davinci{phy}", *(path for path in shared if host(VENDOR, path).exists()))
