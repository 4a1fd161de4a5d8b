"""A node's chips are where programs look for them, for every machine that people can start from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hetero.errors import InvalidConfiguration
from tests.cluster.node import chips, root

EXAMPLES = sorted((Path(__file__).parents[3] / "examples/machines").glob("*.yaml"))


@pytest.mark.parametrize("machine", EXAMPLES, ids=lambda path: path.stem)
def test_every_machine_can_be_a_node(machine: Path, tmp_path: Path) -> None:
    """Variables name places on the node, libraries are there, and no file says where it was made."""
    made = chips.install(machine, tmp_path)
    assert all(value.startswith("/opt/sim/") for value in made.env.values())
    assert all((tmp_path / value.removeprefix("/opt/")).exists() for value in made.env.values())
    assert made.libraries
    assert all((tmp_path / "sim/lib" / name).is_file() for name in made.libraries)
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "lib" not in path.parts]
    assert not any(str(tmp_path).encode() in text for text in texts)


@pytest.mark.parametrize("machine", EXAMPLES, ids=lambda path: path.stem)
def test_a_drivers_files_hide_no_others(machine: Path, tmp_path: Path) -> None:
    """They are put beside what the machine has; a directory that others use too is never replaced."""
    made = chips.install(machine, tmp_path)
    assert all((tmp_path / source.removeprefix("/opt/")).exists() for source in made.placed)
    assert not [target for target in made.placed.values() if target.count("/") == 1]
    assert not {f"/{name}" for name in root.OWN} & {*made.placed.values()}
    assert not {"/usr/local", "/usr/local/bin", "/usr/lib", "/var/lib", "/etc"} & {*made.placed.values()}


def test_what_the_chart_mounts_from_a_node_is_there(tmp_path: Path) -> None:
    """A real driver brings it, and an agent that is to mount it would not start without."""
    vendors = yaml.safe_load(chips.VALUES.read_text())["vendors"]
    seen = set()
    for machine in EXAMPLES:
        made = chips.install(machine, tmp_path / machine.stem)
        for vendor in {place.split("/")[3] for place in made.env.values()}:
            wanted = [one if isinstance(one, dict) else {"path": one} for one in vendors[vendor]["hostPaths"]]
            for one in wanted:
                place = tmp_path / machine.stem / "sim" / vendor / "root" / one["path"].lstrip("/")
                assert place.is_file() if one.get("type") == "File" else place.is_dir()
                assert any(f"{one['path']}/".startswith(f"{target}/") for target in made.placed.values())
                seen.add(one["path"])
    assert seen


def test_machines_of_two_vendors_have_both(tmp_path: Path) -> None:
    """Each with its own variables and libraries."""
    made = chips.install(next(path for path in EXAMPLES if path.stem == "two-vendors"), tmp_path)
    assert {"libcuda.so.1", "libcndev.so"} <= {*made.libraries}
    assert made.mirrored == ("/opt/sim/nvidia/root/dev", "/opt/sim/cambricon/root/dev")


def test_a_library_for_older_machines_is_taken_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that containers with an old C library can load it; others have no such build."""
    portable = tmp_path / "portable"
    portable.mkdir()
    (portable / "libcuda.so.1").write_text("older")
    monkeypatch.setattr(chips, "PORTABLE", portable)
    chips.install({"cards": [{"vendor": "nvidia", "model": "NVIDIA L4", "memory": 1024}]}, tmp_path)
    assert (tmp_path / "sim/lib/libcuda.so.1").read_text() == "older"
    assert (tmp_path / "sim/lib/libnvidia-ml.so.1").read_bytes()[:4] == b"\x7fELF"


def test_a_node_may_have_no_chips(tmp_path: Path) -> None:
    """Then its containers are given nothing."""
    made = chips.install(None, tmp_path)
    assert made == chips.Chips()
    assert made.mounts() == []


def test_a_machine_that_is_wrong_is_refused_as_ever(tmp_path: Path) -> None:
    """With the sentence of the command that takes such files."""
    with pytest.raises(InvalidConfiguration, match="vendor"):
        chips.install({"cards": [{"vendor": "nobody"}]}, tmp_path)
