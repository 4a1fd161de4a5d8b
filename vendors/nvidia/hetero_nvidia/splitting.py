"""How a GPU is shared by software: memory to the MiB, compute to the percent, ten programs at most. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.vendor import Splitting
from hetero_nvidia.names import VENDOR
from hetero_nvidia.sets import best_set

SLOTS_PER_GPU = 10
"""Programs on one GPU, as existing clusters have it by default (``deviceSplitCount``)."""

PARTITIONED = "mig"
"""The mode of a GPU that is partitioned by hardware."""


def gpu_model(name: str, memory: int, mode: str = "") -> DeviceModel:
    """The model of a GPU with ``memory`` MiB."""
    return DeviceModel(vendor=VENDOR, name=name, capacity={SLOTS: SLOTS_PER_GPU, MEMORY: memory, CORES: 100}, mode=mode)


class GpuSplitting(Splitting):
    """The NVIDIA vendor's allocator."""

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Describe a GPU by its product name; ``mode`` is empty or ``mig``."""
        if not name.strip():
            raise InvalidValue("model", name, "is empty; write the product, such as 'NVIDIA L4'")
        if memory <= 0:
            raise InvalidValue("memory", memory, "is no size; write MiB, such as 12288")
        if mode not in ("", PARTITIONED):
            raise InvalidValue("mode", mode, f"is no mode of a GPU; leave it out or write {PARTITIONED}")
        return gpu_model(name, memory, mode)

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The memory asked in one slot; all ten when the GPU is taken whole."""
        if model.mode == PARTITIONED:
            return Refusal(
                reason=Reason.UNSUPPORTED,
                message=f"{model.name} is in MIG mode, whose instances this release cannot give; "
                "turn the mode off to share the GPU by software",
            )
        total = model.capacity[MEMORY]
        memory = ask.memory_on(total)
        if memory > total:
            return Refusal(
                reason=Reason.INSUFFICIENT_MEMORY, message=f"{model.name} has {total} MiB of memory, asked {memory} MiB"
            )
        slots = SLOTS_PER_GPU if ask.exclusive else 1
        return Share(quantities={SLOTS: slots, MEMORY: memory, CORES: ask.cores})

    def combinations(self, devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
        """The GPUs that are linked best, or nothing where all are linked alike."""
        best = best_set(devices, count)
        return (best,) if best else ()
