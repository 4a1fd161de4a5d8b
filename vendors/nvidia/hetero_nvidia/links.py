"""How the GPUs of a machine reach each other: NVLink, switches, and the PCI tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pynvml

from hetero import driver
from hetero.errors import DriverError, DriverFailed
from hetero.model.device import Link, LinkKind
from hetero_nvidia.nvml import Nvml, text

# nvmlGpuTopologyLevel_t: how far up the PCI tree the two meet.
_ANCESTOR = {
    pynvml.NVML_TOPOLOGY_INTERNAL: LinkKind.BOARD,
    pynvml.NVML_TOPOLOGY_SINGLE: LinkKind.BRIDGE,
    pynvml.NVML_TOPOLOGY_MULTIPLE: LinkKind.BRIDGE,
    pynvml.NVML_TOPOLOGY_HOSTBRIDGE: LinkKind.BRIDGE,
    pynvml.NVML_TOPOLOGY_NODE: LinkKind.NUMA,
    pynvml.NVML_TOPOLOGY_SYSTEM: LinkKind.SYSTEM,
}


def links(nvml: Nvml, handles: Mapping[str, Any], buses: Mapping[str, str]) -> dict[str, tuple[Link, ...]]:
    """The paths from each GPU to each other one.

    Args:
        nvml: The library.
        handles: UUID to NVML's handle.
        buses: UUID to address on the PCI bus.
    """
    ends = {uuid: _link_ends(nvml, handle) for uuid, handle in handles.items()} if len(handles) > 1 else {}
    return {
        uuid: tuple(
            _link(nvml, (uuid, handle), (peer, other), ends, buses) for peer, other in handles.items() if peer != uuid
        )
        for uuid, handle in handles.items()
    }


def _link(
    nvml: Nvml,
    one: tuple[str, Any],
    other: tuple[str, Any],
    ends: Mapping[str, Counter[str]],
    buses: Mapping[str, str],
) -> Link:
    (uuid, handle), (peer, peer_handle) = one, other
    lanes = ends[uuid][buses[peer]]
    if lanes:
        return Link(peer=peer, kind=LinkKind.DIRECT, lanes=lanes)
    if ends[uuid][_SWITCH] and ends[peer][_SWITCH]:
        return Link(peer=peer, kind=LinkKind.SWITCH)
    return Link(peer=peer, kind=_ancestor(nvml, handle, peer_handle))


_SWITCH = "switch"


def _link_ends(nvml: Nvml, handle: Any) -> Counter[str]:
    """How many active links end at each bus address, or at a switch."""
    found: Counter[str] = Counter()
    for link in range(pynvml.NVML_NVLINK_MAX_LINKS):
        try:
            if not nvml.call("nvmlDeviceGetNvLinkState", handle, link):
                continue
            found[_end(nvml, handle, link)] += 1
        except DriverError:
            break  # the GPU has no link of this number, or none at all
    return found


def _end(nvml: Nvml, handle: Any, link: int) -> str:
    kind = nvml.optional("nvmlDeviceGetNvLinkRemoteDeviceType", handle, link)
    if kind == pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH:
        return _SWITCH
    return bus_address(nvml.call("nvmlDeviceGetNvLinkRemotePciInfo", handle, link))


def bus_address(pci: Any) -> str:
    """The address as the kernel spells it (``0000:3b:00.0``); NVML has eight digits of domain.

    Raises:
        DriverFailed: It is no address.
    """
    try:
        domain, rest = text(pci.busId).lower().split(":", 1)
        return f"{int(domain, 16):04x}:{rest}"
    except ValueError as error:  # also of the binding, which decodes what the library wrote
        raise DriverFailed("nvmlDeviceGetPciInfo", driver.NONSENSE, "it told no PCI address") from error


def _ancestor(nvml: Nvml, handle: Any, peer: Any) -> LinkKind:
    try:
        level = nvml.optional("nvmlDeviceGetTopologyCommonAncestor", handle, peer)
    except DriverError:
        level = None
    return _ANCESTOR.get(level, LinkKind.SYSTEM) if level is not None else LinkKind.SYSTEM
