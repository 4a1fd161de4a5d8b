"""The structs of DCMI that hetero reads and writes, as the driver lays them out.

Source: Huawei mind-cluster, component/ascend-common/devmanager/dcmi/dcmi_interface_api.h. No struct has a version, and
some have grown: :func:`room` gives each more than it needs.
"""

from __future__ import annotations

import ctypes
from typing import TypeVar

S = TypeVar("S", bound=ctypes.Structure)

VDEVS = 32
PROCESSES = 32
ANY = 0xFFFFFFFF

_SPARE = 256


class ChipInfo(ctypes.Structure):
    """``dcmi_chip_info_v2``, of which the older ``dcmi_chip_info`` is the beginning."""

    _fields_ = (
        ("chip_type", ctypes.c_ubyte * 32),
        ("chip_name", ctypes.c_ubyte * 32),
        ("chip_ver", ctypes.c_ubyte * 32),
        ("aicore_cnt", ctypes.c_uint),
        ("npu_name", ctypes.c_ubyte * 32),
    )


class PcieInfo(ctypes.Structure):
    """``dcmi_pcie_info_all``."""

    _fields_ = (
        ("venderid", ctypes.c_uint),
        ("subvenderid", ctypes.c_uint),
        ("deviceid", ctypes.c_uint),
        ("subdeviceid", ctypes.c_uint),
        ("domain", ctypes.c_int),
        ("bdf_busid", ctypes.c_uint),
        ("bdf_deviceid", ctypes.c_uint),
        ("bdf_funcid", ctypes.c_uint),
        ("reserve", ctypes.c_ubyte * 32),
    )


class DieId(ctypes.Structure):
    """``dcmi_die_id``."""

    _fields_ = (("soc_die", ctypes.c_uint * 5),)


class HbmInfo(ctypes.Structure):
    """``dcmi_hbm_info``; sizes in MB."""

    _fields_ = (
        ("memory_size", ctypes.c_uint64),
        ("freq", ctypes.c_uint),
        ("memory_usage", ctypes.c_uint64),
        ("temp", ctypes.c_int),
        ("bandwith_util_rate", ctypes.c_uint),
    )


class MemoryInfo(ctypes.Structure):
    """``dcmi_get_memory_info_stru``, of chips with DDR; sizes in MB."""

    _fields_ = (
        ("memory_size", ctypes.c_uint64),
        ("memory_available", ctypes.c_uint64),
        ("freq", ctypes.c_uint),
        ("hugepagesize", ctypes.c_uint64),
        ("hugepages_total", ctypes.c_uint64),
        ("hugepages_free", ctypes.c_uint64),
        ("utiliza", ctypes.c_uint),
        ("reserve", ctypes.c_ubyte * 60),
    )


class ProcessInfo(ctypes.Structure):
    """``dcmi_proc_mem_info``; bytes."""

    _fields_ = (("proc_id", ctypes.c_int), ("proc_mem_usage", ctypes.c_uint64))


class BaseResource(ctypes.Structure):
    """``dcmi_base_resource``."""

    _fields_ = (
        ("token", ctypes.c_uint64),
        ("token_max", ctypes.c_uint64),
        ("task_timeout", ctypes.c_uint64),
        ("vfg_id", ctypes.c_uint),
        ("vip_mode", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte * 31),
    )


_SHORTS = ("dsa", "rtsq", "acsq", "cdqm", "c_core", "ffts", "sdma", "pcie_dma")
_CPUS = ("topic_schedule_aicpu", "host_ctrl_cpu", "host_aicpu", "device_aicpu", "topic_ctrl_cpu_slot")


class ComputingResource(ctypes.Structure):
    """``dcmi_computing_resource``; memory in MB."""

    _fields_ = (
        ("aic", ctypes.c_float),
        ("aiv", ctypes.c_float),
        *((name, ctypes.c_ushort) for name in _SHORTS),
        ("memory_size", ctypes.c_uint64),
        *((name, ctypes.c_uint) for name in ("event_id", "notify_id", "stream_id", "model_id")),
        *((name, ctypes.c_ushort) for name in _CPUS),
        ("vdev_aicore_utilization", ctypes.c_uint),
        ("vdev_memory_total", ctypes.c_uint64),
        ("vdev_memory_free", ctypes.c_uint64),
        ("reserved", ctypes.c_ubyte * 12),
    )


class MediaResource(ctypes.Structure):
    """``dcmi_media_resource``."""

    _fields_ = (
        *((name, ctypes.c_float) for name in ("jpegd", "jpege", "vpc", "vdec", "pngd", "venc")),
        ("reserved", ctypes.c_ubyte * 32),
    )


class Wanted(ctypes.Structure):
    """``dcmi_create_vdev_res_stru``: what a vNPU is to be."""

    _fields_ = (
        ("vdev_id", ctypes.c_uint),
        ("vfg_id", ctypes.c_uint),
        ("template_name", ctypes.c_char * 32),
        ("reserved", ctypes.c_ubyte * 64),
    )


class Made(ctypes.Structure):
    """``dcmi_create_vdev_out``: what it has become."""

    _fields_ = (
        ("vdev_id", ctypes.c_uint),
        ("pcie_bus", ctypes.c_uint),
        ("pcie_device", ctypes.c_uint),
        ("pcie_func", ctypes.c_uint),
        ("vfg_id", ctypes.c_uint),
        ("reserved", ctypes.c_ubyte * 32),
    )


class VdevInfo(ctypes.Structure):
    """``dcmi_vdev_query_info``."""

    _fields_ = (
        ("name", ctypes.c_char * 16),
        ("status", ctypes.c_uint),
        ("is_container_used", ctypes.c_uint),
        ("vfid", ctypes.c_uint),
        ("vfg_id", ctypes.c_uint),
        ("container_id", ctypes.c_uint64),
        ("base", BaseResource),
        ("computing", ComputingResource),
        ("media", MediaResource),
    )


class VdevQuery(ctypes.Structure):
    """``dcmi_vdev_query_stru``: one vNPU; its id is set by who asks."""

    _fields_ = (("vdev_id", ctypes.c_uint), ("query_info", VdevInfo))


class Total(ctypes.Structure):
    """``dcmi_soc_total_resource``: the vNPUs of a chip, and what the chip has."""

    _fields_ = (
        ("vdev_num", ctypes.c_uint),
        ("vdev_id", ctypes.c_uint * VDEVS),
        ("vfg_num", ctypes.c_uint),
        ("vfg_bitmap", ctypes.c_uint),
        ("base", BaseResource),
        ("computing", ComputingResource),
        ("media", MediaResource),
    )


def room(kind: type[S]) -> S:
    """A zeroed struct with room behind it, for drivers that write more than this release knows."""
    return kind.from_buffer(bytearray(ctypes.sizeof(kind) + _SPARE))
