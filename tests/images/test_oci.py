"""An archive is what engines read: each blob under its digest, the configuration naming the layers as they are."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.images import oci
from tests.cluster.images.oci import Image
from tests.cluster.images.tree import Tree


def tree(**files: str) -> Tree:
    """A layer of a few files."""
    made = Tree()
    for name, content in files.items():
        made.file(f"/{name}", content)
    return made


def read(archive: Path) -> dict[str, bytes]:
    """All files of an archive."""
    with tarfile.open(archive) as opened:
        found = {member.name: opened.extractfile(member) for member in opened.getmembers()}
        return {name: content.read() for name, content in found.items() if content}


def parts(archive: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """Manifest, configuration and blobs."""
    files = read(archive)
    (manifest,) = json.loads(files.pop("manifest.json"))
    return manifest, json.loads(files[manifest["Config"]]), files


@given(contents=st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_every_blob_is_under_its_digest(tmp_path_factory: pytest.TempPathFactory, contents: list[str]) -> None:
    """And the configuration names the layers by the digests of their uncompressed bytes, from the lowest up."""
    place = tmp_path_factory.mktemp("archives") / "image.tar"
    oci.write(Image("hetero/x:1", [tree(file=content) for content in contents]), place)
    manifest, configuration, blobs = parts(place)
    for name, content in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    named = [f"blobs/{digest.replace(':', '/')}" for digest in configuration["rootfs"]["diff_ids"]]
    assert named == manifest["Layers"]
    assert set(named) | {manifest["Config"]} == set(blobs)
    assert len(named) == len(contents) == len(configuration["history"])


def test_an_image_is_named_as_people_name_it(tmp_path: Path) -> None:
    """No host of a registry is in the archive."""
    oci.write(Image("hetero/x:1", [tree(a="a")]), tmp_path / "image.tar")
    manifest, _, _ = parts(tmp_path / "image.tar")
    assert manifest["RepoTags"] == ["hetero/x:1"]


def test_what_a_container_starts_with(tmp_path: Path) -> None:
    """In the words of the OCI image's configuration."""
    image = Image(
        "hetero/x:1", [tree(a="a")], ["/a", "b"], ["c"], {"B": "2", "A": "1"}, "65532:65532", "/work", {"of": "x"}
    )
    oci.write(image, tmp_path / "image.tar")
    _, configuration, _ = parts(tmp_path / "image.tar")
    assert configuration["config"] == {
        "Entrypoint": ["/a", "b"],
        "Cmd": ["c"],
        "Env": ["A=1", "B=2"],
        "User": "65532:65532",
        "WorkingDir": "/work",
        "Labels": {"of": "x"},
    }
    assert configuration["os"] == "linux"
    assert configuration["architecture"] == oci.ARCHITECTURES[os.uname().machine]


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whoever has an image by its digest has this one."""
    image = Image("hetero/x:1", [tree(a="a"), tree(b="b")], env={"A": "1"})
    for name in ("one", "other"):
        oci.write(image, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_an_archive_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """A file that vanishes meanwhile leaves nothing behind."""
    made = tree(a="a")
    made.file("/gone", tmp_path / "gone", 0o644)
    with pytest.raises(FileNotFoundError):
        oci.write(Image("hetero/x:1", [made]), tmp_path / "image.tar")
    assert list(tmp_path.iterdir()) == []


def test_the_key_tells_every_difference() -> None:
    """Name, layers and their order, and all that a container starts with."""
    image = Image("hetero/x:1", [tree(a="a"), tree(b="b")])
    others = [
        replace(image, name="hetero/x:2"),
        replace(image, layers=image.layers[:1]),
        replace(image, layers=[*reversed(image.layers)]),
        replace(image, entrypoint=["a"]),
        replace(image, command=["a"]),
        replace(image, env={"A": ""}),
        replace(image, user="1"),
        replace(image, folder="/a"),
        replace(image, labels={"A": ""}),
    ]
    assert len({one.key() for one in [image, *others]}) == len(others) + 1
    assert Image("hetero/x:1", [tree(a="a"), tree(b="b")]).key() == image.key()
