"""The small static programs of the images, compiled once for each change of their source."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
FLAGS = ("-static", "-O2", "-s", "-Wall", "-Wextra", "-Werror")


def program(name: str, place: Path, programs: Path = PROGRAMS) -> Path:
    """The program of ``programs/NAME.c``, compiled into ``place`` if it is not there."""
    source = programs / f"{name}.c"
    key = hashlib.sha256(source.read_bytes() + repr(FLAGS).encode()).hexdigest()[:16]
    made = place / f"{name}-{key}"
    if not made.exists():
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as directory:
            half = Path(directory) / name
            subprocess.run(["cc", *FLAGS, str(source), "-o", str(half)], check=True)
            half.replace(made)
    os.utime(made)
    return made
