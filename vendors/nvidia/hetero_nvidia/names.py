"""The words of this vendor: the annotation that chooses a way of splitting, and environment names.

Source: Project-HAMi/HAMi v2.10 (pkg/device/nvidia) for resources and annotations; HAMi-core for the environment of the
preload library; NVIDIA container toolkit for ``NVIDIA_VISIBLE_DEVICES``; CUDA C++ Programming Guide, "CUDA Environment
Variables", for ``CUDA_VISIBLE_DEVICES``; NVIDIA Multi-Process Service for ``CUDA_MPS_...``.
"""

from __future__ import annotations

VENDOR = "nvidia"

MODE = "nvidia.com/vgpu-mode"
"""Annotation that chooses how the GPU is split: ``hami-core`` (by software) or ``mig``."""

SOFTWARE = "hami-core"
"""The word for the way of splitting that a GPU has unless its hardware is partitioned."""

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
