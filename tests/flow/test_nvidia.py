"""Pods for NVIDIA GPUs from the manifest to the GPUs and instances that they get."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import hetero_native
import pytest
import yaml
from hetero_nvidia import nvidia
from hetero_nvidia.mig import position, profiles_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.model.device import Device, Inventory, Node
from hetero.model.placement import Placement, Unplaced
from hetero.placement import Planner

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples/nvidia").glob("*.yaml"))
UUID = "GPU-7c5a1f02-4a9b-5d3e-8f10-2b6c9d0e1a30"


def device(name: str, memory: int, mode: str = "", **fields: Any) -> Device:
    """A GPU as a described cluster has it."""
    return Device(model=nvidia.splitting.model(name, memory, mode), **fields)


def gpus(name: str, memory: int, mode: str = "", count: int = 1) -> tuple[Device, ...]:
    """GPUs of one kind, two on each NUMA node."""
    return tuple(
        device(name, memory, mode, uuid=f"{name}{mode}/{index}", index=index, numa=index // 2) for index in range(count)
    )


PLAIN = Node(name="plain", devices=gpus("NVIDIA L4", 23034, count=4))
CHOSEN = Node(name="chosen", devices=(device("NVIDIA H100 80GB HBM3", 81559, uuid=UUID, index=0, numa=0),))
MIG = Node(name="mig", devices=gpus("NVIDIA A100-SXM4-40GB", 40960, "mig"))

# On which node an example ends up, and the template and MiB of each of its shares, in the order of its containers.
EXPECTED = {
    "gpu-pod": ("plain", [("", 1024)]),
    "whole": ("plain", [("", 23034), ("", 23034)]),
    "share": ("plain", [("", 3000)]),
    "percentage": ("plain", [("", 11517), ("", 11517)]),
    "memory-only": ("plain", [("", 1024)]),
    "choose-model": ("chosen", [("", 8000)]),
    "choose-device": ("chosen", [("", 2000)]),
    "numa": ("plain", [("", 23034), ("", 23034)]),
    "two-containers": ("plain", [("", 8000), ("", 1000)]),
    "priority": ("plain", [("", 2000)]),
    "software-only": ("plain", [("", 3000)]),
    "mig-by-size": ("mig", [("1g.10gb", 9856)]),
    "mig-by-profile": ("mig", [("1g.5gb", 4864), ("1g.5gb", 4864), ("3g.20gb", 20096)]),
    "mig-media": ("mig", [("1g.5gb+me", 4864)]),
    "mig-deployment": ("mig", [("1g.5gb", 4864)]),
}


def load(path: Path) -> dict[str, Any]:
    """A manifest."""
    manifest: dict[str, Any] = yaml.safe_load(path.read_text())
    return manifest


def pod(name: str, annotations: dict[str, str] | None = None, **limits: int) -> dict[str, Any]:
    """A pod of one container with these resources, without their domain; a dash is written as two underscores."""
    asked = {f"nvidia.com/{key.replace('__', '-').replace('_', '.')}": amount for key, amount in limits.items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": asked}}]},
    }


def throw(planner: Planner, manifest: dict[str, Any]) -> list[Placement | Unplaced]:
    """All pods of a manifest."""
    return [planner.place(pod_ask(one, {"nvidia": nvidia})) for one in pods(manifest)]


def test_every_example_is_expected_here() -> None:
    """A manifest that people start from is tried."""
    assert {path.stem for path in EXAMPLES} == set(EXPECTED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_gets_what_its_comment_says(example: Path) -> None:
    """On a cluster with others beside the node that it is meant for; a share might be had of MIG as well."""
    names, expected = EXPECTED[example.stem]
    nodes = {"plain": (PLAIN,), "chosen": (PLAIN, CHOSEN), "mig": (PLAIN, CHOSEN, MIG)}[names]
    found = throw(Planner(Inventory(nodes=nodes), {"nvidia": nvidia}), load(example))[0]
    assert isinstance(found, Placement), found
    shares = [share for container in found.containers for share in container.devices]
    assert (found.node, [(one.share.template, one.share.memory) for one in shares]) == (names, expected)


def test_the_pod_of_the_first_steps_asks_for_a_gibibyte_and_a_third() -> None:
    """The pod that the README shows, under the name that `kubectl apply` is given on a cluster."""
    path = ROOT / "examples/nvidia/gpu-pod.yaml"
    assert path.read_text() == (ROOT / "examples/manifests/gpu-pod.yaml").read_text()
    manifest = load(path)
    [container] = manifest["spec"]["containers"]
    assert container["resources"]["limits"] == {
        "nvidia.com/gpu": 1,
        "nvidia.com/gpumem": 1024,
        "nvidia.com/gpucores": 30,
    }
    [placed] = throw(Planner(Inventory(nodes=(PLAIN,)), {"nvidia": nvidia}), manifest)
    assert isinstance(placed, Placement), placed
    [share] = [one.share for one in placed.containers[0].devices]
    assert (share.memory, share.cores) == (1024, 30)


def test_seven_replicas_fill_an_a100() -> None:
    """Each at a place of its own; the eighth waits, and so does a share by software."""
    planner = Planner(Inventory(nodes=(MIG,)), {"nvidia": nvidia})
    [deployment] = [path for path in EXAMPLES if path.stem == "mig-deployment"]
    found = throw(planner, load(deployment))
    starts = [position(one.containers[0].devices[0].share.quantities) for one in found if isinstance(one, Placement)]
    assert sorted(starts) == [(place, 1) for place in range(7)]
    [refused] = throw(planner, pod("eighth", mig__1g_5gb=1))
    assert isinstance(refused, Unplaced)
    [refused] = throw(planner, pod("soft", {"nvidia.com/vgpu-mode": "hami-core"}, gpumem=10))
    assert isinstance(refused, Unplaced)


def test_half_cards_are_kept_for_those_who_need_them() -> None:
    """Two slices and then three, on one card: the small ones lie where the large one still has room."""
    planner = Planner(Inventory(nodes=(MIG,)), {"nvidia": nvidia})
    for name, limits in (("a", {"mig__2g_10gb": 1}), ("b", {"mig__2g_10gb": 1}), ("c", {"mig__3g_20gb": 1})):
        assert isinstance(throw(planner, pod(name, **limits))[0], Placement), name


def test_a_container_may_have_instances_of_several_gpus() -> None:
    """Two large ones do not fit on one GPU, so another gives the second."""
    node = Node(name="mig", devices=gpus("NVIDIA A100-SXM4-40GB", 40960, "mig", 2))
    [found] = throw(Planner(Inventory(nodes=(node,)), {"nvidia": nvidia}), pod("two", mig__4g_20gb=2))
    assert isinstance(found, Placement)
    assert len({share.device for share in found.containers[0].devices}) == 2


@pytest.mark.parametrize("count", range(1, 9))
def test_one_to_eight_gpus_of_a_mixed_node(count: int) -> None:
    """GPUs of both modes on one node: each ask gets as many as there are of those that serve it, or none."""
    node = Node(
        name="mixed",
        devices=(
            *gpus("NVIDIA A100-SXM4-40GB", 40960, "mig", 4),
            *gpus("NVIDIA H100 80GB HBM3", 81559, count=3),
            *gpus("NVIDIA A30", 24576, "mig"),
        ),
    )
    for mode, most in (("mig", 5), ("hami-core", 3), ("", 8)):
        annotations = {"nvidia.com/vgpu-mode": mode} if mode else {}
        planner = Planner(Inventory(nodes=(node,)), {"nvidia": nvidia})
        [found] = throw(planner, pod("p", annotations, gpu=count, gpumem=5000))
        assert isinstance(found, Placement) == (count <= most), (mode, found)
        if isinstance(found, Placement):
            templates = Counter(share.share.template for share in found.containers[0].devices)
            assert sum(templates.values()) == count
            assert mode != "mig" or "" not in templates
            assert mode != "hami-core" or set(templates) == {""}


CLUSTER = Inventory(
    nodes=(
        Node(name="a100", devices=gpus("NVIDIA A100-SXM4-40GB", 40960, "mig", 2)),
        Node(name="a30", devices=gpus("NVIDIA A30", 24576, "mig", 2)),
        Node(name="l4", devices=gpus("NVIDIA L4", 23034, count=2)),
    )
)
WORDS = [f"mig__{one.name.replace('.', '_').replace('+', '_')}" for one in profiles_of(MIG.devices[0].model)]
ASKS = st.one_of(
    st.fixed_dictionaries({word: st.integers(1, 2) for word in ["gpu"]}, optional={"gpumem": st.integers(1, 41000)}),
    st.dictionaries(st.sampled_from(WORDS), st.integers(1, 2), min_size=1, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(asks=st.lists(ASKS, max_size=24))
def test_nothing_is_given_twice(asks: list[dict[str, int]]) -> None:
    """Whatever pods come: on no GPU is a slice of memory given twice, and in no dimension more than there is."""
    planner = Planner(CLUSTER, {"nvidia": nvidia})
    answers = [throw(planner, pod(f"p{number}", **ask))[0] for number, ask in enumerate(asks)]
    placed = [one for one in answers if isinstance(one, Placement)]
    used: dict[tuple[str, str], Counter[str]] = {}
    for found, container in itertools.chain.from_iterable(((one, held) for held in one.containers) for one in placed):
        for share in container.devices:
            used.setdefault((found.node, share.device), Counter()).update(share.share.quantities)
    capacity = {(node.name, one.uuid): one.model.capacity for node in CLUSTER.nodes for one in node.devices}
    for place, amounts in used.items():
        assert all(amount <= capacity[place][name] for name, amount in amounts.items()), (place, amounts)


@pytest.mark.native
def test_two_commands_have_an_instance_each_of_one_gpu() -> None:
    """The second is put beside the first, and a third sees the memory of its own; then all are gone."""
    hetero, cardinfo = Path(sys.executable).with_name("hetero"), hetero_native.program("cardinfo")
    run = f"{hetero} run --device 0 --memory"
    tell = "echo \\$CUDA_VISIBLE_DEVICES"
    inner = f"{run} 4g -- sh -c \"{tell}; unset HETERO_SLICE; {run} 4g -- sh -c '{tell}'; {run} 18g -- {cardinfo}\""
    machine = ROOT / "examples/machines/nvidia-a100-mig.yaml"
    command = [hetero, "sim", "run", "--machine", machine, "--", "sh", "-c", f"{inner} && {inner}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    identities = [line for line in lines if line.startswith("MIG-")]
    assert len(identities) == len({*identities}) == 4
    assert len([line for line in lines if "MIG 3g.20gb" in line]) == 2
    assert len([line for line in lines if "cuDeviceTotalMem    20096 MiB" in line]) == 2
