"""What pods of the scenarios run: the programs that call drivers, and a box of commands for the rest.

The drivers themselves are not in the image: as on a real node, the node gives them to its containers.
"""

from __future__ import annotations

import platform
from pathlib import Path

from tests.cluster.images import closure
from tests.cluster.images.compiled import program
from tests.cluster.images.oci import Image
from tests.cluster.images.tree import Folder, Link, Tree

PORTABLE = Path(__file__).parents[3] / "build/portable" / platform.machine()
PROGRAMS = ("burn", "cardinfo", "fill", "hold", "race", "smi")
SEARCHED = "/usr/bin:/bin"
COMMANDS = ("bash", "cat", "env", "exit", "ls", "put", "sleep", "then")
ROOT = "root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n"


class Lacking(Exception):
    """Something that goes into an image has not been built; the message says what to do."""


def pause(compiled: Path) -> Image:
    """What holds a pod's namespaces: one static program."""
    tree = Tree()
    tree.file("/pause", program("pause", compiled), 0o755)
    return Image("hetero/pause:1", [tree], ["/pause"], user="65535:65535")


def workload(compiled: Path) -> Image:
    """Programs on this machine's C library."""
    ready = [_portable(f"bin/{name}") for name in PROGRAMS]
    base = surroundings(compiled)
    closure.add(base, [*ready, _portable("libvgpu.so"), *(PORTABLE / "sim").glob("**/lib*.so*")])
    return Image("hetero/workload:1", [base, programs()], command=["sleep"], env={"PATH": SEARCHED})


def surroundings(compiled: Path) -> Tree:
    """What every file system of a workload has: users, the box and its names, folders that programs expect."""
    tree = Tree()
    tree.file("/etc/passwd", ROOT)
    tree.file("/bin/box", program("box", compiled), 0o755)
    for name in COMMANDS:
        tree.add(f"/bin/{name}", Link("box"))
    tree.add("/tmp", Folder(0o1777))
    for folder in ("/dev", "/proc", "/sys", "/run", "/root", "/usr/local/lib"):
        tree.add(folder, Folder())
    return tree


def programs() -> Tree:
    """The programs that call drivers; they run on glibc 2.17 and newer."""
    tree = Tree()
    for name in PROGRAMS:
        tree.file(f"/usr/bin/{name}", _portable(f"bin/{name}"), 0o755)
    return tree


def _portable(name: str) -> Path:
    found = PORTABLE / name
    if not found.exists():
        raise Lacking(f"{found} is not there: make portable")
    return found
