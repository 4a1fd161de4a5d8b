"""A reading under the names that dashboards of another project read, in the units that those mean."""

from __future__ import annotations

import msgspec
import pytest

from hetero.agent import peers
from hetero.instruments import Samples
from hetero.monitoring.report import DeviceReport, NodeReport, SliceReport
from hetero.peer_metrics import Names

DEVICE = DeviceReport(uuid="fake-0", vendor="fake", model="F1", index=3, memory_used=7, utilization=0.25)
SLICE = SliceReport(
    id="x", vendor="fake", device="fake-0", position=1, namespace="lab", pod="train", container="main", memory_limit=50,
    memory_used=30, memory_context=10, memory_module=5, compute_used=0.2,
)  # fmt: skip
LABELS = 'namespace="lab",pod="train",container="main",vdevice_index="1",device_uuid="fake-0"'


def told(device: DeviceReport, one: SliceReport, **names: bool) -> set[str]:
    """All lines."""
    found, which = Samples(), Names(**{"current": False, "legacy": False, **names})
    peers.samples(which, NodeReport(node="n", time=0, devices=(device,), slices=(one,)), found)
    return {line for family in which.of("agent") for line in found.lines(family)}


def test_figures_are_in_their_units() -> None:
    """Bytes, and ratios from 0 to 100."""
    host = 'node="n",device_index="3",device_uuid="fake-0",device_type="F1"'
    assert told(DEVICE, SLICE, current=True) == {
        f"hami_host_gpu_memory_used_bytes{{{host}}} 7",
        f"hami_host_gpu_utilization_ratio{{{host}}} 25.0",
        f"hami_vgpu_memory_used_bytes{{{LABELS}}} 30",
        f"hami_vgpu_memory_limit_bytes{{{LABELS}}} 50",
        f"hami_container_device_utilization_ratio{{{LABELS}}} 20.0",
        f"hami_container_device_memory_bytes{{{LABELS}}} 30",
        f"hami_vgpu_memory_context_bytes{{{LABELS}}} 10",
        f"hami_vgpu_memory_module_bytes{{{LABELS}}} 5",
        f"hami_vgpu_memory_buffer_bytes{{{LABELS}}} 15",
    }


def test_the_older_names_have_kinds_of_memory_in_labels() -> None:
    """As their dashboards take them apart."""
    [line] = [line for line in told(DEVICE, SLICE, legacy=True) if line.startswith("Device_memory_desc")]
    assert line.endswith('deviceuuid="fake-0",context="10",module="5",data="15",offset="0"} 30')


@pytest.mark.parametrize("names", [{"current": True}, {"legacy": True}])
def test_what_is_not_known_is_not_told(names: dict[str, bool]) -> None:
    """Neither of a device that was not sampled nor of a slice without a region."""
    device = msgspec.structs.replace(DEVICE, memory_used=None, utilization=None)
    one = SliceReport(id="x", vendor="fake", device="fake-0")
    assert told(device, one, **names) == set()
