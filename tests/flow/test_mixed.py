"""A cluster of all vendors' chips, a stranger's among them: pods go where they should, and get just what they should.

What the public examples of each vendor mean is written down here, a line for each container. Nodes are those of
``examples/clusters/mixed.yaml``; on them devices are numbered over all vendors of the node.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from hetero import plugins
from hetero.admission.asks import pod_ask
from hetero.admission.words import Words
from hetero.cli import group
from hetero.cli.cluster_file import inventory
from hetero.cli.context import read_yaml
from hetero.cli.manifests import read_pods
from hetero.model.device import CORES, MEMORY
from hetero.model.placement import DeviceShare, Placement
from hetero.placement import Planner
from hetero.vendor import Vendor

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CLUSTER = EXAMPLES / "clusters/mixed.yaml"
OURS = ("nvidia", "cambricon", "hygon", "ascend")
PUBLIC = sorted(str(file.relative_to(EXAMPLES)) for name in OURS for file in EXAMPLES.glob(f"{name}/*.yaml"))

MEANING: Mapping[str, tuple[str, ...]] = {
    "ascend/choose-npu.yaml": ("ascend-choose-npu nowhere: container serve: not among the devices asked: 4 devices",),
    "ascend/deployment.yaml": tuple(
        f"ascend-inference-{one}/serve on npu-310p: ascend-{one % 4} 3072 MiB 12 % vir01" for one in range(7)
    ),
    "ascend/module.yaml": ("ascend-module/train on npu-910c: ascend-0 65536 MiB 100 %, ascend-1 65536 MiB 100 %",),
    "ascend/ring.yaml": (
        "ascend-ring/train on npu-910a: ascend-0 32768 MiB 100 %, ascend-1 32768 MiB 100 %, "
        "ascend-2 32768 MiB 100 %, ascend-3 32768 MiB 100 %",
    ),
    "ascend/soft.yaml": ("ascend-soft/serve on npu-soft: ascend-0 10240 MiB 25 %",),
    "ascend/two-containers.yaml": (
        "ascend-two-containers/small on npu-910b4: ascend-1 8192 MiB 25 % vir05_1c_8g",
        "ascend-two-containers/large on npu-910b4: ascend-0 16384 MiB 50 % vir10_3c_16g",
    ),
    "ascend/vnpu.yaml": ("ascend-vnpu/serve on npu-910b3: ascend-0 16384 MiB 25 % vir05_1c_16g",),
    "ascend/whole.yaml": ("ascend-whole/train on npu-soft: ascend-0 65536 MiB 100 %, ascend-1 65536 MiB 100 %",),
    "cambricon/choose-model.yaml": ("mlu-of-a-model/program on two-vendors: cambricon-1 10240 MiB 25 %",),
    "cambricon/ring.yaml": (
        "mlu-ring/training on mlu: cambricon-0 24576 MiB 100 %, cambricon-1 24576 MiB 100 %, "
        "cambricon-2 24576 MiB 100 %, cambricon-3 24576 MiB 100 %",
    ),
    "cambricon/slice-of-a-type.yaml": ("mlu370-slice/program on mlu: cambricon-0 5120 MiB 10 %",),
    "cambricon/slice.yaml": (
        "mlu-slice-0/program on two-vendors: cambricon-1 5120 MiB 10 %",
        "mlu-slice-1/program on two-vendors: cambricon-2 5120 MiB 10 %",
    ),
    "cambricon/two-containers.yaml": (
        "mlu-two-containers/first on two-vendors: cambricon-1 2048 MiB 20 %",
        "mlu-two-containers/second on two-vendors: cambricon-1 1024 MiB 10 %, cambricon-2 1024 MiB 10 %",
    ),
    "cambricon/whole.yaml": ("mlu-whole-0/program on two-vendors: cambricon-1 80675 MiB 100 %",),
    "hygon/chosen-card.yaml": ("dcu-chosen-card nowhere: container main: not among the devices asked: 4 devices",),
    "hygon/chosen-model.yaml": ("dcu-chosen-model/main on dcu: hygon-0 2000 MiB 15 %",),
    "hygon/compute-only.yaml": ("dcu-compute/main on dcu: hygon-0 65520 MiB 30 %",),
    "hygon/memory-only.yaml": ("dcu-memory/main on dcu: hygon-0 4096 MiB 100 %",),
    "hygon/slice.yaml": ("dcu-slice/main on dcu: hygon-0 2000 MiB 60 %",),
    "hygon/two-containers.yaml": (
        "dcu-two-containers/first on dcu: hygon-1 8192 MiB 25 %",
        "dcu-two-containers/second on dcu: hygon-0 16384 MiB 50 %",
    ),
    "hygon/whole-cards.yaml": ("dcu-whole/main on dcu: hygon-0 65520 MiB 100 %, hygon-1 65520 MiB 100 %",),
    "nvidia/choose-device.yaml": (
        "gpu-of-an-identity nowhere: container program: not among the devices asked: 1 device; "
        "container program: not among the devices asked: 2 devices",
    ),
    "nvidia/choose-model.yaml": ("gpu-of-a-model/program on mig: nvidia-0 9856 MiB 14 % 1g.10gb",),
    "nvidia/gpu-pod.yaml": ("gpu-pod/ubuntu-container on desk: nvidia-0 1024 MiB 30 %",),
    "nvidia/memory-only.yaml": ("gpu-memory/program on desk: nvidia-0 1024 MiB 0 %",),
    "nvidia/mig-by-profile.yaml": (
        "mig-profile/program on mig: nvidia-0 4864 MiB 14 % 1g.5gb, nvidia-0 4864 MiB 14 % 1g.5gb, "
        "nvidia-0 20096 MiB 42 % 3g.20gb",
    ),
    "nvidia/mig-by-size.yaml": ("gpu-instance/program on mig: nvidia-0 9856 MiB 14 % 1g.10gb",),
    "nvidia/mig-deployment.yaml": tuple(f"mig-{one}/program on mig: nvidia-0 4864 MiB 14 % 1g.5gb" for one in range(7)),
    "nvidia/mig-media.yaml": ("mig-media/program on mig: nvidia-0 4864 MiB 14 % 1g.5gb+me",),
    "nvidia/numa.yaml": ("gpu-numa/program on rack-0: nvidia-0 23034 MiB 100 %, nvidia-1 23034 MiB 100 %",),
    "nvidia/percentage.yaml": ("gpu-percentage/program on rack-0: nvidia-0 11517 MiB 0 %, nvidia-1 11517 MiB 0 %",),
    "nvidia/priority.yaml": ("gpu-priority/program on desk: nvidia-0 2000 MiB 20 %",),
    "nvidia/share.yaml": ("gpu-share/program on desk: nvidia-0 3000 MiB 30 %",),
    "nvidia/software-only.yaml": ("gpu-by-software/program on desk: nvidia-0 3000 MiB 0 %",),
    "nvidia/two-containers.yaml": (
        "gpu-two-containers/model on desk: nvidia-0 8000 MiB 50 %",
        "gpu-two-containers/helper on desk: nvidia-0 1000 MiB 0 %",
    ),
    "nvidia/whole.yaml": ("gpu-whole/program on rack-0: nvidia-0 23034 MiB 100 %, nvidia-1 23034 MiB 100 %",),
}


@pytest.fixture(scope="module")
def vendors() -> Mapping[str, Vendor]:
    """The installed vendors, and the third party's that ``make build`` puts beside them."""
    found: Mapping[str, Vendor] = plugins.load().vendors
    assert {*OURS, "toy"} <= set(found)
    return found


