"""The structs of libcndev.so, as its header of version 6.5 lays them out.

Source: sizes and offsets of a program compiled with ``cndev.h`` 6.5 (mlu-exporter); tests hold these to the same table.
A struct whose first field is ``version`` is told by the caller which version it is.
"""

from __future__ import annotations

import ctypes as c


class CardInfo(c.Structure):
    """``cndevCardInfo_t``: how many cards there are."""

    _fields_ = (("version", c.c_int32), ("number", c.c_uint32))


class Uuid(c.Structure):
    """``cndevUUID_t``: the identity: 36 characters, no prefix."""

    _fields_ = (("version", c.c_int32), ("uuid", c.c_uint8 * 37), ("ncsUUID64", c.c_uint64))


class CardSn(c.Structure):
    """``cndevCardSN_t``: serial numbers of the card and of the mother board."""

    _fields_ = (("version", c.c_int32), ("sn", c.c_uint64), ("motherBoardSn", c.c_uint64))


class LibVersionInfo(c.Structure):
    """``cndevLibVersionInfo_t``: the version of the library."""

    _fields_ = (
        ("version", c.c_int32),
        ("libMajorVersion", c.c_uint32),
        ("libMinorVersion", c.c_uint32),
        ("libBuildVersion", c.c_uint32),
    )


class MemoryInfoV2(c.Structure):
    """``cndevMemoryInfoV2_t``: memory, in MB."""

    _fields_ = (
        ("physicalMemoryTotal", c.c_int64),
        ("physicalMemoryUsed", c.c_int64),
        ("reservedMemory", c.c_int64),
        ("virtualMemoryTotal", c.c_int64),
        ("virtualMemoryUsed", c.c_int64),
        ("globalMemory", c.c_uint64),
        ("reserved", c.c_uint64 * 16),
    )


class UtilizationInfo(c.Structure):
    """``cndevUtilizationInfo_t``: use of the cores, in percent."""

    _fields_ = (("version", c.c_int32), ("averageCoreUtilization", c.c_int32), ("coreUtilization", c.c_int32 * 80))


class ProcessInfo(c.Structure):
    """``cndevProcessInfo_t``: memory of a process, in KiB."""

    _fields_ = (
        ("version", c.c_int32),
        ("pid", c.c_uint32),
        ("physicalMemoryUsed", c.c_uint64),
        ("virtualMemoryUsed", c.c_uint64),
    )


class ProcessUtilization(c.Structure):
    """``cndevProcessUtilization_t``: use by a process, in percent."""

    _fields_ = (
        ("version", c.c_int32),
        ("pid", c.c_uint32),
        ("ipuUtil", c.c_uint32),
        ("jpuUtil", c.c_uint32),
        ("vpuDecUtil", c.c_uint32),
        ("vpuEncUtil", c.c_uint32),
        ("memUtil", c.c_uint32),
    )


class CardHealthState(c.Structure):
    """``cndevCardHealthState_t``: ``deviceState`` is 0 for a problem, 1 for good; ``driverState`` 4 for running."""

    _fields_ = (
        ("version", c.c_int32),
        ("health", c.c_int32),
        ("deviceState", c.c_int32),
        ("driverState", c.c_int32),
    )


class DiagErrorDetail(c.Structure):
    """``cndevDiagErrorDetail_t``: a finding in words."""

    _fields_ = (
        ("msg", c.c_char * 512),
        ("device_id", c.c_uint32),
        ("bdf", c.c_uint32),
        ("code", c.c_int32),
        ("category", c.c_uint32),
        ("severity", c.c_uint32),
    )


class IncidentInfo(c.Structure):
    """``cndevIncidentInfo_t``: a finding and how bad it is: 0, 10 or 20."""

    _fields_ = (("system", c.c_int32), ("health", c.c_int32), ("error", DiagErrorDetail))


class CardHealthStateV2(c.Structure):
    """``cndevCardHealthStateV2_t``: health with its causes; ``overallHealth`` is 0, 10 (warns) or 20 (fails)."""

    _fields_ = (
        ("health", c.c_int32),
        ("deviceState", c.c_int32),
        ("driverState", c.c_int32),
        ("overallHealth", c.c_int32),
        ("incident_count", c.c_uint32),
        ("incidents", IncidentInfo * 64),
        ("reserved", c.c_uint32 * 8),
    )


class ComputeMode(c.Structure):
    """``cndevComputeMode_t``: 0 default, 1 exclusive, 2 prohibited."""

    _fields_ = (("version", c.c_int32), ("mode", c.c_int32))


class NumaNodeId(c.Structure):
    """``cndevNUMANodeId_t``: the NUMA node."""

    _fields_ = (("version", c.c_int32), ("nodeId", c.c_int32))


