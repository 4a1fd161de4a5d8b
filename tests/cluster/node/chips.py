"""Simulated chips of a node: its driver's files, device files and libraries, as installing a driver puts them there.

Every container of the node gets the simulated driver, as a vendor's container runtime gives its own on a real machine:
the libraries in a directory where every loader looks, the machine's state, and the variables that name it. A library
that was built for older machines too is taken in that build, so that containers with an old C library can load it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hetero import plugins
from hetero.cli.context import read_yaml
from hetero.cli.sim import machine_of
from hetero.model.machine import Machine
from hetero.vendor import Vendor

PORTABLE = Path(__file__).parents[3] / "build/portable/x86_64/sim"
VALUES = Path(__file__).parents[3] / "charts/hetero/values.yaml"
PLACE = Path("/opt/sim")
"""On the node and in its containers."""

LIBRARIES = Path("/usr/lib")
"""In containers: the loader looks there last of all, whatever else it is told."""

_NOT_FILES = frozenset({"dev", "proc", "sys", "run", "tmp"})
_SHARED = frozenset(
    {"etc", "opt", "var", "var/lib", "var/log", "lib", "lib64", "bin", "sbin", "usr"}
    | {f"{top}/{name}" for top in ("usr", "usr/local") for name in ("bin", "sbin", "lib", "lib64", "share", "local")}
)
"""Directories that every machine has; a driver's files are beside those of others in there."""


@dataclass(frozen=True)
class Chips:
    """What a node and its containers have of its chips, by their paths there.

    Attributes:
        env: Variables of every container.
        libraries: Names of the libraries, which lie in ``/opt/sim/lib``.
        mirrored: Directories with a plain file for each device file.
        placed: Files of the driver that people look for in fixed places.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    mirrored: tuple[str, ...] = ()
    placed: Mapping[str, str] = field(default_factory=dict)

    def mounts(self) -> list[dict[str, Any]]:
        """For a runtime's configuration; none where there are no chips."""
        if not self.env:
            return []
        state = _mount(PLACE, PLACE, "rw")
        return [state, *(_mount(PLACE / "lib" / name, LIBRARIES / name, "ro") for name in self.libraries)]


def install(description: Path | Mapping[str, Any] | None, opt: Path) -> Chips:
    """Make a node's chips.

    Args:
        description: A machine file, or what one says; None for a node without chips.
        opt: The node's ``/opt``.
    """
    if description is None:
        return Chips()
    machine, vendors = described(description)
    top = opt / PLACE.relative_to("/opt")
    (top / "lib").mkdir(parents=True, exist_ok=True)
    parts = [_install(machine, vendors[name], top) for name in dict.fromkeys(card.vendor for card in machine.cards)]
    return Chips(
        env={name: value for part in parts for name, value in part.env.items()},
        libraries=tuple(dict.fromkeys(name for part in parts for name in part.libraries)),
        mirrored=tuple(place for part in parts for place in part.mirrored),
        placed={source: target for part in parts for source, target in part.placed.items()},
    )


def described(description: Path | Mapping[str, Any]) -> tuple[Machine, Mapping[str, Vendor]]:
    """The machine of a file, or of what one says, and all vendors.

    Raises:
        InvalidConfiguration: It is none, or cannot be read.
    """
    vendors = plugins.load().vendors
    if isinstance(description, Path):
        return machine_of(read_yaml(description), description, vendors), vendors
    return machine_of(description, Path("machine.yaml"), vendors), vendors


def _install(machine: Machine, vendor: Vendor, top: Path) -> Chips:
    own = top / vendor.name
    own.mkdir(exist_ok=True)
    assert vendor.simulation is not None, f"{vendor.name} cannot be simulated"
    cards = tuple(card for card in machine.cards if card.vendor == vendor.name)
    edits = vendor.simulation.prepare(Machine(name=machine.name, cards=cards, drivers=machine.drivers), own)
    files = own / "root"
    _complete(vendor.name, files)
    return Chips(
        env={name: value.replace(str(top), str(PLACE)) for name, value in edits.env.items()},
        libraries=_copied(edits.library_path, top / "lib"),
        mirrored=(str(PLACE / vendor.name / "root/dev"),) if (files / "dev").is_dir() else (),
        placed={
            str(PLACE / path.relative_to(top)): f"/{path.relative_to(files)}"
            for path in _placed(files)
        },
    )  # fmt: skip


def _complete(vendor: str, files: Path) -> None:
    """Make what the chart expects of a node with this driver, and the simulation had no need of."""
    entry = yaml.safe_load(VALUES.read_text())["vendors"].get(vendor, {})
    for one in entry.get("hostPaths", []):
        told = one if isinstance(one, dict) else {"path": one}
        place = files / told["path"].lstrip("/")
        if told.get("type") == "File" and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(0o755)
        elif not place.exists():
            place.mkdir(parents=True)


def _placed(files: Path) -> list[Path]:
    """The driver's own directories and files: below those that every machine has, and not what a kernel shows."""
    found: list[Path] = []
    tops = [path for path in sorted(files.iterdir()) if path.name not in _NOT_FILES]
    while tops:
        path = tops.pop()
        if str(path.relative_to(files)) in _SHARED:
            tops += sorted(path.iterdir())
        else:
            found.append(path)
    return sorted(found)


def _copied(directories: Sequence[str], place: Path) -> tuple[str, ...]:
    """Copy the libraries; of one name the first counts, as it does for a loader."""
    names: dict[str, None] = {}
    for directory in directories:
        for library in sorted(Path(directory).glob("lib*.so*")):
            if library.name not in names:
                portable = PORTABLE / library.name
                shutil.copy2(portable if portable.exists() else library, place / library.name)
                names[library.name] = None
    return tuple(names)


def _mount(source: Path, destination: Path, mode: str) -> dict[str, Any]:
    options = ["rbind", "rprivate", mode]
    return {"type": "bind", "source": str(source), "destination": str(destination), "options": options}