@pytest.fixture
def planner(vendors: Mapping[str, Vendor]) -> Planner:
    """The cluster, empty."""
    return Planner(inventory(read_yaml(CLUSTER), CLUSTER, vendors), vendors)


def planned(planner: Planner, vendors: Mapping[str, Vendor], file: Path) -> Iterator[str]:
    """Where the pods of a file go: a line for each container with devices, or the reasons why there is none."""
    words = Words(vendors)
    for pod in read_pods(file):
        answer = planner.place(pod_ask(pod, words))
        if isinstance(answer, Placement):
            for one in (*answer.init_containers, *answer.containers):
                if one.devices:
                    shown = ", ".join(_share(answer.node, share) for share in one.devices)
                    yield f"{answer.pod}/{one.container} on {answer.node}: {shown}"
        else:
            messages = {refusal.message for refusal in answer.refusals.values()}
            reasons = sorted(one for one in messages if "the node has no" not in one)
            yield f"{answer.pod} nowhere: {'; '.join(reasons)}"


def _share(node: str, given: DeviceShare) -> str:
    amounts = given.share.quantities
    device = given.device.removeprefix(f"{node}-")
    return f"{device} {amounts.get(MEMORY, 0)} MiB {amounts.get(CORES, 0)} % {given.share.template}".strip()


def test_every_public_example_has_its_meaning_here() -> None:
    """An example that nobody wrote down could come to mean something else and nobody would see."""
    assert sorted(MEANING) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_example_means_what_it_means_today(planner: Planner, vendors: Mapping[str, Vendor], name: str) -> None:
    """The resource names of existing clusters: which chip, how many, how much of each, and which template."""
    assert tuple(planned(planner, vendors, EXAMPLES / name)) == MEANING[name]
    assert not planner.overcommitted()


