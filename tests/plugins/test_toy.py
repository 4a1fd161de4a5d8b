"""A third party's vendor, installed as its own distribution: found, used and heard with no change of the core."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "build/plugins"

Hetero = Callable[..., CompletedProcess[str]]


def test_what_is_installed_is_what_is_here() -> None:
    """The tests are about the package as it is now; ``make build`` installs it again."""
    source = ROOT / "tests/plugins/hetero-toy/hetero_toy"
    for file in source.glob("*.py"):
        assert (INSTALLED / "hetero_toy" / file.name).read_text() == file.read_text(), file.name


def test_it_stands_beside_the_others(hetero: Hetero) -> None:
    """Without its path it is not there; with it, it is one of the vendors."""
    without = json.loads(hetero("vendors", "--output", "json").stdout)["vendors"]
    beside = json.loads(hetero("vendors", "--output", "json", path=(INSTALLED,)).stdout)["vendors"]
    assert [one["name"] for one in beside] == sorted([*(one["name"] for one in without), "toy"])
    [toy] = [one for one in beside if one["name"] == "toy"]
    assert toy["package"] == "hetero-toy 1.0"
    assert "TOY_DEVICES" in toy["driver_problem"]


def test_its_pods_are_placed(hetero: Hetero, tmp_path: Path) -> None:
    """A manifest with its resources goes to its devices, rounded as its splitting says."""
    manifest = tmp_path / "pod.json"
    limits = {"toy.example/widget": 2, "toy.example/widget-memory": 1000}
    container = {"name": "main", "image": "widgets:1", "resources": {"limits": limits}}
    manifest.write_text(
        json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "w"}, "spec": {"containers": [container]}})
    )
    cluster = str(ROOT / "examples/clusters/mixed.yaml")
    answer = hetero("plan", "-f", str(manifest), "--cluster", cluster, "--output", "json", path=(INSTALLED,))
    assert answer.returncode == 0, answer.stderr
    [placement] = json.loads(answer.stdout)["placements"]
    assert placement["node"] == "widgets"
    assert [one["memory_mib"] for one in placement["devices"]] == [1024, 1024]


def test_its_command_is_one_of_hetero(hetero: Hetero) -> None:
    """``hetero toy`` is there, and refuses as ours do: one line, no traceback."""
    assert "toy" in hetero("--help", path=(INSTALLED,)).stdout
    answer = hetero("toy", path=(INSTALLED,))
    assert answer.returncode == 1
    assert answer.stderr == "hetero: libtoy.json was not found: name a file of widgets in TOY_DEVICES\n"


def test_its_slices_run(hetero: Hetero, tmp_path: Path) -> None:
    """A command runs with the variables that its enforcement gives, on a machine with one widget."""
    widgets = tmp_path / "widgets.json"
    widgets.write_text(json.dumps([{"uuid": "widget-7"}]))
    answer = hetero("run", "--memory", "300m", "--", "env", path=(INSTALLED,), TOY_DEVICES=str(widgets))
    assert answer.returncode == 0, answer.stderr
    assert "TOY_VISIBLE_DEVICES=widget-7" in answer.stdout.splitlines()
    assert "TOY_MEMORY_MIB=512" in answer.stdout.splitlines()
