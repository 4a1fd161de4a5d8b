"""The shared libraries that programs of this machine need, so that they run in an image that has nothing else.

The dynamic loader itself is asked (``ldd``), so what is found is what it would load here.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.images.tree import Tree

COMPANIONS = ("libdl.so.2", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1")
"""What a C library consists of beside itself: every base image has them, and what is loaded later may ask for them."""

_FOUND = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)$")


def libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """Where each library has to be, as the loader looks for it, and the file that it is.

    A library that is not on this machine is left out: a driver's, which the node gives to its containers.
    """
    found: dict[str, Path] = {}
    for program in programs:
        for line in _ldd(program):
            if match := _FOUND.search(line):
                found[match[1]] = Path(match[1]).resolve()
    return found


def add(tree: Tree, programs: Iterable[Path], own: Path | None = None) -> None:
    """Put what programs need into an image: where they look for it, or else beside the C library.

    Args:
        tree: The image.
        programs: What runs in it.
        own: A folder whose libraries are in the image already, where their programs find them.
    """
    found = {path: file for path, file in libraries(programs).items() if not (own and file.is_relative_to(own))}
    common = [str(Path(path).parent) for path in found if path.endswith("/libc.so.6")]
    for name in COMPANIONS if common else ():
        if (Path(common[0]) / name).exists():
            found[f"{common[0]}/{name}"] = (Path(common[0]) / name).resolve()
    for path, file in found.items():
        known = path.startswith(("/lib", "/usr/lib"))  # without a list of its own, the loader looks there
        tree.file(path if known else f"{common[0]}/{Path(path).name}", file, 0o755)


def is_dynamic(file: Path) -> bool:
    """True for a 64-bit program or library that the loader may be asked about."""
    with file.open("rb") as content:
        return content.read(5) == b"\x7fELF\x02"


def _ldd(program: Path) -> list[str]:
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    return [] if done.returncode else [line.strip() for line in done.stdout.splitlines()]
