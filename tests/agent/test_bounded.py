"""A region that is held can be cut, whatever the programs do that may write it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from growing import FAR, GROW, lengthen, make, set_aside, taken
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.agent.bounded import Bounded
from hetero.enforcement.layout import SIZE


def cut(path: Path) -> int:
    """Hold a region, and look at it once."""
    region = Bounded(str(path))
    region.hold()
    try:
        return region.cut()
    finally:
        region.close()


@pytest.mark.parametrize("grow", GROW, ids=lambda one: one.__name__)
def test_a_region_that_grew_is_cut_and_what_it_says_stays(shared: Path, grow: Callable[[Path], None]) -> None:
    """All that it took behind its end is given back; what is in it is its programs' account."""
    path = make(shared / "region")
    grow(path)
    assert taken(path) >= FAR
    assert cut(path) >= FAR
    assert path.stat().st_size == SIZE
    assert taken(path) <= SIZE
    assert path.read_bytes()[:4] == b"head"
    assert cut(path) == 0


@given(length=st.integers(0, SIZE))
@settings(max_examples=30, deadline=None)
def test_a_region_that_is_not_longer_is_left_alone(length: int) -> None:
    """Also a shorter one: programs that have it mapped would be ended by a page that goes, and it comes to no more."""
    path = Path(f"/dev/shm/het-{os.getpid()}-region")
    try:
        path.write_bytes(b"head")
        os.truncate(path, length)
        assert cut(path) == 0
        assert path.stat().st_size == length
        set_aside(path)
        assert cut(path) > 0
        assert (path.stat().st_size, taken(path) <= SIZE) == (length, True)
    finally:
        path.unlink()


def test_what_is_no_region_is_not_written(tmp_path: Path) -> None:
    """A link, a pipe, a directory, nothing at all: nobody waits and nothing else is cut."""
    other = make(tmp_path / "other")
    os.truncate(other, FAR)
    (tmp_path / "link").symlink_to(other)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", ".", "none"):
        assert cut(tmp_path / name) == 0
    assert other.stat().st_size == FAR


def test_a_region_that_cannot_be_cut_is_told_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are looked at all the same."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = make(tmp_path / "region")
    os.truncate(path, FAR)
    monkeypatch.setattr(os, "ftruncate", refuse)
    assert cut(path) == 0
    assert "a region cannot be cut" in "".join(capsys.readouterr())


@pytest.fixture
def held(shared: Path) -> Iterator[Bounded]:
    """A region that is held; the file is ``region``."""
    region = Bounded(str(make(shared / "region")))
    region.hold()
    yield region
    region.close()


@pytest.mark.parametrize("kind", [fcntl.F_WRLCK, fcntl.F_RDLCK], ids=["write", "read"])
def test_nobody_can_lease_a_region_that_is_held(held: Bounded, shared: Path, kind: int) -> None:
    """Else whoever opens it waits for most of a minute, while the one with the lease writes."""
    with (shared / "region").open("r+b") as file, pytest.raises(OSError, match="temporarily"):
        fcntl.fcntl(file, fcntl.F_SETLEASE, kind)
    lengthen(shared / "region")
    assert held.cut() == FAR


def test_nobody_can_run_a_region_that_is_held(held: Bounded, shared: Path) -> None:
    """Else it could be written, and cut, by nobody for as long as that lasts."""
    path = shared / "region"
    path.write_bytes(Path(shutil.which("true") or "").read_bytes())
    path.chmod(0o777)
    with pytest.raises(OSError, match="busy"):
        subprocess.run([str(path)], check=False)
    lengthen(path)
    assert held.cut() == FAR


def test_a_region_that_was_leased_before_is_held_as_soon_as_the_lease_is_over(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An agent may come when its programs have had the time; it says once that it has to wait."""
    path = make(shared / "region")
    region = Bounded(str(path))
    old = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        with path.open("r+b") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            file.truncate(FAR)
            region.hold()
            region.hold()
            assert (region.cut(), region.refused) == (0, os.strerror(errno.EAGAIN))
        region.hold()
        assert (region.cut(), region.refused) == (FAR, "")
    finally:
        signal.signal(signal.SIGIO, old)
        region.close()
    assert "".join(capsys.readouterr()).count("cannot be opened") == 1


def test_a_region_that_is_held_is_opened_and_closed_no_more(held: Bounded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that lend lock it while they change it, and whoever closes a file ends his process's locks on it."""
    for call in ("open", "close"):
        monkeypatch.setattr(os, call, lambda *_: pytest.fail("opened or closed"))
    held.hold()
    assert held.cut() == 0
    monkeypatch.undo()


def test_the_file_that_is_there_now_is_held_and_no_other(held: Bounded, shared: Path) -> None:
    """One that was replaced or removed takes no memory of the machine for being held."""
    path = shared / "region"
    fresh = make(shared / "new")
    fresh.rename(path)
    held.hold()
    lengthen(path)
    assert held.cut() == FAR
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 — a count
    path.unlink()
    held.hold()
    assert len(os.listdir("/proc/self/fd")) == before - 1  # noqa: PTH208 — as above
    assert (held.cut(), held.refused) == (0, "")
