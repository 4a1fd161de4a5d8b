"""How GPUs reach each other, as far as the driver tells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from hetero_nvidia.links import bus_address, links

from hetero.errors import DriverFailed
from hetero.model.device import Link, LinkKind

GPU, SWITCH = pynvml.NVML_NVLINK_DEVICE_TYPE_GPU, pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH
BUSES = {"a": "0000:00:00.0", "b": "0000:01:00.0", "c": "0000:02:00.0"}
HANDLES = {"a": 0, "b": 1, "c": 2}


def wire(nvml: Any, *wires: list[tuple[int, int] | None]) -> None:
    """Give each GPU its links: what is at the other end and on which bus; None is a link that is down."""

    def at(handle: int, link: int) -> Any:
        if link >= len(wires[handle]):
            raise DriverFailed("nvmlDeviceGetNvLinkState", pynvml.NVML_ERROR_INVALID_ARGUMENT, "no such link")
        return wires[handle][link]

    nvml.answers |= {
        "nvmlDeviceGetNvLinkState": lambda handle, link: int(at(handle, link) is not None),
        "nvmlDeviceGetNvLinkRemoteDeviceType": lambda handle, link: at(handle, link)[0],
        "nvmlDeviceGetNvLinkRemotePciInfo": lambda handle, link: SimpleNamespace(
            busId=f"00000000:{at(handle, link)[1]:02X}:00.0"
        ),
    }


def paths(nvml: Any, *uuids: str) -> dict[str, dict[str, tuple[LinkKind, int]]]:
    """From each GPU to each peer: what kind, how many lanes."""
    found = links(nvml, {uuid: HANDLES[uuid] for uuid in uuids}, BUSES)
    return {uuid: {link.peer: (link.kind, link.lanes) for link in own} for uuid, own in found.items()}


def test_direct_links_are_counted_by_peer(nvml: Any) -> None:
    """Two links to one GPU and one to another: more lanes are nearer."""
    wire(nvml, [(GPU, 1), (GPU, 1), (GPU, 2)], [(GPU, 0), (GPU, 0)], [(GPU, 0)])
    found = paths(nvml, "a", "b", "c")
    assert found["a"] == {"b": (LinkKind.DIRECT, 2), "c": (LinkKind.DIRECT, 1)}
    assert found["b"] == {"a": (LinkKind.DIRECT, 2), "c": (LinkKind.SYSTEM, 0)}


def test_two_gpus_at_a_switch_reach_each_other(nvml: Any) -> None:
    """A switch connects everything at it; a GPU beside it is not connected."""
    wire(nvml, [(SWITCH, 9)] * 18, [(SWITCH, 8)] * 18, [])
    found = paths(nvml, "a", "b", "c")
    assert found["a"] == {"b": (LinkKind.SWITCH, 0), "c": (LinkKind.SYSTEM, 0)}
    assert found["c"] == {"a": (LinkKind.SYSTEM, 0), "b": (LinkKind.SYSTEM, 0)}


def test_a_link_that_is_down_does_not_count(nvml: Any) -> None:
    """An inactive link is passed over, and those behind it are seen."""
    wire(nvml, [None, (GPU, 1)], [None, (GPU, 0)])
    assert paths(nvml, "a", "b")["a"] == {"b": (LinkKind.DIRECT, 1)}


@pytest.mark.parametrize(
    ("level", "kind"),
    [
        (pynvml.NVML_TOPOLOGY_INTERNAL, LinkKind.BOARD),
        (pynvml.NVML_TOPOLOGY_SINGLE, LinkKind.BRIDGE),
        (pynvml.NVML_TOPOLOGY_MULTIPLE, LinkKind.BRIDGE),
        (pynvml.NVML_TOPOLOGY_HOSTBRIDGE, LinkKind.BRIDGE),
        (pynvml.NVML_TOPOLOGY_NODE, LinkKind.NUMA),
        (pynvml.NVML_TOPOLOGY_SYSTEM, LinkKind.SYSTEM),
        (99, LinkKind.SYSTEM),
    ],
)
def test_without_links_the_pci_tree_counts(nvml: Any, level: int, kind: LinkKind) -> None:
    """The nearer the common ancestor, the nearer the GPUs; a level that is not known is far."""
    nvml.answers["nvmlDeviceGetTopologyCommonAncestor"] = level
    assert paths(nvml, "a", "b")["a"] == {"b": (kind, 0)}


def test_an_unknown_ancestor_is_far(nvml: Any) -> None:
    """A virtual machine shows no PCI tree; placement goes on without it."""
    nvml.fail("nvmlDeviceGetTopologyCommonAncestor", pynvml.NVML_ERROR_UNKNOWN)
    assert paths(nvml, "a", "b")["a"] == {"b": (LinkKind.SYSTEM, 0)}


def test_an_old_driver_that_cannot_tell_a_switch_finds_no_direct_link(nvml: Any) -> None:
    """Without the kind of the other end, a bus that is no GPU's is not taken for one."""
    wire(nvml, [(SWITCH, 9)] * 6, [(SWITCH, 9)] * 6)
    del nvml.answers["nvmlDeviceGetNvLinkRemoteDeviceType"]
    assert paths(nvml, "a", "b")["a"] == {"b": (LinkKind.SYSTEM, 0)}


def test_a_single_gpu_has_no_paths_and_is_not_asked(nvml: Any) -> None:
    """Eighteen calls that cannot matter are not made every few seconds."""
    wire(nvml, [(GPU, 1)])
    nvml.answers["nvmlDeviceGetNvLinkState"] = asked = Asked()
    assert links(nvml, {"a": 0}, BUSES) == {"a": ()}
    assert asked.times == 0


class Asked:
    """Counts its calls."""

    times = 0

    def __call__(self, *arguments: object) -> int:
        self.times += 1
        return 0


def test_a_path_has_no_lanes_unless_it_is_direct(nvml: Any) -> None:
    """As the record says."""
    wire(nvml, [(SWITCH, 9)], [(SWITCH, 9)])
    assert links(nvml, {"a": 0, "b": 1}, BUSES)["a"] == (Link(peer="b", kind=LinkKind.SWITCH, lanes=0),)


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("00000000:3B:00.0", "0000:3b:00.0"),
        (b"00000001:AF:00.0", "0001:af:00.0"),
        ("0000:3B:00.0", "0000:3b:00.0"),
        ("00010000:01:00.0", "10000:01:00.0"),
    ],
)
def test_an_address_is_spelled_as_the_kernel_spells_it(spelling: str | bytes, address: str) -> None:
    """The directory below /sys/bus/pci/devices is found by it, also beyond 65536 domains."""
    assert bus_address(SimpleNamespace(busId=spelling)) == address


def test_each_gpu_is_told_of_each_other_once(nvml: Any) -> None:
    """Nobody is his own peer."""
    assert {uuid: sorted(own) for uuid, own in paths(nvml, "a", "b", "c").items()} == {
        "a": ["b", "c"],
        "b": ["a", "c"],
        "c": ["a", "b"],
    }


@pytest.mark.parametrize("told", ["", "0000", "zz:00:00.0"])
def test_what_is_no_address_is_a_failure_of_the_driver(told: str) -> None:
    """Never another exception, which would be a traceback."""
    with pytest.raises(DriverFailed, match="no PCI address"):
        bus_address(SimpleNamespace(busId=told))
