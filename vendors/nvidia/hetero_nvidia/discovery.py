"""Which GPUs this machine has and what they are doing, by NVML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pynvml

from hetero import log
from hetero.driver import host, within
from hetero.errors import DriverError
from hetero.model.device import Device, DeviceModel, Health, Process, Sample
from hetero.model.quantity import MIB
from hetero.vendor import Discovery, Driver
from hetero_nvidia import mig
from hetero_nvidia.health import HealthMonitor
from hetero_nvidia.links import bus_address, links
from hetero_nvidia.names import VENDOR
from hetero_nvidia.nvml import LIBRARY, Nvml, told
from hetero_nvidia.splitting import gpu_model

_log = log.logger("nvidia")

SYSFS = "/sys/bus/pci/devices"
_PCI_VENDOR = "0x10de"
# Beyond what any machine has: more than that is no answer.
_MOST_GPUS = 1024
_UNKNOWN = "unknown"  # model of a GPU that has an identity and says nothing else
_MOST_MIB = 2**24
_MOST_CELSIUS = 250
_MOST_MILLIWATTS = 10**7
_MOST_MINOR = 2**20 - 1  # the kernel's own limit
_SHARED_PATHS = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")


class NvmlDiscovery(Discovery):
    """GPUs by NVML.

    Args:
        nvml: The library.
        sysfs: Where the kernel shows PCI devices; by default where the machine's files are.
    """

    def __init__(self, nvml: Nvml | None = None, sysfs: Path | None = None) -> None:
        self._nvml = nvml or Nvml()
        self._sysfs = sysfs
        self._monitor = HealthMonitor(self._nvml)
        self._seen: dict[int, Device] = {}

    def driver(self) -> Driver:
        """The driver's version and the newest CUDA that it serves."""
        version = told("nvmlSystemGetDriverVersion", self._nvml.call("nvmlSystemGetDriverVersion"))
        api = int(self._nvml.call("nvmlSystemGetCudaDriverVersion_v2"))
        return Driver(version=version, library=LIBRARY, api=f"{api // 1000}.{api % 1000 // 10}")

    def devices(self) -> Sequence[Device]:
        """All GPUs in the order of NVML."""
        handles: dict[str, Any] = {}
        found: list[Device] = []
        for index in range(self._count()):
            try:
                handle = self._nvml.call("nvmlDeviceGetHandleByIndex", index)
                uuid = told("nvmlDeviceGetUUID", self._nvml.call("nvmlDeviceGetUUID", handle))
            except DriverError as error:
                found.extend(self._lost(index, error))
                continue
            try:
                found.append(self._device(index, uuid, handle))
                handles[uuid] = handle
            except DriverError as error:
                found.extend(self._lost(index, error, uuid))
        paths = links(self._nvml, handles, {device.uuid: device.bus for device in found})
        linked = [msgspec.structs.replace(device, links=paths.get(device.uuid, ())) for device in found]
        self._seen.update((device.index, device) for device in linked)
        return linked

    def _count(self) -> int:
        count = int(self._nvml.call("nvmlDeviceGetCount"))
        return within("nvmlDeviceGetCount", "number of GPUs", count, 0, _MOST_GPUS)

    def sample(self) -> Sequence[Sample]:
        """Memory, utilisation and processes of each GPU."""
        return [self._sample(device) for device in self.devices()]

    def _device(self, index: int, uuid: str, handle: Any) -> Device:
        bus = bus_address(self._nvml.call("nvmlDeviceGetPciInfo", handle))
        minor = self._nvml.optional("nvmlDeviceGetMinorNumber", handle)  # WSL has none
        if minor is not None:
            within("nvmlDeviceGetMinorNumber", "minor number", int(minor), 0, _MOST_MINOR)
        return Device(
            uuid=uuid,
            index=index,
            model=self._model(handle),
            numa=self._numa(bus, handle),
            health=self._monitor.health(uuid, handle),
            paths=_SHARED_PATHS if minor is None else (f"/dev/nvidia{minor}", *_SHARED_PATHS),
            bus=bus,
        )

    def _model(self, handle: Any) -> DeviceModel:
        """With the MiB that programs can have: without what the driver keeps for itself, which old drivers do not tell.

        In MIG mode the profiles say what programs can have, and the board is known by its whole memory.
        """
        name = told("nvmlDeviceGetName", self._nvml.call("nvmlDeviceGetName", handle))
        memory = self._memory_info(handle)
        partitioned = self._partitioned(handle)
        kept = 0 if partitioned else getattr(memory, "reserved", 0)
        total = within("nvmlDeviceGetMemoryInfo", "MiB", int(memory.total - kept) // MIB, 1, _MOST_MIB)
        return gpu_model(name, total, mig.MODE if partitioned else "")

    def _memory_info(self, handle: Any) -> Any:
        """Version 2 where there is one: version 1 counts what the driver keeps for itself as used."""
        memory = self._nvml.optional("nvmlDeviceGetMemoryInfo", handle, pynvml.nvmlMemory_v2)
        return self._nvml.call("nvmlDeviceGetMemoryInfo", handle) if memory is None else memory

    def _partitioned(self, handle: Any) -> bool:
        """True when MIG mode is in force: a change that waits for a reset has not happened yet."""
        modes = self._nvml.optional("nvmlDeviceGetMigMode", handle)
        if modes is None:
            return False
        enabled = pynvml.NVML_DEVICE_MIG_ENABLE
        mode = within("nvmlDeviceGetMigMode", "mode", int(modes[0]), pynvml.NVML_DEVICE_MIG_DISABLE, enabled)
        return bool(mode == enabled)

    def _numa(self, bus: str, handle: Any) -> int:
        """The NUMA node that the GPU is attached to.

        The kernel knows it. NVML's own call tells it only on platforms where GPUs are NUMA nodes themselves; it is
        asked where the kernel does not show the GPU, e.g. in some containers.
        """
        directory = (self._sysfs or host(VENDOR, SYSFS)) / bus
        try:
            if (directory / "vendor").read_text().strip() == _PCI_VENDOR:
                return int((directory / "numa_node").read_text())
        except (OSError, ValueError):
            pass
        node = self._nvml.optional("nvmlDeviceGetNumaNodeId", handle)
        return -1 if node is None else int(node)

    def _lost(self, index: int, error: DriverError, uuid: str = "") -> list[Device]:
        """A GPU that cannot be described, with what is known of it; one without an identity is left to the doctor."""
        known = self._seen.get(index)
        if uuid and (known is None or known.uuid != uuid):
            known = Device(uuid=uuid, index=index, model=gpu_model(_UNKNOWN, 0))
        _log.error("GPU cannot be described", index=index, device=known.uuid if known else "", reason=str(error))
        return [msgspec.structs.replace(known, health=Health(ok=False, reason=str(error)), links=())] if known else []

    def _sample(self, device: Device) -> Sample:
        try:
            handle = self._nvml.call("nvmlDeviceGetHandleByUUID", device.uuid)
            used = int(self._memory_info(handle).used) // MIB
            power = self._amount("nvmlDeviceGetPowerUsage", "milliwatts", _MOST_MILLIWATTS, handle)
            celsius = "nvmlDeviceGetTemperature"
            return Sample(
                uuid=device.uuid,
                memory_used=within("nvmlDeviceGetMemoryInfo", "MiB in use", used, 0, _MOST_MIB),
                utilization=self._utilization(handle),
                health=device.health,
                processes=self._processes(handle),
                temperature=self._amount(celsius, "°C", _MOST_CELSIUS, handle, pynvml.NVML_TEMPERATURE_GPU),
                power=None if power is None else power / 1000,
            )
        except DriverError as error:
            return Sample(uuid=device.uuid, memory_used=0, health=Health(ok=False, reason=str(error)))

    def _amount(self, call: str, what: str, most: int, *arguments: Any) -> int | None:
        """A number from 0; None where this GPU does not tell it."""
        value = self._nvml.optional(call, *arguments)
        return None if value is None else within(call, what, int(value), 0, most)

    def _utilization(self, handle: Any) -> int:
        """Percent; -1 where this GPU does not tell it, which one in MIG mode does not."""
        rates = self._nvml.optional("nvmlDeviceGetUtilizationRates", handle)
        return -1 if rates is None else within("nvmlDeviceGetUtilizationRates", "percent", int(rates.gpu), 0, 100)

    def _processes(self, handle: Any) -> tuple[Process, ...]:
        running = self._nvml.optional("nvmlDeviceGetComputeRunningProcesses", handle) or ()
        return tuple(
            Process(pid=int(one.pid), memory=-1 if one.usedGpuMemory is None else int(one.usedGpuMemory) // MIB)
            for one in running
        )