class PcieInfoV2(c.Structure):
    """``cndevPCIeInfoV2_t``: the place on the PCI bus."""

    _fields_ = (
        ("subsystemId", c.c_uint32),
        ("deviceId", c.c_uint32),
        ("vendor", c.c_uint16),
        ("subsystemVendor", c.c_uint16),
        ("domain", c.c_uint32),
        ("bus", c.c_uint32),
        ("device", c.c_uint32),
        ("function", c.c_uint32),
        ("moduleId", c.c_uint16),
        ("slotId", c.c_uint16),
        ("reserved", c.c_uint32 * 8),
    )


class TemperatureInfo(c.Structure):
    """``cndevTemperatureInfo_t``: temperatures, in °C."""

    _fields_ = (
        ("version", c.c_int32),
        ("board", c.c_int32),
        ("cluster", c.c_int32 * 20),
        ("memoryDie", c.c_int32 * 8),
        ("chip", c.c_int32),
        ("airInlet", c.c_int32),
        ("airOutlet", c.c_int32),
        ("memory", c.c_int32),
        ("videoInput", c.c_int32),
        ("cpu", c.c_int32),
        ("isp", c.c_int32),
    )


class DevicePowerInfo(c.Structure):
    """``cndevDevicePowerInfo_t``: power, in W."""

    _fields_ = (
        ("usage", c.c_int32),
        ("cap", c.c_int32),
        ("machine", c.c_int32),
        ("tdp", c.c_int32),
        ("maxPower", c.c_int32),
        ("reserved", c.c_int32 * 16),
    )


class MluLinkStatusV2(c.Structure):
    """``cndevMLULinkStatusV2_t``: a port; ``macState`` is 0 down, 1 up, 2 LLDP, 3 ready."""

    _fields_ = (
        ("macState", c.c_int32),
        ("serdesState", c.c_int32),
        ("presenceState", c.c_int32),
        ("serdesProgress", c.c_uint32),
        ("reserved", c.c_uint32 * 7),
    )


class MluLinkRemoteInfo(c.Structure):
    """``cndevMLULinkRemoteInfo_t``: what is at the other end of a port."""

    _fields_ = (
        ("version", c.c_int32),
        ("mcSn", c.c_uint64),
        ("baSn", c.c_uint64),
        ("slotId", c.c_uint32),
        ("portId", c.c_uint32),
        ("devIp", c.c_uint8 * 16),
        ("uuid", c.c_uint8 * 37),
        ("devIpVersion", c.c_uint32),
        ("isIpValid", c.c_uint32),
        ("connectType", c.c_int32),
        ("ncsUUID64", c.c_uint64),
        ("mac_addr", c.c_uint8 * 6),
        ("port_name", c.c_char * 256),
    )


class TopologyRelationship(c.Structure):
    """``cndevTopologyRelationship_t``: 0 itself, 1 one board, 2 to 4 bridges, 5 one NUMA node, 6 the system."""

    _fields_ = (("version", c.c_int32), ("relation", c.c_int32))


class SmluMode(c.Structure):
    """``cndevSMLUMode_t``: 1 when the card gives dynamic slices."""

    _fields_ = (("version", c.c_int32), ("smluMode", c.c_int32))


class MimMode(c.Structure):
    """``cndevMimMode_t``: 1 when the card is partitioned statically."""

    _fields_ = (("version", c.c_int32), ("mimMode", c.c_int32))


class SmluSet(c.Structure):
    """``cndevSMluSet_t``: a size: percent and bytes; the driver may write another."""

    _fields_ = (("version", c.c_int32), ("mluQuota", c.c_uint32), ("memorySize", c.c_uint64))


class SmluInfo(c.Structure):
    """``cndevSMluInfo_t``: a slice; of each two numbers the first is its limit, the second what is used."""

    _fields_ = (
        ("version", c.c_int32),
        ("profileId", c.c_int32),
        ("instanceId", c.c_int32),
        ("uuid", c.c_uint8 * 37),
        ("domain", c.c_int32),
        ("bus", c.c_int32),
        ("device", c.c_int32),
        ("function", c.c_int32),
        ("profileName", c.c_char * 100),
        ("instanceName", c.c_char * 100),
        ("devNodeName", c.c_char * 100),
        ("mluQuota", c.c_uint32 * 2),
        ("memorySize", c.c_uint64 * 2),
        ("reserved", c.c_uint32 * 128),
    )


class SmluProfileIdInfo(c.Structure):
    """``cndevSMluProfileIdInfo_t``: the sizes that a card knows."""

    _fields_ = (("version", c.c_int32), ("count", c.c_int32), ("profileId", c.c_int32 * 128))


class SmluProfileInfo(c.Structure):
    """``cndevSMluProfileInfo_t``: a size; of each two numbers the second is reserved."""

    _fields_ = (
        ("version", c.c_int32),
        ("profileId", c.c_int32),
        ("name", c.c_char * 100),
        ("totalCapacity", c.c_uint32),
        ("remainCapacity", c.c_uint32),
        ("mluQuota", c.c_uint32 * 2),
        ("memorySize", c.c_uint64 * 2),
    )
