"""A node with chips of all vendors: each container is given its devices, their files and variables, nothing else.

The machine is simulated, the vendors' libraries with it; a process on it does the node's part (``programs/node.py``)
for one manifest. Paths are those of the machine, as a container runtime would find them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.flow import one_node
from tests.flow.one_node import Given, Pods

pytestmark = pytest.mark.native

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/flow/programs/node.py"

CARDS = [
    {"vendor": "nvidia", "model": "NVIDIA L4", "memory": 23034},
    {"vendor": "cambricon", "model": "MLU590-M9", "memory": 80675, "count": 2},
    {"vendor": "hygon", "model": "K100_AI", "memory": 65520, "count": 2},
    {"vendor": "ascend", "model": "910B4", "memory": 32768, "count": 2},
]
WIDGET = [{"uuid": "widget-7"}]
"""What the stranger's driver, a file, shows."""

GPU = {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 1024, "nvidia.com/gpucores": 30}
MLU = {"cambricon.com/vmlu": 1, "cambricon.com/mlu.smlu.vmemory": 20, "cambricon.com/mlu.smlu.vcore": 10}

PODS: Pods = {
    "gpu": [GPU],
    "mlu": [MLU],
    "dcu": [{"hygon.com/dcunum": 1, "hygon.com/dcumem": 2000, "hygon.com/dcucores": 60}],
    "dcu-whole": [{"hygon.com/dcunum": 1}],
    "npu": [{"huawei.com/Ascend910B4": 1, "huawei.com/Ascend910B4-memory": 8000}],
    "npu-whole": [{"huawei.com/Ascend910B4": 1}],
    "widget": [{"toy.example/widget": 1, "toy.example/widget-memory": 300}],
    "several": [{"nvidia.com/gpu": 1, "nvidia.com/gpumem": 512}, {**MLU, **GPU}],
}
NVIDIA_NODES = ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"]
ASCEND_NODES = ["/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc", "/dev/dvpp_cmdlist"]
ASCEND_FILES = [
    "/usr/local/Ascend/driver/lib64",
    "/usr/local/Ascend/driver/include",
    "/usr/local/Ascend/driver/version.info",
    "/usr/local/dcmi",
    "/usr/local/bin/npu-smi",
    "/etc/ascend_install.info",
    "/var/queue_schedule",
]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the machine keeps what it is."""
    return tmp_path_factory.mktemp("machine")


@pytest.fixture(scope="module")
def told(state: Path) -> Given:
    """What the node's part said: what each container is given, and what is left in the end."""
    widgets = state / "widgets.json"
    widgets.write_text(json.dumps(WIDGET))
    path = os.pathsep.join([str(ROOT / "build/plugins"), os.environ.get("PYTHONPATH", "")])
    return one_node.told(state, PROGRAM, CARDS, PODS, PYTHONPATH=path, TOY_DEVICES=str(widgets))


def _container(told: Given, pod: str, number: int = 0) -> Given:
    [found] = [one for one in told["containers"] if (one["pod"], one.get("container")) == (pod, f"c{number}")]
    return dict(found)


def _given(told: Given, pod: str, vendor: str, number: int = 0) -> tuple[list[str], Given]:
    """Identities of the devices of a vendor, and what the container gets for them."""
    found = _container(told, pod, number)
    return [uuid for name, _, uuid in found["devices"] if name == vendor], found["vendors"][vendor]


def _edits(**edits: Any) -> Given:
    """Those, and nothing else."""
    empty: Given = {"mounts": [], "device_nodes": [], "preload": [], "library_path": [], "files": {}}
    return {**empty, **edits}


def _mounted(*paths: str, writable: str = "") -> list[Given]:
    return [{"host_path": path, "container_path": path, "read_only": path != writable} for path in paths]


def test_every_container_has_devices_of_its_vendor_alone(told: Given) -> None:
    """One or two for each, whatever else the node has."""
    vendors = {f"{one['pod']}/{one['container']}": sorted(one["vendors"]) for one in told["containers"]}
    assert vendors == {
        "gpu/c0": ["nvidia"],
        "mlu/c0": ["cambricon"],
        "dcu/c0": ["hygon"],
        "dcu-whole/c0": ["hygon"],
        "npu/c0": ["ascend"],
        "npu-whole/c0": ["ascend"],
        "widget/c0": ["toy"],
        "several/c0": ["nvidia"],
        "several/c1": ["cambricon", "nvidia"],
    }


def test_a_slice_of_a_gpu_is_kept_by_the_preload_library(told: Given) -> None:
    """Its limits, its region, and the GPU by its UUID."""
    [uuid], given = _given(told, "gpu", "nvidia")
    [library] = given.pop("preload")
    assert Path(library).name == "libvgpu.so"
    limits = {"CUDA_DEVICE_MEMORY_LIMIT_0": "1024m", "CUDA_DEVICE_SM_LIMIT": "30"}
    env = {"CUDA_VISIBLE_DEVICES": uuid, "NVIDIA_VISIBLE_DEVICES": uuid, **limits}
    wanted = _edits(env={**env, "CUDA_DEVICE_MEMORY_SHARED_CACHE": "$SLICE/region"}, device_nodes=NVIDIA_NODES)
    del wanted["preload"]
    assert given == wanted


