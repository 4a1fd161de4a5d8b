"""Control groups are made as a kubelet needs them, and nobody's are removed but those of runs that are over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.node import cgroups


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Two hierarchies of version 1, and one that is another's second name."""
    for name in ("cpuset", "memory"):
        (tmp_path / name).mkdir()
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-3\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    (tmp_path / "cpuacct").symlink_to("memory")
    return tmp_path


def _dead() -> str:
    """The group of a process that was."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return cgroups.name_of(process.pid, {})


def test_a_group_is_made_in_every_hierarchy(first: Path) -> None:
    """With all groups above it; a second time changes nothing."""
    for _ in range(2):
        cgroups.make("run/node", first)
    assert (first / "memory/run/node").is_dir()
    assert (first / "cpuset/run/node").is_dir()


def test_processors_are_handed_down(first: Path) -> None:
    """The kernel gives a new group none, and one that has some keeps them."""
    for place in (first / "cpuset/run", first / "cpuset/run/node"):
        place.mkdir()
        (place / "cpuset.cpus").write_text("\n")
        (place / "cpuset.mems").write_text("\n")
    (first / "cpuset/run/cpuset.cpus").write_text("1\n")
    cgroups.make("run/node", first)
    assert (first / "cpuset/run/cpuset.cpus").read_text() == "1\n"
    assert (first / "cpuset/run/node/cpuset.cpus").read_text() == "1\n"
    assert (first / "cpuset/run/node/cpuset.mems").read_text() == "0\n"


def test_controllers_are_handed_down(tmp_path: Path) -> None:
    """As version 2 wants it: a group's controllers are those that the one above it shares."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.subtree_control").touch()
    cgroups.make("run", tmp_path)
    assert cgroups.hierarchies(tmp_path) == [tmp_path]
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_a_group_goes_with_all_below_it(first: Path) -> None:
    """And no other; one that would not go is told."""
    cgroups.make("run/node/pod", first)
    cgroups.make("other", first)
    assert cgroups.remove("run", first) == []
    assert not (first / "memory/run").exists()
    assert (first / "memory/other").exists()
    (first / "memory/other/busy").touch()
    assert cgroups.remove("other", first, seconds=0) == [first / "memory/other"]


def test_what_dead_runs_left_is_swept_up(first: Path) -> None:
    """Those of this run and of anybody else stay: of programs that are no run, and of runs that cannot be seen here."""
    mine, dead, unseen = cgroups.name_of(os.getpid(), {}), _dead(), f"{cgroups.PREFIX}1-{os.getpid()}-1"
    for group in (mine, dead, unseen, "somebody-else"):
        cgroups.make(f"{group}/node", first)
    cgroups.sweep(first, {})
    assert {place.name for place in (first / "memory").iterdir()} == {mine, unseen, "somebody-else"}


def test_a_run_within_a_run_is_below_it(first: Path) -> None:
    """So that the outer one removes both, however the inner one ends; and the inner one sweeps no other's."""
    within = {cgroups.RUN: "outer"}
    inner, dead = cgroups.name_of(os.getpid(), within), _dead()
    assert inner.startswith(f"outer/{cgroups.PREFIX}")
    for group in (inner, dead, f"outer/{dead}"):
        cgroups.make(group, first)
    cgroups.sweep(first, within)
    assert {place.name for place in (first / "memory/outer").iterdir()} == {Path(inner).name}
    assert (first / "memory" / dead).exists()
