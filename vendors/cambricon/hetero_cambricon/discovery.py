"""Which MLUs this machine has and what they are doing, by cndev."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hetero import log
from hetero.driver import within
from hetero.errors import DriverError
from hetero.model.device import Device, Health, Process, Sample
from hetero.vendor import Discovery, Driver
from hetero_cambricon import places, smlu, structs
from hetero_cambricon.cndev import Cndev, dotted
from hetero_cambricon.health import health
from hetero_cambricon.links import links
from hetero_cambricon.splitting import SHARED, STATIC, UNKNOWN, WHOLE, mlu_model, undescribed

_log = log.logger("cambricon")

_MAX_MIB = 2**24


class CndevDiscovery(Discovery):
    """MLUs by cndev.

    Args:
        cndev: The library.
    """

    def __init__(self, cndev: Cndev) -> None:
        self._cndev = cndev
        self._seen: dict[int, Device] = {}
        self._unlisted = 0

    def driver(self) -> Driver:
        """The driver's version, and that of cndev."""
        version, api = self._cndev.driver_version(), self._cndev.library_version()
        return Driver(version=dotted(version), library=self._cndev.library.path, api=dotted(api))

    def devices(self) -> Sequence[Device]:
        """All MLUs in the order of cndev."""
        able = smlu.able(self._cndev)
        count = self._cndev.cards()
        self._compare_with_bus(count)
        handles: dict[str, int] = {}
        found = [device for place in range(count) for device in self._looked_at(place, able, handles)]
        paths = links(self._cndev, handles)
        linked = [msgspec.structs.replace(one, links=paths[one.uuid]) if one.uuid in paths else one for one in found]
        self._seen.update((one.index, one) for one in linked if one.model.mode != UNKNOWN)
        return linked

    def sample(self) -> Sequence[Sample]:
        """Memory, utilisation, temperature, power and processes of each MLU."""
        return [self._sample(device) for device in self.devices()]

    # --- one card -------------------------------------------------------------------------------------------

    def _looked_at(self, place: int, able: bool, handles: dict[str, int]) -> list[Device]:
        """The card of this place, of which the handle is noted; one that cannot be described as far as it is known."""
        uuid = ""
        try:
            handle = self._cndev.handle(place)
            uuid = self._cndev.uuid(handle)
            device = self._device(place, uuid, handle, able)
        except DriverError as error:
            return self._ill(place, uuid, error)
        handles[uuid] = handle
        return [device]

    def _device(self, place: int, uuid: str, handle: int, able: bool) -> Device:
        memory = self._memory(handle)
        bus = self._bus(handle)
        return Device(
            uuid=uuid,
            index=place,
            model=mlu_model(self._cndev.name(handle), int(memory.physicalMemoryTotal), self._mode(handle, able)),
            numa=self._numa(bus, handle),
            health=health(self._cndev, handle),
            paths=places.nodes(place),
            bus=bus,
        )

    def _memory(self, handle: int) -> structs.MemoryInfoV2:
        call = "cndevGetMemoryUsageV2"
        told = self._cndev.filled(call, structs.MemoryInfoV2, handle)
        within(call, "memory in MB", told.physicalMemoryTotal, 1, _MAX_MIB)
        within(call, "used memory in MB", told.physicalMemoryUsed, 0, told.physicalMemoryTotal)
        return told

    def _mode(self, handle: int, able: bool) -> str:
        """How the card is split now. What an older driver says of sMLU is not built upon."""
        static = self._cndev.told("cndevGetMimMode", structs.MimMode, handle)
        if static is not None and within("cndevGetMimMode", "the mode", static.mimMode, 0, 1):
            return STATIC
        mode = self._cndev.told("cndevGetSMLUMode", structs.SmluMode, handle) if able else None
        on = mode is not None and within("cndevGetSMLUMode", "the mode", mode.smluMode, 0, 1)
        return SHARED if on else WHOLE

    def _bus(self, handle: int) -> str:
        told = self._cndev.told("cndevGetPCIeInfoV2", structs.PcieInfoV2, handle)
        if told is None or told.bus > 0xFF or told.device > 0x1F or told.function > 7:
            return ""
        return f"{told.domain:04x}:{told.bus:02x}:{told.device:02x}.{told.function:x}"

    def _numa(self, bus: str, handle: int) -> int:
        """The kernel knows it; the library is asked where the kernel does not show the card."""
        node = places.numa_node(bus) if bus else -1
        if node >= 0:
            return node
        told = self._cndev.told("cndevGetNUMANodeIdByDevId", structs.NumaNodeId, handle)
        return told.nodeId if told is not None and 0 <= told.nodeId < 1024 else -1

    def _ill(self, place: int, uuid: str, error: DriverError) -> list[Device]:
        """As it was known before, or by its identity alone; one that never told any has none that we could give it."""
        known = self._seen.get(place)
        if known is None or uuid not in ("", known.uuid):
            known = Device(uuid=uuid, index=place, model=undescribed()) if uuid else None
        _log.error("MLU cannot be described", index=place, device=known.uuid if known else uuid, reason=str(error))
        return [msgspec.structs.replace(known, health=Health(ok=False, reason=str(error)))] if known else []

    def _compare_with_bus(self, count: int) -> None:
        """Say it once when there are cards that the driver does not list: they have no identity, and are not given."""
        unlisted = max(0, len(places.functions()) - count)
        if unlisted and unlisted != self._unlisted:
            _log.warning("cards on the PCI bus that the driver does not list", cards=unlisted, listed=count)
        self._unlisted = unlisted

    # --- what it does ---------------------------------------------------------------------------------------

    def _sample(self, device: Device) -> Sample:
        try:
            handle = self._cndev.handle(device.index)
            use = self._cndev.told("cndevGetDeviceUtilizationInfo", structs.UtilizationInfo, handle)
            return Sample(
                uuid=device.uuid,
                memory_used=int(self._memory(handle).physicalMemoryUsed),
                utilization=_percent(use.averageCoreUtilization) if use is not None else -1,
                health=device.health,
                processes=self._processes(handle),
                temperature=self._temperature(handle),
                power=self._power(handle),
            )
        except DriverError as error:
            return Sample(uuid=device.uuid, memory_used=0, health=Health(ok=False, reason=str(error)))

    def _processes(self, handle: int) -> tuple[Process, ...]:
        memory = self._cndev.processes("cndevGetProcessInfo", structs.ProcessInfo, handle)
        try:
            use = self._cndev.processes("cndevGetProcessUtilization", structs.ProcessUtilization, handle)
        except DriverError:  # not every card tells it
            use = []
        busy = {one.pid: _percent(one.ipuUtil) for one in use}
        return tuple(
            Process(
                pid=int(one.pid),
                memory=within("cndevGetProcessInfo", "KiB", one.physicalMemoryUsed, 0, _MAX_MIB * 1024) // 1024,
                utilization=busy.get(one.pid, -1),
            )
            for one in memory
        )

    def _temperature(self, handle: int) -> int | None:
        """Of the chip; of its board where the card does not measure the chip."""
        told = self._cndev.told("cndevGetTemperatureInfo", structs.TemperatureInfo, handle)
        measured = (told.chip, told.board) if told is not None else ()
        return next((int(degrees) for degrees in measured if 0 < degrees < 200), None)

    def _power(self, handle: int) -> float | None:
        told = self._cndev.told("cndevGetDevicePowerInfo", structs.DevicePowerInfo, handle)
        return float(told.usage) if told is not None and 0 <= told.usage < 10_000 else None


def _percent(told: int) -> int:
    return int(told) if 0 <= told <= 100 else -1
