"""Pods for Hygon DCUs from the manifest to the cards that they get, and to the vDCU that is made for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hetero_hygon import hygon
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.model.device import Device, Inventory, Node
from hetero.model.placement import Placement, Unplaced
from hetero.placement import Planner

ROOT = Path(__file__).parents[2]
HETERO = str(Path(sys.executable).with_name("hetero"))
MEMORY = {"K100_AI": 65520, "K100": 65520, "Z100L": 32752, "BW200": 81920}

EXPECTED = {
    "slice": [("K100_AI", 2000, 60)],
    "whole-cards": [("K100_AI", 65520, 100)] * 2,
    "compute-only": [("K100_AI", 65520, 30)],
    "memory-only": [("K100_AI", 4096, 100)],
    "chosen-model": [("K100_AI", 2000, 15)],
    "chosen-card": [("K100_AI", 2000, 15)],
    "two-containers": [("K100_AI", 8192, 25), ("K100_AI", 16384, 50)],
}


class Cluster:
    """One node with these cards, into which pods are thrown."""

    def __init__(self, *products: str) -> None:
        models = [hygon.splitting.model(product, MEMORY[product]) for product in products]
        names = ["DCU-TNK7A21", *(f"DCU-{index}" for index in range(1, len(models)))]
        self.devices = tuple(
            Device(uuid=name, index=index, model=model)
            for index, (name, model) in enumerate(zip(names, models, strict=True))
        )
        self.planner = Planner(Inventory(nodes=(Node(name="n", devices=self.devices),)), {"hygon": hygon})
        self._pods = 0

    def throw(self, manifest: dict[str, Any]) -> Placement | Unplaced:
        """The pod of a manifest."""
        return self.planner.place(pod_ask(next(iter(pods(manifest))), {"hygon": hygon}))

    def run(self, **amounts: int) -> Placement | Unplaced:
        """A pod of one container with ``num``, ``mem`` and ``cores``."""
        self._pods += 1
        limits = {f"hygon.com/dcu{name}": amount for name, amount in amounts.items()}
        container = {"name": "c", "image": "i", "resources": {"limits": limits}}
        metadata = {"name": f"p{self._pods}"}
        return self.throw(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
        )


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples/hygon").glob("*.yaml")))
def test_an_example_gets_what_its_comment_says(name: str) -> None:
    """On a node with two cards of one product; every manifest that people start from is expected here."""
    cluster = Cluster("K100_AI", "K100_AI")
    found = cluster.throw(yaml.safe_load((ROOT / f"examples/hygon/{name}.yaml").read_text()))
    assert isinstance(found, Placement), found
    models = {device.uuid: device.model.name for device in cluster.devices}
    shares = [share for container in found.containers for share in container.devices]
    assert [(models[one.device], one.share.memory, one.share.cores) for one in shares] == EXPECTED[name]


@pytest.mark.parametrize("product", sorted(MEMORY))
def test_four_fill_a_card(product: str) -> None:
    """Four quarters of memory and compute are the whole of each product, and the fifth waits, however small."""
    cluster = Cluster(product)
    for _ in range(4):
        assert isinstance(cluster.run(num=1, mem=MEMORY[product] // 4, cores=25), Placement)
    assert isinstance(cluster.run(num=1, mem=1, cores=1), Unplaced)


def test_units_that_rounding_takes_are_not_given_again() -> None:
    """Three times 33 percent are 81 of a BW200's 80 units; the reason names them."""
    cluster = Cluster("BW200")
    assert [isinstance(cluster.run(num=1, mem=1024, cores=33), Placement) for _ in range(2)] == [True, True]
    refused = cluster.run(num=1, mem=1024, cores=33)
    assert isinstance(refused, Unplaced)
    assert "compute-units" in str(refused)
    assert isinstance(cluster.run(num=1, mem=1024, cores=32), Placement)


any_pod = st.tuples(st.integers(1, 8), st.none() | st.integers(1, 90000), st.none() | st.integers(1, 100))


@settings(max_examples=40, deadline=None)
@given(st.lists(any_pod, max_size=30))
def test_nothing_is_given_twice(asked: list[tuple[int, int | None, int | None]]) -> None:
    """On a node of mixed products: in every dimension what pods hold is at most what a card has."""
    cluster = Cluster(*sorted(MEMORY), *sorted(MEMORY))
    held: dict[str, list[dict[str, int]]] = {}
    for count, memory, cores in asked:
        part = {name: amount for name, amount in (("mem", memory), ("cores", cores)) if amount is not None}
        found = cluster.run(num=1 if part else count, **part)
        if isinstance(found, Placement):
            for share in found.containers[0].devices:
                held.setdefault(share.device, []).append(share.share.quantities)
    for device in cluster.devices:
        for name, room in device.model.capacity.items():
            assert sum(one[name] for one in held.get(device.uuid, ())) <= room, (device.uuid, name)


@pytest.mark.native
def test_a_manifest_has_its_vdcu_while_it_runs() -> None:
    """Made when its program starts, as large as was asked, and gone when it has ended."""
    look = "cat $HETERO_HOST_ROOT_HYGON/etc/vdev/*.conf 2>/dev/null"
    inner = f"{HETERO} run -f examples/hygon/slice.yaml -- sh -c '{look}'; {look} || echo none"
    machine = "examples/machines/hygon-k100-x2.yaml"
    words = [HETERO, "sim", "run", "--machine", machine, "--", "sh", "-c", inner]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "cu_count: 72\nmem: 2000 MiB\n" in done.stdout
    assert done.stdout.endswith("enable: 1\nnone\n")
