"""Layouts, held to the table that a program compiled with the vendor's header gave."""

from __future__ import annotations

import ctypes

import pytest
from hetero_cambricon import structs

# Size, and some fields with their offsets: the last one among them, which none before it can have shifted.
LAYOUTS = {
    "CardInfo": (8, {"version": 0, "number": 4}),
    "Uuid": (56, {"version": 0, "uuid": 4, "ncsUUID64": 48}),
    "CardSn": (24, {"version": 0, "sn": 8, "motherBoardSn": 16}),
    "LibVersionInfo": (16, {"libMajorVersion": 4, "libMinorVersion": 8, "libBuildVersion": 12}),
    "MemoryInfoV2": (
        176,
        {
            "physicalMemoryTotal": 0,
            "physicalMemoryUsed": 8,
            "reservedMemory": 16,
            "virtualMemoryTotal": 24,
            "virtualMemoryUsed": 32,
            "globalMemory": 40,
            "reserved": 48,
        },
    ),
    "UtilizationInfo": (328, {"averageCoreUtilization": 4, "coreUtilization": 8}),
    "ProcessInfo": (24, {"pid": 4, "physicalMemoryUsed": 8, "virtualMemoryUsed": 16}),
    "ProcessUtilization": (
        28,
        {"pid": 4, "ipuUtil": 8, "jpuUtil": 12, "vpuDecUtil": 16, "vpuEncUtil": 20, "memUtil": 24},
    ),
    "CardHealthState": (16, {"health": 4, "deviceState": 8, "driverState": 12}),
    "DiagErrorDetail": (532, {"msg": 0, "device_id": 512, "bdf": 516, "code": 520, "category": 524, "severity": 528}),
    "IncidentInfo": (540, {"system": 0, "health": 4, "error": 8}),
    "CardHealthStateV2": (
        34612,
        {
            "health": 0,
            "deviceState": 4,
            "driverState": 8,
            "overallHealth": 12,
            "incident_count": 16,
            "incidents": 20,
            "reserved": 34580,
        },
    ),
    "ComputeMode": (8, {"version": 0, "mode": 4}),
    "NumaNodeId": (8, {"version": 0, "nodeId": 4}),
    "PcieInfoV2": (
        64,
        {
            "subsystemId": 0,
            "deviceId": 4,
            "vendor": 8,
            "subsystemVendor": 10,
            "domain": 12,
            "bus": 16,
            "device": 20,
            "function": 24,
            "moduleId": 28,
            "slotId": 30,
            "reserved": 32,
        },
    ),
    "TemperatureInfo": (
        148,
        {
            "board": 4,
            "cluster": 8,
            "memoryDie": 88,
            "chip": 120,
            "airInlet": 124,
            "airOutlet": 128,
            "memory": 132,
            "videoInput": 136,
            "cpu": 140,
            "isp": 144,
        },
    ),
    "DevicePowerInfo": (84, {"usage": 0, "cap": 4, "machine": 8, "tdp": 12, "maxPower": 16, "reserved": 20}),
    "MluLinkStatusV2": (
        44,
        {"macState": 0, "serdesState": 4, "presenceState": 8, "serdesProgress": 12, "reserved": 16},
    ),
    "MluLinkRemoteInfo": (
        376,
        {
            "mcSn": 8,
            "baSn": 16,
            "slotId": 24,
            "portId": 28,
            "devIp": 32,
            "uuid": 48,
            "devIpVersion": 88,
            "isIpValid": 92,
            "connectType": 96,
            "ncsUUID64": 104,
            "mac_addr": 112,
            "port_name": 118,
        },
    ),
    "TopologyRelationship": (8, {"version": 0, "relation": 4}),
    "SmluMode": (8, {"version": 0, "smluMode": 4}),
    "MimMode": (8, {"version": 0, "mimMode": 4}),
    "SmluSet": (16, {"version": 0, "mluQuota": 4, "memorySize": 8}),
    "SmluInfo": (
        904,
        {
            "profileId": 4,
            "instanceId": 8,
            "uuid": 12,
            "domain": 52,
            "bus": 56,
            "device": 60,
            "function": 64,
            "profileName": 68,
            "instanceName": 168,
            "devNodeName": 268,
            "mluQuota": 368,
            "memorySize": 376,
            "reserved": 392,
        },
    ),
    "SmluProfileIdInfo": (520, {"count": 4, "profileId": 8}),
    "SmluProfileInfo": (
        144,
        {
            "profileId": 4,
            "name": 8,
            "totalCapacity": 108,
            "remainCapacity": 112,
            "mluQuota": 116,
            "memorySize": 128,
        },
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_struct_is_laid_out_as_in_the_header(name: str) -> None:
    """Its size and where its fields are."""
    size, offsets = LAYOUTS[name]
    kind = getattr(structs, name)
    assert ctypes.sizeof(kind) == size
    assert {field: getattr(kind, field).offset for field in offsets} == offsets


def test_every_struct_is_in_the_table() -> None:
    """None is used whose layout nobody looked at."""
    mine = {
        name for name, kind in vars(structs).items() if isinstance(kind, type) and kind.__module__ == structs.__name__
    }
    assert mine == set(LAYOUTS)
