"""Pods for Ascend NPUs from the manifest to the chips that they get, and to what their programs find."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hetero_ascend import ascend
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.model.device import Device, Inventory, Node
from hetero.model.placement import Placement, Unplaced
from hetero.placement import Planner

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples/ascend").glob("*.yaml"))
MACHINES = sorted((ROOT / "examples/machines").glob("ascend-*.yaml"))
UUID = "00C0FFEE-00000002-A0000003-00000004-0000000A"

# Product to MiB and how many there are on a node.
BOARDS = {
    "910A": (32768, 8),
    "910B2": (65536, 8),
    "910B3": (65536, 16),
    "910B4": (32768, 8),
    "910B4-1": (65536, 8),
    "Ascend910": (65536, 16),
    "310P3": (24576, 4),
}
WORDS = {"910A": "910A", "910B2": "910B2", "910B3": "910B3", "910B4": "910B4", "910B4-1": "910B4-1"} | {
    "Ascend910": "910C",
    "310P3": "310P",
}


def node(product: str, mode: str = "", count: int = 0) -> Node:
    """A node with chips of one kind, as a described cluster has it."""
    memory, usual = BOARDS[product]
    model = ascend.splitting.model(product, memory, mode)
    devices = tuple(Device(uuid=f"{product}/{index}", index=index, model=model) for index in range(count or usual))
    return Node(name=f"{product}{mode}".lower(), devices=devices)


class Cluster:
    """A cluster into which pods are thrown."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = nodes
        self.planner = Planner(Inventory(nodes=nodes), {"ascend": ascend})
        self._pods = 0

    def run(self, product: str, annotations: dict[str, str] | None = None, **amounts: int) -> Placement | Unplaced:
        """A pod of one container with ``count``, ``memory`` and ``core`` of a kind of chip."""
        self._pods += 1
        ends = {"count": "", "memory": "-memory", "core": "-core"}
        limits = {f"huawei.com/Ascend{WORDS[product]}{ends[name]}": amount for name, amount in amounts.items()}
        return self.throw(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"p{self._pods}", "annotations": annotations or {}},
                "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": limits}}]},
            }
        )

    def throw(self, manifest: dict[str, Any]) -> Placement | Unplaced:
        """The first pod of a manifest."""
        pod = next(iter(pods(manifest)))
        return self.planner.place(pod_ask(pod, {"ascend": ascend}))

    def places(self, product: str, **amounts: int) -> list[int]:
        """Numbers of the chips that a pod gets; none when it waits."""
        found = self.run(product, **amounts)
        if isinstance(found, Unplaced):
            return []
        return sorted(int(share.device.rpartition("/")[2]) for share in found.containers[0].devices)


def load(path: Path) -> dict[str, Any]:
    """A manifest."""
    manifest: dict[str, Any] = yaml.safe_load(path.read_text())
    return manifest


EXPECTED = {
    "whole": ("910b3", [("", 65536), ("", 65536)]),
    "vnpu": ("910b3", [("vir05_1c_16g", 16384)]),
    "two-containers": ("910b4", [("vir05_1c_8g", 8192), ("vir10_3c_16g", 16384)]),
    "soft": ("910b3hami-core", [("", 10240)]),
    "ring": ("910a", [("", 32768)] * 4),
    "module": ("ascend910", [("", 65536)] * 2),
    "choose-npu": ("310p3", [("vir01", 3072)]),
    "deployment": ("310p3", [("vir01", 3072)]),
}


