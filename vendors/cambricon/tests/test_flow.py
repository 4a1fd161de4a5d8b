"""Pods through all stages by the command line: where they land, and what a program finds on a simulated machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HETERO = Path(sysconfig.get_path("scripts"), "hetero")
EXAMPLES = Path(__file__).parents[3] / "examples"
CLUSTER = """
nodes:
  - {name: large, devices: [{vendor: cambricon, model: MLU590-M9, memory: 80675, count: 8}]}
  - {name: boards, devices: [{vendor: cambricon, model: MLU370-X8, memory: 24576, count: 4}]}
  - {name: old, devices: [{vendor: cambricon, model: MLU270-S4, memory: 16384, count: 2}]}
"""


def hetero(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """One command of a user, who has no configuration."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HETERO_")}
    command = [str(HETERO), *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A cluster of three kinds of MLUs."""
    file = tmp_path / "cluster.yaml"
    file.write_text(CLUSTER)
    return file


@pytest.mark.parametrize(
    ("manifest", "nodes"),
    [
        ("slice", {"large", "boards"}),
        ("whole", {"large", "boards", "old"}),
        ("slice-of-a-type", {"boards"}),
        ("choose-model", {"large", "boards"}),
        ("ring", {"large", "boards"}),
        ("two-containers", {"large", "boards"}),
    ],
)
def test_example_pods_land_where_they_should(manifest: str, nodes: set[str], cluster: Path) -> None:
    """Through admission and placement: on a node with the cards that they ask for."""
    answer = hetero("plan", "--output", "json", "-f", EXAMPLES / f"cambricon/{manifest}.yaml", "--cluster", cluster)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    document = json.loads(answer.stdout)
    assert document["unplaced"] == []
    placed = {one["node"] for one in document["placements"]}
    assert placed
    assert placed <= nodes


def test_a_pod_that_no_card_can_serve_is_told_why(cluster: Path, tmp_path: Path) -> None:
    """A ring of eight where only four are joined."""
    text = (EXAMPLES / "cambricon/ring.yaml").read_text().replace("vmlu: 4", "vmlu: 8")
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(text)
    small = tmp_path / "small.yaml"
    small.write_text("\n".join(line for line in CLUSTER.splitlines() if "large" not in line))
    answer = hetero("plan", "-f", manifest, "--cluster", small)
    assert answer.returncode == 3
    assert "asked 8 devices, the node has 4" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr


def test_a_program_has_its_slice_on_a_simulated_machine() -> None:
    """Its variables name the slices that were made for it, one on each of two cards."""
    machine = EXAMPLES / "machines/cambricon-mlu370-x8.yaml"
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    manifest = EXAMPLES / "cambricon/two-containers.yaml"
    run = ("run", "-f", manifest, "--container", "second", "--", sys.executable, "-c", program)
    answer = hetero("sim", "run", "--machine", machine, "--", HETERO, *run)
    assert answer.returncode == 0, answer.stderr
    slices = json.loads(answer.stdout)["VIRTUAL_DEVICES"].split(";")
    cards = sorted(one.split(",")[0] for one in slices)
    assert cards in (["/dev/cambricon_dev0", "/dev/cambricon_dev1"], ["/dev/cambricon_dev2", "/dev/cambricon_dev3"])
    assert all(one.split(",")[2].startswith("/dev/cambricon-caps/cap_dev") for one in slices)


def test_a_fault_of_one_card_is_seen_by_doctor(tmp_path: Path) -> None:
    """The card is marked, with the reason; the command says that all is not well."""
    machine, state = EXAMPLES / "machines/cambricon-mlu370-x8.yaml", tmp_path / "state"
    join = ("sim", "run", "--machine", machine, "--state", state, "--", HETERO)
    assert hetero(*join, "devices").returncode == 0
    (state / "cambricon/faults").write_text("cndevGetMemoryUsageV2 1 garbage\n")
    answer = hetero(*join, "doctor")
    assert answer.returncode != 0
    assert "it told -1 as memory in MB" in " ".join(answer.stdout.split())
