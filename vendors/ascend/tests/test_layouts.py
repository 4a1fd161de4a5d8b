"""The structs that Python hands to the driver, as the vendor's header lays them out."""

from __future__ import annotations

import ctypes

import pytest
from hetero_ascend import layouts

# Size, and where members lie that a wrong alignment would move. Source: compiled from the vendor's own header.
TABLE = {
    "ChipInfo": (132, {"chip_name": 32, "chip_ver": 64, "aicore_cnt": 96, "npu_name": 100}),
    "PcieInfo": (64, {"domain": 16, "bdf_busid": 20, "bdf_deviceid": 24, "bdf_funcid": 28, "reserve": 32}),
    "DieId": (20, {"soc_die": 0}),
    "HbmInfo": (32, {"freq": 8, "memory_usage": 16, "temp": 24, "bandwith_util_rate": 28}),
    "MemoryInfo": (
        112,
        {"memory_available": 8, "hugepagesize": 24, "hugepages_free": 40, "utiliza": 48, "reserve": 52},
    ),
    "ProcessInfo": (16, {"proc_mem_usage": 8}),
    "BaseResource": (64, {"vfg_id": 24, "vip_mode": 28, "reserved": 29}),
    "ComputingResource": (
        96,
        {
            "aiv": 4,
            "dsa": 8,
            "pcie_dma": 22,
            "memory_size": 24,
            "event_id": 32,
            "model_id": 44,
            "topic_schedule_aicpu": 48,
            "device_aicpu": 54,
            "topic_ctrl_cpu_slot": 56,
            "vdev_aicore_utilization": 60,
            "vdev_memory_total": 64,
            "vdev_memory_free": 72,
            "reserved": 80,
        },
    ),
    "MediaResource": (56, {"venc": 20, "reserved": 24}),
    "Wanted": (104, {"vfg_id": 4, "template_name": 8, "reserved": 40}),
    "Made": (52, {"pcie_func": 12, "vfg_id": 16, "reserved": 20}),
    "VdevInfo": (
        256,
        {
            "status": 16,
            "is_container_used": 20,
            "vfg_id": 28,
            "container_id": 32,
            "base": 40,
            "computing": 104,
            "media": 200,
        },
    ),
    "VdevQuery": (264, {"query_info": 8}),
    "Total": (360, {"vdev_id": 4, "vfg_num": 132, "vfg_bitmap": 136, "base": 144, "computing": 208, "media": 304}),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_struct_is_laid_out_as_in_the_header(name: str) -> None:
    """Its size, and each member that has another type before it."""
    kind = getattr(layouts, name)
    size, offsets = TABLE[name]
    assert ctypes.sizeof(kind) == size
    assert {member: getattr(kind, member).offset for member in offsets} == offsets


def test_every_struct_is_in_the_table() -> None:
    """One that is added is pinned."""
    kinds = {
        name for name, value in vars(layouts).items() if isinstance(value, type) and issubclass(value, ctypes.Structure)
    }
    assert kinds == set(TABLE)


def test_there_is_room_behind_a_struct() -> None:
    """A driver may write more than is known here: it lands in zeroed memory that nobody uses."""
    info = layouts.room(layouts.ChipInfo)
    ctypes.memset(ctypes.addressof(info), 0xFF, ctypes.sizeof(info) + 256)
    assert info.aicore_cnt == 0xFFFFFFFF
    assert layouts.room(layouts.ChipInfo).aicore_cnt == 0
