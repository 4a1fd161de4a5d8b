"""Nodes share the files of their images, and nothing that one of them changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.node.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One that holds a layer and containerd's tables."""
    made = Store(tmp_path / "no-programs", tmp_path / "store")
    for name, text in {
        "io.containerd.metadata.v1.bolt/meta.db": "table",
        "io.containerd.snapshotter.v1.overlayfs/metadata.db": "table",
        "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/data.db": "an image's own",
        "io.containerd.content.v1.content/blobs/sha256/abc": "layer",
    }.items():
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        (made.root / name).write_text(text)
    (made.root / "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs").chmod(0o700)
    return made


def test_a_nodes_images_are_other_names_of_the_same_files(store: Store, tmp_path: Path) -> None:
    """So that the second node takes no memory; directories are as the image has them."""
    store.give(tmp_path / "node/var/lib/containerd")
    layer = "io.containerd.content.v1.content/blobs/sha256/abc"
    data = "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/data.db"
    place = tmp_path / "node/var/lib/containerd"
    assert (place / layer).samefile(store.root / layer)
    assert (place / data).samefile(store.root / data)
    assert (place / data).parent.stat().st_mode & 0o777 == 0o700


def test_each_node_has_tables_of_its_own(store: Store, tmp_path: Path) -> None:
    """What one writes, no other reads."""
    for name in ("one", "other"):
        store.give(tmp_path / name)
    for table in ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"):
        (tmp_path / "one" / table).write_text("changed")
        assert (tmp_path / "other" / table).read_text() == (store.root / table).read_text() == "table"
