"""The stand-in for a base image with Python: the Python that runs the tests, and what it needs of this machine.

Real images start from any base that has Python; here nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
from importlib import metadata
from pathlib import Path

from images import finish
from tests.cluster.images import closure
from tests.cluster.images.tree import File, Folder, Link, Tree

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PROGRAM = f"/usr/local/bin/python{VERSION}"
LIBRARY = f"/usr/local/lib/python{VERSION}"
COMMANDS = ("cat", "env", "ls", "sh", "sleep", "true")
"""Of those that every base image has, the ones that a program or a person may miss."""

USERS = "root:x:0:0:root:/root:/bin/false\nhetero:x:65532:65532:hetero:/:/bin/false\n"
LEFT_OUT = {
    "__pycache__", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test", "tests",
    "tkinter", "turtledemo",
}  # fmt: skip


def base(made: Path) -> Tree:
    """Python and pip at ``/usr/local``, compiled, with the libraries of both; ``made`` keeps what was compiled."""
    tree = library()
    for file, path in installed(metadata.distribution("pip")):
        tree.file(f"{LIBRARY}/site-packages/{path}", file)
    tree = compiled(tree, made, LIBRARY)
    python = Path(sys.executable).resolve()
    tree.file(PROGRAM, python, 0o755)
    for name in ("python3", "python"):
        tree.add(f"/usr/local/bin/{name}", Link(Path(PROGRAM).name))
    commands = {name: Path(str(shutil.which(name))).resolve() for name in COMMANDS}
    for name, file in commands.items():
        tree.file(f"/usr/bin/{name}", file, 0o755)
    tree.add("/bin/sh", Link("/usr/bin/sh"))
    tree.file("/etc/passwd", USERS)
    tree.file("/etc/group", "root:x:0:\nhetero:x:65532:\n")
    tree.add("/tmp", Folder(0o1777))
    closure.add(tree, [python, *commands.values(), *dynamic(tree)])
    return tree


def library() -> Tree:
    """The standard library, without what needs a screen, a compiler or a network to install from."""
    tree = Tree()
    for source in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
        tree.copy(Path(source), LIBRARY, _wanted)
    return tree


def installed(package: metadata.Distribution) -> list[tuple[Path, str]]:
    """The files of an installed package and their paths beside other packages, programs and compiled files apart."""
    beside = [file for file in package.files or [] if ".." not in file.parts and "__pycache__" not in file.parts]
    return [(Path(str(file.locate())), str(file)) for file in beside]


def _wanted(inside: Path) -> bool:
    built_with = inside.parts[0].startswith("config-") or inside.suffix in (".a", ".pyc")
    return not built_with and not LEFT_OUT & set(inside.parts) and not inside.name.startswith("_tkinter")


def compiled(tree: Tree, made: Path, place: str) -> Tree:
    """The files of a tree that are at ``place``, as :mod:`images.finish` leaves them: compiled, and nothing unused.

    They lie in a folder of ``made`` by the digest of the tree, so what was compiled once is found again.
    """
    program = Path(str(finish.__file__)).read_bytes()
    kept = made / f"python-{hashlib.sha256(tree.digest().encode() + program).hexdigest()[:16]}"
    if not kept.exists():
        made.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made) as half:
            write(tree, place, Path(half, "tree"))
            if finish.main([f"{half}/tree"], place):
                raise RuntimeError(f"what goes to {place} could not be compiled")
            Path(half, "tree").rename(kept)
    os.utime(kept)
    found = Tree()
    found.copy(kept, place)
    return found


def write(tree: Tree, place: str, folder: Path) -> None:
    """Write the files of a tree that are at ``place`` into a folder."""
    for path, entry in tree.complete().items():
        if not Path(path).is_relative_to(place):
            continue
        target = folder / Path(path).relative_to(place)
        if isinstance(entry, Folder):
            target.mkdir(parents=True, exist_ok=True)
        elif isinstance(entry, Link):
            target.symlink_to(entry.target)
        else:
            with entry.open() as source, target.open("wb") as output:
                shutil.copyfileobj(source, output)
            target.chmod(entry.mode)


def dynamic(tree: Tree) -> list[Path]:
    """The extension modules and libraries of a tree."""
    files = [entry.content for entry in tree.entries.values() if isinstance(entry, File)]
    return [file for file in files if isinstance(file, Path) and ".so" in file.name and closure.is_dynamic(file)]