def test_every_example_is_expected_here() -> None:
    """A manifest that people start from is tried."""
    assert {path.stem for path in EXAMPLES} == set(EXPECTED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_gets_what_its_comment_says(example: Path) -> None:
    """On a cluster with a node of each kind and one that splits by software."""
    nodes = [node(product) for product in BOARDS if product != "310P3"]
    chosen = node("310P3", count=1).devices[0]
    npus = Node(name="310p3", devices=(Device(uuid=UUID, index=0, model=chosen.model),))
    cluster = Cluster(*nodes, npus, node("910B3", "hami-core", 1))
    found = cluster.throw(load(example))
    assert isinstance(found, Placement), found
    shares = [share for container in found.containers for share in container.devices]
    assert (found.node, [(one.share.template, one.share.memory) for one in shares]) == EXPECTED[example.stem]


def test_seven_replicas_fill_a_310p() -> None:
    """The eighth waits for an AI CPU, though memory and AI cores are left."""
    cluster = Cluster(node("310P3", count=1))
    manifest = load(ROOT / "examples/ascend/deployment.yaml")
    replicas = list(pods(manifest))
    assert len(replicas) == 7
    for replica in replicas:
        assert isinstance(cluster.planner.place(pod_ask(replica, {"ascend": ascend})), Placement)
    assert isinstance(cluster.run("310P3", count=1, memory=1000), Unplaced)


def test_ai_cpus_run_out_and_the_reason_says_so() -> None:
    """Six of the smallest template on 910B2, and half a chip with three: the next waits, told what is lacking."""
    cluster = Cluster(node("910B2", "vir03", 1))
    for _ in range(6):
        assert cluster.places("910B2", count=1, memory=8192) == [0]
    refused = cluster.run("910B2", count=1, memory=8192)
    assert isinstance(refused, Unplaced)
    assert "aicpus" in str(refused)
    mixed = Cluster(node("910B2", "vir03", 1))
    assert mixed.places("910B2", count=1, memory=32768) == [0]
    assert [mixed.places("910B2", count=1, memory=8192) for _ in range(4)] == [[0], [0], [0], []]


@pytest.mark.parametrize(("product", "other"), [("910B4", "910B4-1"), ("910B4-1", "910B4"), ("910B3", "910B4")])
def test_chips_with_names_that_begin_alike_are_told_apart(product: str, other: str) -> None:
    """A pod for the one is never placed on the other, however much room there is."""
    assert isinstance(Cluster(node(other)).run(product, count=1, memory=1000), Unplaced)
    placed = Cluster(node(other), node(product)).run(product, count=1, memory=1000)
    assert isinstance(placed, Placement)
    assert placed.node == product.lower()


def test_soft_and_hard_pods_go_to_nodes_of_their_kind() -> None:
    """And whole chips to either."""
    soft = {"huawei.com/vnpu-mode": "hami-core"}
    hard_only, soft_only = Cluster(node("910B3")), Cluster(node("910B3", "hami-core"))
    assert isinstance(hard_only.run("910B3", soft, count=1, memory=1000, core=10), Unplaced)
    assert isinstance(soft_only.run("910B3", count=1, memory=1000), Unplaced)
    assert isinstance(soft_only.run("910B3", soft, count=2, memory=1000, core=10), Placement)
    assert isinstance(soft_only.run("910B3", count=1), Placement)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_rings_of_a_910a_server(count: int) -> None:
    """Up to four in one ring, so a server is filled by each number without remainder."""
    cluster = Cluster(node("910A"))
    given = [cluster.places("910A", count=count) for _ in range(8 // count)]
    assert sorted(place for places in given for place in places) == list(range(8))
    assert all(len({place // 4 for place in places}) == 1 for places in given if count <= 4)
    assert cluster.places("910A", count=1) == []


def test_a_torn_ring_serves_no_four() -> None:
    """One chip of each ring has a vNPU: six are free, and four wait."""
    cluster = Cluster(node("910A"))
    first, second = cluster.places("910A", count=4), cluster.places("910A", count=4)
    assert {place // 4 for place in first} != {place // 4 for place in second}
    torn = Cluster(node("910A"))
    assert torn.places("910A", count=1) == [0]
    assert torn.places("910A", count=4) == [4, 5, 6, 7]
    assert torn.places("910A", count=4) == []


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 8])
def test_boxes_of_910b(count: int) -> None:
    """Up to eight NPUs come from one box of a server with two."""
    places = Cluster(node("910B3")).places("910B3", count=count)
    assert len(places) == count
    assert len({place // 8 for place in places}) == 1


@pytest.mark.parametrize("count", [10, 12, 14, 16])
def test_more_than_a_box_is_spread_evenly(count: int) -> None:
    """The same positions of both boxes; on a server with one box the pod waits."""
    places = Cluster(node("910B3")).places("910B3", count=count)
    low, high = ([place % 8 for place in places if place // 8 == box] for box in (0, 1))
    assert low == high
    assert len(places) == count
    assert Cluster(node("910B3", count=8)).places("910B3", count=count) == []


@pytest.mark.parametrize("count", [1, 2, 4, 6, 8, 16])
def test_modules_of_910c(count: int) -> None:
    """Whole modules, also beside a die that has a vNPU."""
    cluster = Cluster(node("Ascend910"))
    places = cluster.places("Ascend910", count=count)
    assert len(places) == max(count, 2)
    assert all(place ^ 1 in places for place in places)
    taken = Cluster(node("Ascend910", count=4))
    [die] = taken.places("Ascend910", count=1, memory=16384)
    assert taken.places("Ascend910", count=1) == ([2, 3] if die < 2 else [0, 1])
    assert taken.places("Ascend910", count=1) == []


any_pod = st.tuples(
    st.sampled_from(sorted(BOARDS)), st.sampled_from([1, 1, 1, 2, 4, 8]), st.none() | st.integers(1, 70000)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(any_pod, max_size=30))
def test_nothing_is_given_twice(asked: list[tuple[str, int, int | None]]) -> None:
    """Whatever comes to a mixed cluster: in every dimension what pods hold is at most what a chip has."""
    cluster = Cluster(*(node(product, count=8) for product in BOARDS))
    rooms = {device.uuid: device.model.capacity for one in cluster.nodes for device in one.devices}
    held: dict[str, list[dict[str, int]]] = {}
    for product, count, memory in asked:
        chip = ascend.splitting.model(product, BOARDS[product][0])
        several = memory is not None and memory <= max(16384, chip.capacity["memory"] // 2)
        found = cluster.run(product, count=1 if several else count, **({} if memory is None else {"memory": memory}))
        if isinstance(found, Placement):
            for share in found.containers[0].devices:
                held.setdefault(share.device, []).append(share.share.quantities)
    for uuid, shares in held.items():
        for name, room in rooms[uuid].items():
            assert sum(one.get(name, 0) for one in shares) <= room, (uuid, name)


HETERO = str(Path(sys.executable).with_name("hetero"))


def on_machine(machine: Path, *command: str) -> str:
    """What a command prints on a simulated machine."""
    words = [HETERO, "sim", "run", "--machine", str(machine), "--", *command]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.native
@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.stem)
def test_an_example_machine_shows_its_npus(machine: Path) -> None:
    """Each card of the file is a device, by the simulated driver."""
    cards = sum(card.get("count", 1) for card in load(machine)["cards"])
    shown = json.loads(on_machine(machine, HETERO, "devices", "--output", "json"))["devices"]
    assert len([device for device in shown if device["vendor"] == "ascend"]) == cards


@pytest.mark.native
def test_a_command_has_its_vnpu_while_it_runs() -> None:
    """Made when it starts, told to it, and destroyed when it has ended."""
    nodes = "ls $HETERO_HOST_ROOT_ASCEND/dev | grep vdavinci"
    inner = f"{HETERO} run --memory 10g -- sh -c 'echo $ASCEND_VISIBLE_DEVICES; {nodes}'; {nodes} || echo none"
    told = on_machine(ROOT / "examples/machines/ascend-910b3-x8.yaml", "sh", "-c", inner).split()
    assert told == [told[0], f"vdavinci{told[0]}", "none"]


@pytest.mark.native
def test_a_manifest_runs_on_one_machine_too() -> None:
    """A container of an example gets what it would get in a cluster."""
    command = [HETERO, "run", "-f", "examples/ascend/vnpu.yaml", "--", "sh", "-c", "echo $ASCEND_RUNTIME_OPTIONS"]
    assert on_machine(ROOT / "examples/machines/ascend-910b3-x8.yaml", *command).strip() == "VIRTUAL"


@pytest.mark.native
def test_a_command_is_limited_by_software_without_a_word_of_the_loader() -> None:
    """The library that is preloaded is there, also on a simulated machine: a loader goes on without one that is not."""
    command = f"{HETERO} run --memory 10g -- sh -c 'echo $NPU_MEM_QUOTA; cat /proc/self/maps' 2>&1"
    told = on_machine(ROOT / "examples/machines/ascend-910b3-soft.yaml", "sh", "-c", command)
    assert told.startswith("10240\n")
    assert "hami-vnpu-core/libvnpu.so" in told
    assert "cannot be preloaded" not in told
