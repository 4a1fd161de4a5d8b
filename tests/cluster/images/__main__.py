"""`make images`: the archives of hetero's own images, to load into a container engine or a node's containerd."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cluster.images import build, packaged, pythons
from tests.cluster.images.workload import Lacking


def main(place: Path) -> int:
    """Write the archives of the agent and the scheduler; exit code 1 when something for them has not been built."""
    place.mkdir(parents=True, exist_ok=True)
    try:
        base = pythons.base(place / "made")
        for name in packaged.NAMES:
            image = packaged.image(name, place / "made", base)
            print(f"{image.name}\t{build.archive(image, place)}")
    except Lacking as lacking:
        print(lacking, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