WISHES: Mapping[str, tuple[Mapping[str, int], str]] = {
    "a slice of a GPU": ({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 20000}, "rack-0: nvidia-0 20000 MiB 0 %"),
    "two GPUs": ({"nvidia.com/gpu": 2}, "rack-0: nvidia-0 23034 MiB 100 %, nvidia-1 23034 MiB 100 %"),
    "an instance": ({"nvidia.com/mig-1g.5gb": 1}, "mig: nvidia-0 4864 MiB 14 % 1g.5gb"),
    "an MLU590": ({"cambricon.com/mlu590.smlu.vmemory": 8}, "two-vendors: cambricon-1 2048 MiB 100 %"),
    "a part of a DCU": ({"hygon.com/dcumem": 4000, "hygon.com/dcucores": 25}, "dcu: hygon-0 4000 MiB 25 %"),
    "a 910B4": ({"huawei.com/Ascend910B4-memory": 16000}, "npu-910b4: ascend-0 16384 MiB 50 % vir10_3c_16g"),
    "a 910B4-1": ({"huawei.com/Ascend910B4-1-memory": 16000}, "npu-910b4-1: ascend-0 16384 MiB 25 % vir05_1c_16g"),
    "a 310P": ({"huawei.com/Ascend310P-memory": 6000}, "npu-310p: ascend-0 6144 MiB 25 % vir02"),
    "a module": ({"huawei.com/Ascend910C": 1}, "npu-910c: ascend-0 65536 MiB 100 %, ascend-1 65536 MiB 100 %"),
    "a widget": ({"toy.example/widget": 1, "toy.example/widget-memory": 1000}, "widgets: toy-0 1024 MiB 0 %"),
}
"""What a pod of one container asks, and where it goes on the empty cluster."""


def _manifest(path: Path, *wishes: Mapping[str, int]) -> Path:
    """A pod of one container for each of these limits, ``pod-0`` and so on; GPUs are shared by software."""
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{number}", "annotations": {"nvidia.com/vgpu-mode": "hami-core"}},
            "spec": {"containers": [{"name": "main", "image": "i", "resources": {"limits": dict(limits)}}]},
        }
        for number, limits in enumerate(wishes)
    ]
    path.write_text(yaml.safe_dump_all(pods))
    return path


@pytest.mark.parametrize("wish", WISHES)
def test_a_pod_goes_to_the_chip_that_it_names(
    planner: Planner, vendors: Mapping[str, Vendor], tmp_path: Path, wish: str
) -> None:
    """In a cluster of all chips, and rounded up as its chip is split; a longer name is another chip."""
    limits, where = WISHES[wish]
    assert list(planned(planner, vendors, _manifest(tmp_path / "pod.yaml", limits))) == [f"pod-0/main on {where}"]


def test_pods_of_all_vendors_share_the_cluster(planner: Planner, vendors: Mapping[str, Vendor], tmp_path: Path) -> None:
    """Each as often as it fits, with nothing given twice, and gone without a trace."""
    before = planner.free_quantities()
    manifest = _manifest(tmp_path / "pods.yaml", *(limits for limits, _ in WISHES.values() for _ in range(40)))
    lines = list(planned(planner, vendors, manifest))
    assert not planner.overcommitted()
    placed = {line.partition("/")[0] for line in lines if " nowhere: " not in line}
    by_wish = [sum(f"pod-{40 * kind + one}" in placed for one in range(40)) for kind in range(len(WISHES))]
    # The five L4 have room for one slice each, and then none of them is whole; the GPU in MIG mode has seven instances.
    assert by_wish == [5, 0, 7, 2, 16, 16, 32, 12, 8, 16]
    for number in range(40 * len(WISHES)):
        planner.free(f"default/pod-{number}")
    assert planner.free_quantities() == before


def test_the_command_says_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """``hetero plan`` on the file that people read, with all vendors at once."""
    manifest = _manifest(tmp_path / "pods.yaml", *(limits for limits, _ in WISHES.values()))
    code = group.run(["plan", "-f", str(manifest), "--cluster", str(CLUSTER), "--output", "json"])
    rows = json.loads(capsys.readouterr().out)["placements"]
    nodes = {row["pod"]: row["node"] for row in rows}
    assert code == 0
    assert set(nodes.values()) >= {
        "mig", "two-vendors", "dcu", "npu-910b4", "npu-910b4-1", "npu-310p", "npu-910c", "widgets",
    }  # fmt: skip