def test_a_slice_of_an_mlu_is_an_instance_of_the_kernel_driver(told: Given) -> None:
    """The card's files and that of its instance, which is what limits the program."""
    _, given = _given(told, "mlu", "cambricon")
    node = "/dev/cambricon-caps/cap_dev0_mi1"
    assert given == _edits(
        env={"VIRTUAL_DEVICES": f"/dev/cambricon_dev0,/dev/cambricon_ipcm0,{node}"},
        device_nodes=["/dev/cambricon_dev0", "/dev/cambricon_ipcm0", "/dev/cambricon_ctl", node],
    )


def test_a_slice_of_a_dcu_is_a_vdcu_with_a_file_of_its_own(told: Given) -> None:
    """The driver finds the program's limits in the file that its container has, and in no other."""
    _, given = _given(told, "dcu", "hygon")
    files = given.pop("files")
    own = {"host_path": "$SLICE/vdev", "container_path": "/etc/vdev/docker", "read_only": True}
    nodes = ["/dev/kfd", "/dev/mkfd", "/dev/dri/card1", "/dev/dri/renderD128"]
    wanted = _edits(env={"HCU_VISIBLE_DEVICES": "void"}, mounts=[*_mounted("/opt/hyhal"), own], device_nodes=nodes)
    del wanted["files"]
    assert given == wanted
    [description] = [text for name, text in files.items() if name.startswith("vdev/")]
    assert {"mem: 2000 MiB", "cu_count: 72", "enable: 1"} <= set(description.splitlines())


def test_a_whole_dcu_has_no_vdcu(told: Given) -> None:
    """Another card, and no limits."""
    _, given = _given(told, "dcu-whole", "hygon")
    nodes = ["/dev/kfd", "/dev/mkfd", "/dev/dri/card2", "/dev/dri/renderD129"]
    assert given == _edits(env={"HCU_VISIBLE_DEVICES": "void"}, mounts=_mounted("/opt/hyhal"), device_nodes=nodes)


def _npu(node: str | Given, env: dict[str, str]) -> Given:
    """What every program on an NPU has beside its device."""
    directories = [f"/usr/local/Ascend/driver/lib64/{name}" for name in ("common", "driver")]
    mounts = _mounted(*ASCEND_FILES, writable="/var/queue_schedule")
    return _edits(env=env, mounts=mounts, device_nodes=[node, *ASCEND_NODES], library_path=directories)


def test_a_slice_of_an_npu_is_a_vnpu_under_the_usual_name(told: Given) -> None:
    """8000 MiB are the template of 8192; the container has its file as though it were a whole NPU's."""
    _, given = _given(told, "npu", "ascend")
    number = given["env"]["ASCEND_VISIBLE_DEVICES"]
    as_whole = {"host_path": f"/dev/vdavinci{number}", "container_path": f"/dev/davinci{number}"}
    env = {"ASCEND_VISIBLE_DEVICES": number, "ASCEND_RUNTIME_OPTIONS": "VIRTUAL"}
    assert given == _npu(as_whole, env)
    assert 100 <= int(number) < 116, "numbers of the first chip"


def test_a_whole_npu_is_that_chip(told: Given) -> None:
    """The other one, since the first is split."""
    _, given = _given(told, "npu-whole", "ascend")
    assert given == _npu("/dev/davinci1", {"ASCEND_VISIBLE_DEVICES": "1"})


def test_a_strangers_widget_is_given_the_same_way(told: Given) -> None:
    """Its package alone says what its programs need."""
    _, given = _given(told, "widget", "toy")
    env = {"TOY_VISIBLE_DEVICES": "widget-7", "TOY_MEMORY_MIB": "512", "TOY_CORES_PERCENT": "0"}
    assert given == _edits(env=env)


def test_a_container_may_have_devices_of_two_vendors(told: Given) -> None:
    """Each slice has a directory of its own; beside it, the first container has one of one vendor."""
    _, gpu = _given(told, "several", "nvidia", 1)
    _, mlu = _given(told, "several", "cambricon", 1)
    assert gpu["env"]["CUDA_DEVICE_MEMORY_LIMIT_0"] == "1024m"
    assert mlu["device_nodes"][-1].startswith("/dev/cambricon-caps/cap_dev")
    _, first = _given(told, "several", "nvidia")
    assert first["env"]["CUDA_DEVICE_MEMORY_LIMIT_0"] == "512m"
    assert "CUDA_DEVICE_SM_LIMIT" not in first["env"]


def test_nothing_is_left_of_slices_that_are_over(told: Given, state: Path) -> None:
    """No record, no directory, and no instance on any chip."""
    assert told["left"] == []
    assert list((state / "it/runtime/slices").iterdir()) == []
    made = ("cambricon-caps/cap_dev", "vdavinci", "etc/vdev/vdev", "etc/vdev/docker/")
    there = [str(path) for path in (state / "it").rglob("*") if path.is_file()]
    assert [path for path in there if any(word in path for word in made)] == []
