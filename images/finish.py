"""The last step before packages go into an image: what never runs there is left out, and the rest is compiled.

    python3 images/finish.py /packages ...

Compiled files are kept in step by nothing but this step (``unchecked-hash``): an image does not change, its root file
system is read-only, and layers forget times. Needs Python's standard library alone.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import py_compile
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

PLACE = "/opt/hetero"
"""Where the packages will be, for the paths in tracebacks."""

LEFT_OUT = (
    "**/__pycache__",
    "**/tests",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/include",
    # Programs of the dependencies; ours is the one that stays.
    "bin/*",
    # The client's other half, for asyncio, which we do not use.
    "kubernetes/aio",
)
KEPT = ("bin/hetero",)


def leave_out(folder: Path) -> None:
    """Remove what never runs in a container."""
    kept = {folder / name for name in KEPT}
    for pattern in LEFT_OUT:
        for found in sorted(folder.glob(pattern)):
            if found.is_dir():
                shutil.rmtree(found)
            elif found not in kept and found.exists():
                found.unlink()


def compiled(folder: Path, place: str = PLACE) -> bool:
    """Compile all modules; False when one could not be."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    with _beside_their_source():
        return bool(
            compileall.compile_dir(
                folder, quiet=1, workers=0, invalidation_mode=mode, stripdir=str(folder), prependdir=place
            )
        )


@contextlib.contextmanager
def _beside_their_source() -> Iterator[None]:
    """Compiled files go into the image, wherever those of whoever calls this go (``PYTHONPYCACHEPREFIX``)."""
    prefix, sys.pycache_prefix = sys.pycache_prefix, None
    variable = os.environ.pop("PYTHONPYCACHEPREFIX", None)  # read by the processes that compile
    try:
        yield
    finally:
        sys.pycache_prefix = prefix
        if variable is not None:
            os.environ["PYTHONPYCACHEPREFIX"] = variable


def main(folders: list[str], place: str = PLACE) -> int:
    """Finish folders of packages."""
    for folder in map(Path, folders):
        leave_out(folder)
        if not compiled(folder, place):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
