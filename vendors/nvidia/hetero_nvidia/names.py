"""The words of this vendor: resources and annotations that pods already use, and environment names.

Source: Project-HAMi/HAMi v2.10 (pkg/device/nvidia) for resources and annotations; HAMi-core for the environment of the
preload library; NVIDIA container toolkit for ``NVIDIA_VISIBLE_DEVICES``; CUDA C++ Programming Guide, "CUDA Environment
Variables", for ``CUDA_VISIBLE_DEVICES``; NVIDIA Multi-Process Service for ``CUDA_MPS_...``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest
from hetero.vendor import Resources

VENDOR = "nvidia"

MODE = "nvidia.com/vgpu-mode"
"""Annotation that chooses how the GPU is split: ``hami-core`` (by software), ```mig`` or ``mps``."""


class GpuResources(Resources):
    """The usual rules, and one: a way of splitting that this release does not have is refused, not replaced."""

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """What is wrong with amounts that are each well-formed."""
        yield from super().problems(ask, amounts, request)
        mode = request.annotations.get(MODE, "hami-core")
        if mode != "hami-core":
            reason = "is a way of splitting that this release does not have; write hami-core or leave it out"
            yield InvalidValue(f"metadata.annotations[{MODE}]", mode, reason)


RESOURCES = GpuResources(
    vendor=VENDOR,
    count="nvidia.com/gpu",
    memory="nvidia.com/gpumem",
    memory_percentage="nvidia.com/gpumem-percentage",
    cores="nvidia.com/gpucores",
    priority="nvidia.com/priority",
    use_models="nvidia.com/use-gputype",
    avoid_models="nvidia.com/nouse-gputype",
    use_devices="nvidia.com/use-gpuuuid",
    avoid_devices="nvidia.com/nouse-gpuuuid",
    same_numa="nvidia.com/numa-bind",
)

WORDS = ("nvidia", "cuda", "nvml", "libvgpu", "geforce", "nvlink")

VISIBLE_TO_DRIVER = "CUDA_VISIBLE_DEVICES"
VISIBLE_TO_TOOLKIT = "NVIDIA_VISIBLE_DEVICES"
MEMORY_LIMIT = "CUDA_DEVICE_MEMORY_LIMIT"  # with _<position>: MiB with the unit m
CORE_LIMIT = "CUDA_DEVICE_SM_LIMIT"  # percent
REGION = "CUDA_DEVICE_MEMORY_SHARED_CACHE"
PRIORITY = "CUDA_TASK_PRIORITY"

MPS_DIRECTORY = "CUDA_MPS_PIPE_DIRECTORY"
MPS_THREADS = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"  # percent
MPS_MEMORY = "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"  # <position>=<MiB>M, separated by commas

PRELOAD = "libvgpu.so"
