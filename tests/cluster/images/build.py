"""The images of the test cluster, as archives that a node's containerd imports; what is there already is kept.

An archive's name carries a key of everything in it, so a second run only reads what would go in. What nobody has used
for two weeks is removed, and old archives of an image as new ones come.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.images import kubernetes, oci, old, packaged, pythons, workload
from tests.cluster.images.oci import Image
from tests.native import older

UNUSED = 14 * 86400.0
"""Seconds after which an archive that no run asked for is removed."""

KEPT = 3
"""Archives of an image that are kept beside each other; each change of the code makes one."""


def build(place: Path, binaries: Path) -> dict[str, Path]:
    """Make the images of the test cluster.

    Args:
        place: Where archives and what they are made of are kept.
        binaries: The directory that has the programs of Kubernetes.

    What has to be fetched from outside is fetched once: the first call is made where there is a network.

    Returns:
        Each image's name, with its tag, to its archive.

    Raises:
        Lacking: Something that goes into one has not been built; the message says what to do.
    """
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        made = {image.name: archive(image, place) for image in images(place / "made", binaries)}
        _forget(place)
    return made


def images(made: Path, binaries: Path) -> list[Image]:
    """All of them, unwritten; what has to be compiled for one goes to ``made``."""
    base = pythons.base(made)
    return [
        workload.pause(made),
        workload.workload(made),
        *older_workload(made),
        kubernetes.scheduler(binaries),
        *(packaged.image(name, made, base) for name in packaged.NAMES),
    ]


def older_workload(made: Path) -> list[Image]:
    """The workload on an older C library, or nothing where there is none to be had, which is said."""
    try:
        return [old.image(made)]
    except older.Unavailable as reason:
        print(f"no image hetero/workload:old: {reason}")
        return []


def archive(image: Image, place: Path) -> Path:
    """The archive of an image, written if it is not there."""
    name = image.name.replace("/", "-").replace(":", "-")
    found = place / f"{name}-{image.key()}.tar"
    if not found.exists():
        oci.write(image, found)
    os.utime(found)
    return found


def _forget(place: Path) -> None:
    """Remove what has not been used for long, and all but the latest archives of each image."""
    archives = sorted(place.glob("*.tar"), key=lambda file: file.stat().st_mtime)
    newer: Counter[str] = Counter()
    for found in (*reversed(archives), *place.glob("made/*")):
        image = found.name.rpartition("-")[0]
        newer[image] += found.suffix == ".tar"
        if time.time() - found.stat().st_mtime > UNUSED or newer[image] > KEPT:
            _remove(found)


def _remove(found: Path) -> None:
    if found.is_dir():
        shutil.rmtree(found)
    else:
        found.unlink()


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One builder at a time: the second waits, and finds what the first made."""
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
