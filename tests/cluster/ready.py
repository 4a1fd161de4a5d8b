"""What a cluster's nodes need beside the programs."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import binaries
from tests.cluster.images.build import build


def images(programs: Path) -> dict[str, Path]:
    """The archives of the nodes' images by name, made where there is a network and found where there is none.

    Raises:
        Lacking: Something that goes into one has not been built.
    """
    return build(binaries.cache().with_name("images"), programs)
