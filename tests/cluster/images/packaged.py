"""The images of hetero itself, as their Containerfiles say, without an engine and without a network.

What the Containerfiles fetch is taken from the environment that runs the tests, in the versions of the same lock; what
they build is the tree's own; how a container starts is read from them. The same two programs pick the packages and
finish them (``images/locked.py``, ``images/finish.py``). Only the base is another: :mod:`pythons`.
"""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from images import finish, locked
from tests.cluster.images import closure, containerfile, pythons
from tests.cluster.images.oci import Image
from tests.cluster.images.tree import Tree
from tests.cluster.images.workload import PORTABLE, Lacking

ROOT = Path(__file__).parents[3]
NAMES = ("agent", "scheduler")
PATH = "/usr/local/bin:/usr/bin:/bin"
SCRIPT = f"#!{pythons.PROGRAM}\nfrom hetero.cli.main import main\n\nmain()\n"


def image(name: str, made: Path, base: Tree) -> Image:
    """The image of ``images/NAME.Containerfile`` on a base."""
    stage = containerfile.read(ROOT / f"images/{name}.Containerfile").image
    dependencies = pythons.compiled(fetched(name), made, finish.PLACE)
    closure.add(dependencies, pythons.dynamic(dependencies), own=made)
    return Image(
        f"hetero/{name}:{version()}",
        [base, dependencies, pythons.compiled(own(), made, finish.PLACE)],
        stage.entrypoint,
        stage.command,
        {key: value.replace("$PATH", PATH) for key, value in stage.env.items()},
        stage.user,
        labels=stage.labels,
    )


def version() -> str:
    """That of hetero, which its images have as their tag."""
    found: str = project(ROOT)["project"]["version"]
    return found


def project(folder: Path) -> dict[str, Any]:
    """A folder's pyproject.toml."""
    return tomllib.loads((folder / "pyproject.toml").read_text())


def fetched(name: str) -> Tree:
    """The packages of ``images/NAME.txt``.

    Raises:
        Lacking: One is not installed here in the version of the lock.
    """
    tree = Tree()
    for each in locked.names((ROOT / f"images/{name}.txt").read_text()):
        for file, path in files(each):
            tree.file(f"{finish.PLACE}/{path}", file)
    return tree


def files(name: str) -> list[tuple[Path, str]]:
    """The files of an installed package, and their paths beside one another."""
    pinned = [entry.split()[0].split("==")[1] for entry in locked.pins(locked.LOCK.read_text())[name]]
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise Lacking(f"{name} is not installed: make build") from None
    if found.version not in pinned:
        raise Lacking(f"{name} {found.version} is installed, and the lock has {' or '.join(pinned)}: make build")
    return pythons.installed(found)


def own() -> Tree:
    """hetero, its vendors and its native part, as their wheels would be installed."""
    tree = Tree()
    for folder in (ROOT, *sorted(path.parent for path in ROOT.glob("vendors/*/pyproject.toml"))):
        described = project(folder)
        for package in described["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
            tree.copy(folder / package, f"{finish.PLACE}/{package}", _source)
        _describe(tree, described["project"])
    tree.copy(ROOT / "native/python/hetero_native", f"{finish.PLACE}/hetero_native", _source)
    tree.file(f"{finish.PLACE}/hetero_native/lib/libvgpu.so", _library(), 0o755)
    _describe(tree, project(ROOT / "native")["project"])
    tree.file(f"{finish.PLACE}/bin/hetero", SCRIPT, 0o755)
    return tree


def _source(file: Path) -> bool:
    return file.name != "__pycache__"


def _library() -> Path:
    found = PORTABLE / "libvgpu.so"
    if not found.exists():
        raise Lacking(f"{found} is not there: make portable")
    return found


def _describe(tree: Tree, described: dict[str, Any]) -> None:
    """What Python knows of an installed package: its name and version, and what it offers to others."""
    folder = f"{finish.PLACE}/{described['name'].replace('-', '_')}-{described['version']}.dist-info"
    told = f"Metadata-Version: 2.1\nName: {described['name']}\nVersion: {described['version']}\n"
    tree.file(f"{folder}/METADATA", told)
    offered = described.get("entry-points", {})
    lines = [line for group, names in offered.items() for line in (f"[{group}]", *_named(names))]
    tree.file(f"{folder}/entry_points.txt", "\n".join(lines) + "\n")


def _named(names: dict[str, str]) -> list[str]:
    return [f"{name} = {place}" for name, place in names.items()]
