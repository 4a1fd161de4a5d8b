"""Control groups of a run: the only thing of a cluster that the kernel does not end with its namespaces.

Every run has one group in every hierarchy, named after the process that began it, and every node one below it. Who
began it removes them when it ends; what a killed one left, the next run sweeps up. A run within a run has its group
below that of the outer one, which removes both.

Seen with hierarchies of version 1; on a machine with version 2 alone nobody has tried it yet.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

RUN = "HETERO_CLUSTER_RUN"
"""Variable with the name of this run's group."""

PREFIX = "hetero-cluster-"
ROOT = Path("/sys/fs/cgroup")
SECONDS_TO_EMPTY = 20.0
"""Processes that were killed are gone from their groups soon, but not at once."""

_INHERITED = ("cpuset.cpus", "cpuset.mems")
_CONTROLLERS, _SUBTREE = "cgroup.controllers", "cgroup.subtree_control"


def name_of(pid: int, environment: Mapping[str, str] = os.environ) -> str:
    """The group of a run that ``pid`` began: with its start and where it counts, as process ids come again."""
    return str(Path(environment.get(RUN, ""), f"{PREFIX}{_space()}-{pid}-{_started(pid)}"))


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Where the kernel's hierarchies are mounted: several of version 1, or the only one of version 2."""
    if (root / _CONTROLLERS).exists():
        return [root]
    return [place for place in sorted(root.iterdir()) if place.is_dir() and not place.is_symlink()]


def make(group: str, root: Path = ROOT) -> None:
    """Make a group in every hierarchy, which may do what its parent may.

    One of version 1 begins without a processor, and one of version 2 without controllers for what is below it.
    """
    for hierarchy in hierarchies(root):
        place = hierarchy
        for part in Path(group).parts:
            _share(place)
            place /= part
            place.mkdir(exist_ok=True)
            for name in _INHERITED:
                if hierarchy != root and (place / name).exists() and not (place / name).read_text().strip():
                    (place / name).write_text((place.parent / name).read_text())


def remove(group: str, root: Path = ROOT, seconds: float = SECONDS_TO_EMPTY) -> list[Path]:
    """Remove a group and all below it, whose processes are gone or going; the groups that would not go."""
    deadline = time.monotonic() + seconds
    tops = [hierarchy / group for hierarchy in hierarchies(root)]
    while left := [top for top in tops if not _removed(top)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return []


def sweep(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> None:
    """Remove the groups of runs whose process is no more, as far as this process can tell."""
    within = environment.get(RUN, "")
    names = {place.name for top in hierarchies(root) for place in (top / within).glob(f"{PREFIX}{_space()}-*")}
    for name in names:
        pid, _, started = name.removeprefix(f"{PREFIX}{_space()}-").partition("-")
        if pid.isdigit() and _started(int(pid)) != started:
            remove(str(Path(within, name)), root, seconds=2)


def _share(place: Path) -> None:
    """Version 2: let groups below this one have its controllers. The machine's own may have them all already."""
    if (place / _SUBTREE).exists() and (names := (place / _CONTROLLERS).read_text().split()):
        with contextlib.suppress(OSError):
            (place / _SUBTREE).write_text(" ".join(f"+{name}" for name in names))


def _removed(top: Path) -> bool:
    for place in _deepest_first(top):
        with contextlib.suppress(OSError):
            place.rmdir()
    return not top.exists()


def _deepest_first(top: Path) -> Iterator[Path]:
    for place, _, _ in os.walk(top, topdown=False):
        yield Path(place)


def _space() -> str:
    """The process ids that this process sees: the number of their namespace."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; empty when there is none. From ``/proc/<pid>/stat``, proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
