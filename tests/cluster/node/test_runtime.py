"""What containerd is told, and what stands before runc."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cluster.images.compiled import FLAGS
from tests.cluster.node import runtime
from tests.cluster.node.chips import Chips
from tests.cluster.node.network import Place

TEXT = st.text(max_size=8)
LEAF = st.none() | st.booleans() | st.integers() | TEXT
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
FILTER = st.dictionaries(TEXT, VALUE, max_size=3).filter(lambda found: len(json.dumps(found)) > 3)


@pytest.fixture(scope="module")
def runc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, before one that does nothing."""
    directory = tmp_path_factory.mktemp("runc")
    source = Path(runtime.__file__).parent / "programs/runc.c"
    made = directory / "runc"
    subprocess.run(["cc", *FLAGS, '-DREAL="/bin/echo"', str(source), "-o", str(made)], check=True)
    return made


def _edited(runc: Path, text: str, directory: Path) -> str:
    """A container's configuration, after it was created."""
    place = directory / "config.json"
    place.write_text(text)
    words = ["--root", "/run/runc", "create", "--bundle", str(directory), "--pid-file", "pid", "name"]
    told = subprocess.run([runc, *words], capture_output=True, text=True, check=True)
    assert told.stdout.split() == words
    return place.read_text()


def _without(value: Any) -> Any:
    """The same without any filter, which is an object of more than two signs."""
    if isinstance(value, list):
        return [_without(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: None if key == "seccomp" and _long(one) else _without(one) for key, one in value.items()}


def _long(value: Any) -> bool:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) >= 4


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUE, FILTER, TEXT)
def test_a_container_is_created_without_a_filter(
    runc: Path, tmp_path: Path, other: Any, filtered: Any, name: str
) -> None:
    """All else stays as it was, whatever signs are in it."""
    document = {
        "process": other,
        name: "seccomp",
        "linux": {"a": other, "seccomp": filtered, "b": ['"seccomp":', name]},
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(_edited(runc, text, tmp_path)) == _without(json.loads(text))


def test_other_commands_are_passed_on_as_they_are(runc: Path) -> None:
    """Those without a bundle, with their exit code."""
    told = subprocess.run([runc, "state", "name"], capture_output=True, text=True, check=True)
    assert told.stdout == "state name\n"


def test_containerd_takes_cdi_and_needs_no_capability(tmp_path: Path) -> None:
    """The folders are those that the agent writes to; what this kernel does not let root do is not asked of it."""
    told = tomllib.loads(runtime.configuration())
    runtime_part = told["plugins"]["io.containerd.cri.v1.runtime"]
    assert told["version"] == 3
    assert runtime_part["enable_cdi"]
    assert "/var/run/cdi" in runtime_part["cdi_spec_dirs"]
    assert runtime_part["restrict_oom_score_adj"]
    assert runtime_part["containerd"]["runtimes"]["runc"]["base_runtime_spec"] == runtime.SPEC


def test_every_container_has_the_simulated_driver(tmp_path: Path) -> None:
    """Beside what containerd gives it; the PATH is the image's own."""
    ctr = tmp_path / "ctr"
    default = {"process": {"env": ["PATH=/bin", "A=1"]}, "mounts": [{"destination": "/proc"}]}
    ctr.write_text(f"#!/bin/sh\necho '{json.dumps(default)}'\n")
    ctr.chmod(0o755)
    made = json.loads(runtime.base(ctr, Chips(env={"SIM": "/opt/sim/x"}, libraries=("libx.so.1",))))
    assert made["process"]["env"] == ["A=1", "SIM=/opt/sim/x"]
    assert [one["destination"] for one in made["mounts"]] == ["/proc", "/opt/sim", "/usr/lib/libx.so.1"]
    assert "rw" in made["mounts"][1]["options"]
    assert "ro" in made["mounts"][2]["options"]
    assert json.loads(runtime.base(ctr, Chips()))["mounts"] == default["mounts"]


def test_pods_of_two_nodes_have_other_networks() -> None:
    """Which each node's bridge gives out, and nobody else."""
    one, other = (json.loads(runtime.network(Place(number))) for number in (1, 2))
    subnets = [made["plugins"][0]["ipam"]["ranges"][0][0]["subnet"] for made in (one, other)]
    assert subnets == ["10.88.1.0/24", "10.88.2.0/24"]
