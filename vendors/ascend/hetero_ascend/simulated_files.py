"""The files of a simulated machine: device nodes, the kernel's view of the bus, what a driver's package installs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

_SHARED = ("dev/davinci_manager", "dev/devmm_svm", "dev/hisi_hdc", "dev/dvpp_cmdlist")
_SHARED_NEWEST = ("dev/hisi_hdc", "dev/uburma", "dev/ummu")
_DIRECTORIES = (
    "usr/local/Ascend/driver/lib64/common",
    "usr/local/Ascend/driver/lib64/driver",
    "usr/local/Ascend/driver/include",
    "usr/local/dcmi",
    "var/queue_schedule",
)

# What the driver's tool says, as far as it is asked: which templates there are.
_TOOL = """#!/bin/sh
# Simulated: the names of the templates alone.
for name in {names}; do echo "$name"; done
"""


def write_files(  # noqa: PLR0913 — the machine is told piece by piece
    root: Path, chips: Sequence[Mapping[str, object]], version: str, *, vir03: bool, soft: Path | None, newest: bool
) -> None:
    """Write the machine's files; those that are there already are written anew.

    Args:
        root: In place of ``/``.
        chips: The keys of each card.
        version: Of the driver.
        vir03: Whether the tool lists the template that not every driver has.
        soft: A library for hami-vnpu-core to be installed with; None where it is not.
        newest: Whether the chips are of the newest kind.
    """
    for directory in _DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for node in _SHARED_NEWEST if newest else _SHARED:
        _put(root / node, "")
    for chip in chips:
        _write_chip(root, chip)
    _write_nodes(root, {int(str(chip["numa"])) for chip in chips})
    _put(root / "usr/local/Ascend/driver/version.info", f"Version={version}\n")
    _put(root / "etc/ascend_install.info", "Driver_Install_Path_Param=/usr/local/Ascend\n")
    _write_tool(root / "usr/local/bin/npu-smi", chips, vir03=vir03)
    if soft:
        _write_soft(root / "usr/local", soft)


def _write_chip(root: Path, chip: Mapping[str, object]) -> None:
    _put(root / f"dev/davinci{chip['phy']}", "")
    bus = root / "sys/bus/pci/devices" / str(chip["bus"])
    _put(bus / "vendor", "0x19e5\n")
    _put(bus / "numa_node", f"{chip['numa']}\n")


def _write_nodes(root: Path, numbers: set[int]) -> None:
    for number in sorted(numbers):
        if number >= 0:
            cpus = f"{24 * number}-{24 * number + 23}\n"
            _put(root / f"sys/devices/system/node/node{number}/cpulist", cpus)


def _write_tool(path: Path, chips: Sequence[Mapping[str, object]], *, vir03: bool) -> None:
    names = {row.split("/")[0] for chip in chips for row in str(chip["templates"]).split()}
    if not vir03:
        names.discard("vir03_1c_8g")
    _put(path, _TOOL.format(names=" ".join(sorted(names))))
    path.chmod(0o755)


def _write_soft(place: Path, library: Path) -> None:
    for name in ("ld.so.preload", "limiter"):
        _put(place / "hami-vnpu-core" / name, "")
    shutil.copyfile(library, place / "hami-vnpu-core/libvnpu.so")
    (place / "hami-shared-region").mkdir(parents=True, exist_ok=True)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
