"""A layer holds what its table says, and nothing of when and where it was made."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.images.tree import File, Folder, Link, Tree, normal

NAMES = st.text(st.sampled_from("abäZ-_. "), min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
ENTRIES = st.one_of(
    st.builds(File, st.binary(max_size=600), st.sampled_from([0o644, 0o755, 0o444])),
    st.builds(Link, PATHS),
    st.builds(Folder, st.sampled_from([0o755, 0o1777])),
)


def layer(tree: Tree) -> bytes:
    """The bytes of a layer."""
    output = io.BytesIO()
    tree.write(output)
    return output.getvalue()


def members(tree: Tree) -> list[tarfile.TarInfo]:
    """What a reader of the layer finds."""
    with tarfile.open(fileobj=io.BytesIO(layer(tree))) as archive:
        return archive.getmembers()


@given(st.dictionaries(PATHS, ENTRIES, max_size=6))
def test_a_reader_finds_what_the_table_says(entries: dict[str, File | Link | Folder]) -> None:
    """Every content, permission and target; each folder before what is in it, and once."""
    tree = Tree()
    for path, entry in entries.items():
        tree.add(path, entry)
    with tarfile.open(fileobj=io.BytesIO(layer(tree))) as archive:
        found = {f"/{member.name}": member for member in archive.getmembers()}
        assert len(found) == len(archive.getmembers())
        assert list(found) == sorted(found)
        for path, entry in tree.entries.items():
            if isinstance(entry, File):
                content = archive.extractfile(found[path])
                assert content is not None
                assert content.read() == entry.content
                assert found[path].mode == entry.mode
            elif isinstance(entry, Link):
                assert found[path].linkname == entry.target
            else:
                assert found[path].isdir()
                assert found[path].mode == entry.mode
    above = {str(parent) for path in found for parent in Path(path).parents} - {"/"}
    assert above <= set(found)


@given(st.dictionaries(PATHS, ENTRIES, max_size=6))
def test_equal_tables_give_equal_bytes(entries: dict[str, File | Link | Folder]) -> None:
    """In whatever order they were filled; the digest is equal as well."""
    one, other = Tree(), Tree()
    for path, entry in entries.items():
        one.add(path, entry)
    for path, entry in reversed(one.entries.items()):
        other.add(path, entry)
    assert layer(one) == layer(other)
    assert one.digest() == other.digest()


def test_nothing_tells_when_and_by_whom_it_was_made(tmp_path: Path) -> None:
    """No time, and root as the owner, by number."""
    (tmp_path / "file").write_text("x")
    tree = Tree()
    tree.copy(tmp_path, "/opt")
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members(tree)} == {(0, 0, 0, "")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (File(b"a", 0o644), File(b"b", 0o644)),
        (File(b"a", 0o644), File(b"a", 0o755)),
        (Link("a"), Link("b")),
        (Folder(), Folder(0o1777)),
        (File(b"", 0o755), Folder(0o755)),
    ],
)
def test_the_digest_tells_every_difference(one: File | Link | Folder, other: File | Link | Folder) -> None:
    """Content, permission, target, kind: an image that is kept is the image that was asked for."""
    digests = set()
    for entry in (one, other):
        tree = Tree()
        tree.add("/x", entry)
        digests.add(tree.digest())
    assert len(digests) == 2


def test_a_copied_folder_keeps_links_and_programs_and_leaves_out_what_is_unwanted(tmp_path: Path) -> None:
    """A folder that is left out is not entered."""
    for name in ("keep/program", "keep/data", "leave/data"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "keep/program").chmod(0o700)
    (tmp_path / "keep/link").symlink_to("data")
    os.mkfifo(tmp_path / "leave/pipe")
    tree = Tree()
    tree.copy(tmp_path, "/opt", lambda file: file.parts[0] != "leave")
    assert tree.complete() == {
        "/opt": Folder(),
        "/opt/keep": Folder(),
        "/opt/keep/data": File(tmp_path / "keep/data", 0o644),
        "/opt/keep/link": Link("data"),
        "/opt/keep/program": File(tmp_path / "keep/program", 0o755),
    }


@pytest.mark.parametrize("path", ["usr/bin", "/usr/../bin", ""])
def test_a_path_stays_inside(path: str) -> None:
    """A layer cannot write beside its image."""
    with pytest.raises(ValueError, match="is no path of an image"):
        normal(path)


def test_a_path_has_one_spelling() -> None:
    """So that a later entry replaces an earlier one."""
    tree = Tree()
    tree.file("/usr//bin/./x", "old")
    tree.file("/usr/bin/x/", "new")
    assert tree.entries == {"/usr/bin/x": File(b"new", 0o644)}
