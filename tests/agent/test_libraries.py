"""Copies of libraries: by content, whole, and gone when nobody uses them."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest

from hetero.agent.libraries import DIGITS, Libraries
from hetero.errors import EnforcementError


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of the agent's image."""
    path = tmp_path / "image/libx.so"
    path.parent.mkdir()
    path.write_bytes(b"first release")
    return path


@pytest.fixture
def libraries(tmp_path: Path) -> Libraries:
    """The machine's copies."""
    return Libraries(tmp_path / "lib")


def test_a_copy_goes_by_its_content(libraries: Libraries, library: Path) -> None:
    """Readable and executable by all, writable by none, in a directory named after its SHA-256."""
    with libraries.held():
        [copy] = map(Path, libraries.copies([str(library)]).values())
    assert copy.parent.name == hashlib.sha256(b"first release").hexdigest()[:DIGITS]
    assert (copy.name, copy.read_bytes(), copy.stat().st_mode & 0o777) == ("libx.so", b"first release", 0o555)


def test_the_same_content_is_copied_once(libraries: Libraries, library: Path) -> None:
    """A container may have it mapped: it is not written again."""
    with libraries.held():
        first = Path(libraries.copies([str(library)])[str(library)]).stat()
        again = Path(Libraries(libraries.directory).copies([str(library)])[str(library)]).stat()
    assert (first.st_ino, first.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)


def test_a_new_release_stands_beside_the_old_one(libraries: Libraries, library: Path) -> None:
    """Running containers keep what they have mounted."""
    with libraries.held():
        old = Path(libraries.copies([str(library)])[str(library)])
        library.write_bytes(b"second release")
        new = Path(libraries.copies([str(library)])[str(library)])
    assert old != new
    assert (old.read_bytes(), new.read_bytes()) == (b"first release", b"second release")


def test_a_copy_that_was_cut_short_is_made_again(libraries: Libraries, library: Path) -> None:
    """A machine that lost power while it wrote leaves anything."""
    with libraries.held():
        copy = Path(libraries.copies([str(library)])[str(library)])
        copy.unlink()
        copy.write_bytes(b"fir")
        [again] = Libraries(libraries.directory).copies([str(library)]).values()
    assert Path(again).read_bytes() == b"first release"


def test_a_copy_that_only_looks_whole_is_made_again(libraries: Libraries, library: Path) -> None:
    """Of its length, and full of zeros: the loader would go on without it, and the program without limits."""
    with libraries.held():
        copy = Path(libraries.copies([str(library)])[str(library)])
        copy.unlink()
        copy.write_bytes(bytes(len(b"first release")))
        [again] = Libraries(libraries.directory).copies([str(library)]).values()
    assert Path(again).read_bytes() == b"first release"


def test_a_full_disk_is_told_and_keeps_no_half_copy(
    libraries: Libraries, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubelet asks again every few seconds: each time one more half would be left."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(3):
        with pytest.raises(EnforcementError, match="No space left"), libraries.held():
            libraries.copies([str(library)])
    assert [path for path in libraries.directory.rglob("*") if path.name.startswith(".libx")] == []
    monkeypatch.undo()
    with libraries.held():
        assert Path(libraries.copies([str(library)])[str(library)]).exists()


def test_a_copy_that_somebody_removed_is_made_again(libraries: Libraries, library: Path) -> None:
    """What this process remembers is looked at before it is believed."""
    with libraries.held():
        copy = Path(libraries.copies([str(library)])[str(library)])
        copy.unlink()
        libraries.copies([str(library)])
    assert copy.exists()


def test_what_is_preloaded_is_a_file_as_well(libraries: Libraries) -> None:
    """Equal texts are one file."""
    with libraries.held():
        first, again, other = (libraries.text(text) for text in ("/a\n", "/a\n", "/b\n"))
    assert first == again != other
    assert (first.name, first.read_text(), first.stat().st_mode & 0o777) == ("ld.so.preload", "/a\n", 0o444)


def test_copies_in_no_use_go(libraries: Libraries, library: Path) -> None:
    """And those in use stay."""
    with libraries.held():
        old = libraries.copies([str(library)])[str(library)]
        library.write_bytes(b"second release")
        new = libraries.copies([str(library)])[str(library)]
        assert libraries.sweep([new]) == [Path(old).parent.name]
    assert (Path(old).exists(), Path(new).exists()) == (False, True)


def test_nobody_sweeps_while_a_copy_is_not_yet_noted(libraries: Libraries, library: Path) -> None:
    """An agent of another image waits for the lock, and then finds who uses the copy."""
    swept = threading.Event()

    def sweep() -> None:
        other = Libraries(libraries.directory)
        with other.held():
            other.sweep(noted)
        swept.set()

    noted: list[str] = []
    with libraries.held():
        thread = threading.Thread(target=sweep)
        thread.start()
        noted += libraries.copies([str(library)]).values()
        assert not swept.is_set()
    thread.join(120)
    assert swept.is_set()
    assert Path(noted[0]).exists()


def test_a_library_that_is_not_there_is_told(libraries: Libraries, tmp_path: Path) -> None:
    """The path is in the sentence."""
    with pytest.raises(EnforcementError, match=r"gone\.so: libraries cannot be kept"), libraries.held():
        libraries.copies([str(tmp_path / "gone.so")])


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "lib").write_text("")
    with pytest.raises(EnforcementError, match="libraries cannot be kept"), Libraries(tmp_path / "lib").held():
        pass
