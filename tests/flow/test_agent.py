"""Pods on a node with chips of all vendors, through the agent: what the container runtime is told for each container.

The machine and the vendors' libraries are simulated; kubelet, runtime and API server are those of the tests. Paths are
those of the machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow import one_node
from tests.flow.one_node import Given, Pods

pytestmark = pytest.mark.native

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/flow/programs/agent.py"

CARDS = [
    {"vendor": "nvidia", "model": "NVIDIA L4", "memory": 23034, "count": 2},
    {"vendor": "cambricon", "model": "MLU590-M9", "memory": 80675, "count": 2},
    {"vendor": "hygon", "model": "K100_AI", "memory": 65520, "count": 2},
    {"vendor": "ascend", "model": "910B4", "memory": 32768, "count": 2},
]
GPU = {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 1024, "nvidia.com/gpucores": 30}
MLU = {"cambricon.com/vmlu": 1, "cambricon.com/mlu.smlu.vmemory": 20, "cambricon.com/mlu.smlu.vcore": 10}
PODS: Pods = {
    "gpu": [GPU],
    "gpus": [{"nvidia.com/gpu": 2, "nvidia.com/gpumem": 2048}],
    "mlu": [MLU],
    "dcu": [{"hygon.com/dcunum": 1, "hygon.com/dcumem": 2000, "hygon.com/dcucores": 60}],
    "npu": [{"huawei.com/Ascend910B4": 1, "huawei.com/Ascend910B4-memory": 8000}],
    "npu-whole": [{"huawei.com/Ascend910B4": 1}],
    "several": [GPU, {**MLU, **GPU}],
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """What each container was given, and what was left in the end."""
    return one_node.told(tmp_path_factory.mktemp("machine"), PROGRAM, CARDS, PODS)


def _edits(told: Given, pod: str, container: str = "c0") -> list[Given]:
    found: list[Given] = told["given"][pod][container]
    return found


def _env(edits: Given) -> dict[str, str]:
    return dict(one.split("=", 1) for one in edits["env"])


def _nodes(edits: Given) -> dict[str, str]:
    return {one["path"]: one["hostPath"] for one in edits.get("deviceNodes", ())}


def _mounts(edits: Given) -> dict[str, str]:
    return {one["containerPath"]: one["hostPath"] for one in edits.get("mounts", ())}


def test_every_container_is_started(told: Given) -> None:
    """One specification for each resource that it holds, and no refusal."""
    counts = {name: [len(_edits(told, name, one)) for one in sorted(found)] for name, found in told["given"].items()}
    assert counts == {**{name: [1] for name in PODS}, "several": [1, 2]}


def test_a_slice_of_a_gpu_has_its_limits_and_the_library_that_keeps_them(told: Given) -> None:
    """Each file by itself; the library is the machine's copy."""
    [edits] = _edits(told, "gpu")
    mounts = _mounts(edits)
    assert set(mounts) == {
        "/run/hetero/region",
        "/etc/hetero/limits",
        "/etc/ld.so.preload",
        "/usr/local/lib/hetero/libvgpu.so",
    }
    assert mounts["/run/hetero/region"].startswith("$RUN/slices/nvidia-")
    assert mounts["/usr/local/lib/hetero/libvgpu.so"].startswith("$LIB/")
    assert {"/dev/nvidiactl", "/dev/nvidia-uvm"} < set(_nodes(edits))


def test_two_gpus_are_two_devices_of_one_container(told: Given) -> None:
    """Both are shown, and both device files are there."""
    [edits] = _edits(told, "gpus")
    assert len(_env(edits)["NVIDIA_VISIBLE_DEVICES"].split(",")) == 2
    assert {"/dev/nvidia0", "/dev/nvidia1"} < set(_nodes(edits))


def test_a_part_of_an_mlu_is_a_slice_of_its_driver(told: Given) -> None:
    """The slice's own device file; no limits file and no library."""
    [edits] = _edits(told, "mlu")
    assert any("/cambricon-caps/cap_dev" in path for path in _nodes(edits))
    assert not any(path.startswith(("/etc/hetero", "/run/hetero", "/etc/ld.so")) for path in _mounts(edits))


def test_a_part_of_a_dcu_is_described_in_the_slices_own_directory(told: Given) -> None:
    """The driver finds a container's vDCU by that file."""
    [edits] = _edits(told, "dcu")
    assert _mounts(edits)["/etc/vdev/docker"].startswith("$RUN/slices/hygon-")


def test_a_part_of_an_npu_is_a_vnpu_by_the_name_that_programs_look_for(told: Given) -> None:
    """A whole one is the chip itself."""
    [part], [whole] = _edits(told, "npu"), _edits(told, "npu-whole")
    renamed = {path: host for path, host in _nodes(part).items() if path != host}
    assert all(path.startswith("/dev/davinci") and "vdavinci" in host for path, host in renamed.items())
    assert len(renamed) == 1
    assert all(path == host for path, host in _nodes(whole).items())


def test_a_container_with_devices_of_two_vendors_has_both(told: Given) -> None:
    """Each resource's specification has its own vendor's part, and neither undoes the other's."""
    env = [_env(edits) for edits in _edits(told, "several", "c1")]
    assert sum("NVIDIA_VISIBLE_DEVICES" in one for one in env) == 1
    assert sum("VIRTUAL_DEVICES" in one for one in env) == 1
    places = [path for edits in _edits(told, "several", "c1") for path in _mounts(edits)]
    assert len(places) == len(set(places))


def test_no_two_containers_share_what_may_be_written(told: Given) -> None:
    """Regions and limits are each container's own."""
    own = [
        host
        for containers in told["given"].values()
        for found in containers.values()
        for edits in found
        for path, host in _mounts(edits).items()
        if path in ("/run/hetero/region", "/etc/hetero/limits", "/etc/vdev/docker")
    ]
    assert len(own) == len(set(own)) > 6


def test_nothing_is_left_when_all_pods_are_over(told: Given) -> None:
    """No slice and no specification: every vendor could undo what it had made."""
    assert told["left"] == {"slices": [], "cdi": []}
