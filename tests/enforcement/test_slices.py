"""The store of slices: a slice lives exactly as long as somebody holds its lock, and what is over is undone once."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero.enforcement.slices import Hold, LocalSlice, SliceStore
from hetero.errors import EnforcementError
from hetero.model import wire

Record = Callable[..., LocalSlice]
Start = Callable[..., Any]  # of conftest

HOLDER = "import sys; print('here', flush=True); sys.stdin.read()"
"""A program that lives until its input ends, and whatever it inherited lives as long."""

PARENT = f"""
import subprocess, sys
descriptor = int(sys.argv[1])
child = subprocess.Popen([sys.executable, "-c", {HOLDER!r}], stdin=subprocess.PIPE, pass_fds=[descriptor])
print(child.pid, flush=True)
sys.stdin.readline()
child.stdin.close()
child.wait()
print("ended", flush=True)
sys.stdin.read()
"""

LOCKER = """
import sys
from pathlib import Path
from hetero.enforcement.slices import SliceStore
directory, own = Path(sys.argv[1]), sys.argv[2]
trace = directory / "trace"
for _ in range(int(sys.argv[3])):
    with SliceStore(directory).locked():
        with trace.open("a") as file:
            file.write(f"in {own}\\n"); file.flush()
            file.write(f"out {own}\\n")
"""


class Released:
    """Remembers what was released; fails as often as it is told."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.failures: list[Exception] = []

    def __call__(self, record: LocalSlice) -> None:
        if self.failures:
            raise self.failures.pop()
        self.ids.append(record.held.id)


@pytest.fixture
def released() -> Released:
    """What the store released."""
    return Released()


@pytest.fixture
def store(tmp_path: Path, released: Released) -> SliceStore:
    """A store that nobody has used."""
    return SliceStore(tmp_path / "store", released)


@pytest.fixture
def held(store: SliceStore, record: Record) -> Iterator[Hold]:
    """A slice ``a`` that this process holds; let go by the test, or at its end."""
    with store.locked():
        store.make_directory("a")
        hold = store.create(record("a"))
    yield hold
    # A test that let go of it closed the descriptor: then it is not ours any more.
    if hold.descriptor >= 0:
        _let_go(hold)


def _let_go(hold: Hold) -> None:
    hold.close()
    hold.descriptor = -1


def _ids(store: SliceStore) -> list[str]:
    return [one.held.id for one in store.live()]


# A slice and its holders


def test_a_store_that_nobody_used_has_no_slices(store: SliceStore) -> None:
    """Looking makes nothing."""
    assert store.live() == ()
    assert not store.directory.exists()


def test_a_held_slice_lives_with_all_that_was_stored(store: SliceStore, held: Hold, record: Record) -> None:
    """The record comes back as it was given, to whoever looks."""
    assert store.live() == (record("a"),)
    assert SliceStore(store.directory).live() == (record("a"),)


def test_a_slice_that_nobody_holds_is_released_and_removed(store: SliceStore, held: Hold, released: Released) -> None:
    """Once, with its record, and the directory is gone with all that is in it."""
    (store.path("a") / "region").touch()
    _let_go(held)
    assert _ids(store) == []
    assert released.ids == ["a"]
    assert not store.path("a").exists()
    assert store.live() == ()
    assert released.ids == ["a"]


def test_slices_come_in_the_order_of_their_ids(store: SliceStore, record: Record) -> None:
    """Two looks at the same slices show the same list."""
    holds = []
    with store.locked():
        for name in ("c", "a", "b"):
            store.make_directory(name)
            holds.append(store.create(record(name)))
    assert _ids(store) == ["a", "b", "c"]
    holds[1].close()
    assert _ids(store) == ["b", "c"]
    holds[0].close()
    holds[2].close()


def test_a_program_that_inherited_the_descriptor_keeps_the_slice(
    store: SliceStore, held: Hold, released: Released, script: Start
) -> None:
    """The one that started it may end first."""
    program = script(HOLDER, inherited=[held.descriptor])
    assert program.line() == "here"
    _let_go(held)
    assert _ids(store) == ["a"]
    assert released.ids == []
    assert program.end() == 0
    assert _ids(store) == []
    assert released.ids == ["a"]


def test_a_slice_lives_until_its_last_process_ends(store: SliceStore, held: Hold, script: Start) -> None:
    """Of a program and its child, either alone keeps it; the one that hetero started need not be the last."""
    first = script(PARENT, str(held.descriptor), inherited=[held.descriptor])
    assert first.line() != ""
    assert first.line() == "here"
    _let_go(held)
    first.tell()
    assert first.line() == "ended"
    assert _ids(store) == ["a"]
    assert first.end() == 0
    assert _ids(store) == []


def test_a_killed_program_holds_nothing(store: SliceStore, held: Hold, released: Released, script: Start) -> None:
    """SIGKILL lets nobody clean up, so the kernel does."""
    program = script(HOLDER, inherited=[held.descriptor])
    assert program.line() == "here"
    _let_go(held)
    program.kill()
    assert _ids(store) == []
    assert released.ids == ["a"]


def test_a_child_outlives_its_killed_parent_and_so_does_the_slice(
    store: SliceStore, held: Hold, script: Start, tmp_path: Path
) -> None:
    """A program left behind in the background still uses the device."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = (
        "import subprocess, sys\n"
        "child = 'print(1, flush=True); open(__import__(\"sys\").argv[1]).read(); print(2, flush=True)'\n"
        "subprocess.Popen([sys.executable, '-c', child, sys.argv[2]], pass_fds=[int(sys.argv[1])])\n"
        "sys.stdin.read()\n"
    )
    parent = script(code, str(held.descriptor), str(gate), inherited=[held.descriptor])
    assert parent.line() == "1"
    _let_go(held)
    parent.kill()
    assert _ids(store) == ["a"]
    gate.write_text("end")
    assert parent.line() == "2"
    assert parent.line() == ""  # the pipe closes with the last process, and the lock was let go in the same exit
    # Descriptors are closed one after the other: the lock may be the last.
    for _ in range(1000):
        if not _ids(store):
            break
        threading.Event().wait(0.01)
    assert _ids(store) == []


def test_a_program_that_did_not_inherit_it_does_not_keep_the_slice(
    store: SliceStore, held: Hold, script: Start
) -> None:
    """The descriptor closes on exec unless it is passed on purpose: a pager must not keep a slice."""
    program = script(HOLDER)
    assert program.line() == "here"
    _let_go(held)
    assert _ids(store) == []


# Records and what happens to them


def test_the_files_of_a_slice_are_the_users_alone(store: SliceStore, held: Hold) -> None:
    """The store, its slices and their locks are closed to others, whatever there was before."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (store.directory, store.path("a"))}
    assert modes == {"store": 0o700, "a": 0o700}
    assert stat.S_IMODE((store.path("a") / "lock").stat().st_mode) == 0o600


def test_a_store_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """It may be everybody's directory for temporary files: its mode is not ours to change."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o1777)
    with pytest.raises(EnforcementError, match="can be written by others"), SliceStore(tmp_path / "store").locked():
        pass
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o1777


def test_a_lock_that_is_a_link_is_refused(store: SliceStore, tmp_path: Path) -> None:
    """What it leads to is not emptied, and not locked."""
    with store.locked():
        pass
    (tmp_path / "precious").write_text("kept")
    (store.directory / "lock").unlink()
    (store.directory / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(EnforcementError), store.locked():
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_held_slice_that_cannot_be_read_stops_whoever_decides(store: SliceStore, held: Hold) -> None:
    """What it holds is not known, so nothing is known to be free; whoever only looks goes on."""
    (store.path("a") / "slice.json").write_text('{"v": 2}')
    assert store.live() == ()
    with pytest.raises(EnforcementError, match="in use cannot be read"), store.locked():
        store.live()
    assert store.path("a").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"v":2,"localslice":{}}',
        b'{"v":1,"slice":{}}',
        b'{"v":1,"localslice":{"vendor":3}}',
    ],
)
def test_an_unreadable_record_is_logged_and_left(
    store: SliceStore, held: Hold, released: Released, content: bytes
) -> None:
    """Without it the vendor cannot undo what it made; the slice stays for somebody to look at, and hides no other."""
    (store.path("a") / "slice.json").write_bytes(content)
    _let_go(held)
    with store.locked(), capture_logs() as lines:
        assert store.live() == ()
    assert [(line["log_level"], line["slice"]) for line in lines] == [("error", "a")]
    assert lines[0]["reason"]
    assert released.ids == []
    assert store.path("a").is_dir()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(content=st.binary(max_size=300))
def test_any_record_leaves_the_store_usable(store: SliceStore, content: bytes) -> None:
    """Whatever stands in the file, looking at the slices raises nothing."""
    with store.locked():
        store.path("x").mkdir(exist_ok=True)
        (store.path("x") / "slice.json").write_bytes(content)
        with capture_logs():
            assert store.live() == ()


def test_a_stray_file_among_the_slices_is_no_slice(store: SliceStore, held: Hold, record: Record) -> None:
    """It is told and left alone, and the slices are still found."""
    (store.path("a").parent / "stray").write_text("x")
    with store.locked(), capture_logs() as lines:
        assert store.live() == (record("a"),)
    assert [line["slice"] for line in lines] == ["stray"]
    assert (store.path("a").parent / "stray").exists()


def test_a_slice_whose_lock_cannot_be_asked_counts_as_held(store: SliceStore, held: Hold, record: Record) -> None:
    """Its share is not given to anybody else: memory fails closed."""
    _let_go(held)
    (store.path("a") / "lock").unlink()
    (store.path("a") / "lock").mkdir()
    assert store.live() == (record("a"),)


def test_a_slice_without_a_lock_is_over(store: SliceStore, held: Hold, released: Released) -> None:
    """Nobody can hold what is not there."""
    _let_go(held)
    (store.path("a") / "lock").unlink()
    assert store.live() == ()
    assert released.ids == ["a"]


def test_a_directory_that_is_being_made_is_left_alone(store: SliceStore, released: Released) -> None:
    """Who looks without the store's lock may meet a slice before its record: it is no slice yet, and stays."""
    with store.locked():
        store.make_directory("b")
        assert SliceStore(store.directory, released).live() == ()
    assert store.path("b").is_dir()


def test_a_directory_whose_maker_died_is_removed_under_the_lock(store: SliceStore, released: Released) -> None:
    """Makers hold the lock, so under it an unfinished slice has no maker; no vendor has seen it."""
    with store.locked():
        store.make_directory("b")
    with store.locked():
        assert store.live() == ()
    assert not store.path("b").exists()
    assert released.ids == []


def test_a_slice_is_its_makers_until_it_is_stored(store: SliceStore, record: Record) -> None:
    """Held but not yet stored: it is not removed even under the lock."""
    with store.locked():
        directory = store.make_directory("b")
        with (directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert store.live() == ()
            assert directory.is_dir()


def test_a_looker_does_not_disturb_a_maker(store: SliceStore, record: Record) -> None:
    """Who looks has the slice's lock for a moment; the maker waits for it instead of failing."""
    made: list[Hold] = []
    with store.locked():
        directory = store.make_directory("b")
        with (directory / "lock").open("w") as looker:
            fcntl.flock(looker, fcntl.LOCK_SH)
            maker = threading.Thread(target=lambda: made.append(store.create(record("b"))), daemon=True)
            maker.start()
            maker.join(0.05)  # it has met the lock by now, or does so later: both must work
        maker.join(120)
    assert _ids(store) == ["b"]
    made[0].close()


@pytest.mark.parametrize("failure", [EnforcementError("the driver is busy"), RuntimeError("a defect"), OSError(5, "x")])
def test_a_release_that_fails_is_tried_again(
    store: SliceStore, held: Hold, released: Released, failure: Exception
) -> None:
    """The record stays until its vendor has undone the slice; the failure is logged, and is nobody else's."""
    released.failures.append(failure)
    _let_go(held)
    with capture_logs() as lines:
        assert store.live() == ()
    assert [(line["log_level"], line["slice"], line["reason"]) for line in lines] == [("error", "a", str(failure))]
    assert store.path("a").is_dir()
    assert store.live() == ()
    assert released.ids == ["a"]
    assert not store.path("a").exists()


def test_a_release_that_fails_keeps_no_other_slice(store: SliceStore, record: Record, released: Released) -> None:
    """The next slice in the list is released all the same."""
    with store.locked():
        for name in ("a", "b"):
            store.make_directory(name)
            store.create(record(name)).close()
    released.failures.append(EnforcementError("the driver is busy"))
    with capture_logs():
        assert store.live() == ()
    assert released.ids == ["b"]


def test_a_record_appears_whole(store: SliceStore, held: Hold, record: Record) -> None:
    """It is written beside its place and moved there; nothing of that is left."""
    assert sorted(one.name for one in store.path("a").iterdir()) == ["lock", "slice.json"]
    assert wire.decode((store.path("a") / "slice.json").read_bytes(), LocalSlice) == record("a")


# The store's own lock


def test_two_processes_are_never_inside_at_once(tmp_path: Path, script: Start) -> None:
    """What one finds free is still free when it takes it: every entry is followed by the same process's exit."""
    directory = tmp_path / "store"
    racers = [script(LOCKER, str(directory), str(number), "100") for number in range(3)]
    assert [one.end() for one in racers] == [0, 0, 0]
    trace = (directory / "trace").read_text().splitlines()
    assert len(trace) == 600
    assert all(a.replace("in", "out") == b for a, b in zip(trace[::2], trace[1::2], strict=True))


def test_one_waits_until_the_other_has_left(store: SliceStore, script: Start) -> None:
    """Locked means locked: nobody is told to come back later."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom hetero.enforcement.slices import SliceStore\n"
        "print('asks', flush=True)\nwith SliceStore(Path(sys.argv[1])).locked(): Path(sys.argv[2]).touch()\n"
    )
    mark = store.directory / "mark"
    with store.locked():
        other = script(code, str(store.directory), str(mark))
        assert other.line() == "asks"
        assert not mark.exists()
    assert other.end() == 0
    assert mark.exists()


def test_a_process_that_was_killed_inside_keeps_nobody_out(store: SliceStore, script: Start) -> None:
    """The lock goes with the process."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom hetero.enforcement.slices import SliceStore\n"
        "with SliceStore(Path(sys.argv[1])).locked(): print('in', flush=True); sys.stdin.read()\n"
    )
    other = script(code, str(store.directory))
    assert other.line() == "in"
    other.kill()
    with store.locked():
        assert store.live() == ()


def test_an_error_inside_opens_the_store_again(store: SliceStore) -> None:
    """Otherwise the next command would wait for ever, and this one would remove what others are making."""
    with pytest.raises(RuntimeError), store.locked():
        raise RuntimeError
    store.make_directory("b")
    assert store.live() == ()
    assert store.path("b").is_dir()
    with store.locked():
        assert store.live() == ()


# Directories that cannot be used


def test_a_store_of_another_user_is_refused(store: SliceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory that all may write somebody may have been there first; the sentence says what to do."""
    with store.locked():
        pass
    owner = store.directory.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(EnforcementError, match=r"belongs to another user or .*HETERO_RUNTIME_DIR"), store.locked():
        pass


def test_a_link_in_the_stores_place_is_refused(tmp_path: Path) -> None:
    """Whoever made it could turn it elsewhere later."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnforcementError, match="is no directory"), SliceStore(tmp_path / "store").locked():
        pass


def test_a_file_in_the_stores_place_is_one_sentence(tmp_path: Path) -> None:
    """With the path and the setting that helps, for those who make slices and for those who look at them."""
    (tmp_path / "store").touch()
    store = SliceStore(tmp_path / "store")
    for use in (store.locked().__enter__, store.live):
        with pytest.raises(EnforcementError, match=r"store is no directory; set HETERO_RUNTIME_DIR"):
            use()


def test_a_lock_that_cannot_be_opened_is_one_sentence(store: SliceStore) -> None:
    """Also the last step of opening the store fails in words."""
    (store.directory / "slices").mkdir(parents=True)
    (store.directory / "lock").mkdir()
    with pytest.raises(EnforcementError, match=r"cannot be kept there \(Is a directory\)"), store.locked():
        pass


def test_a_directory_that_is_there_already_is_refused(store: SliceStore) -> None:
    """Two slices never share a directory, and so never a region."""
    with store.locked():
        store.make_directory("b")
        with pytest.raises(EnforcementError, match="File exists"):
            store.make_directory("b")


def test_a_slice_that_cannot_be_stored_is_not_held(store: SliceStore, record: Record) -> None:
    """Its lock is let go with the failure: a process that goes on does not keep half a slice alive."""
    with store.locked():
        directory = store.make_directory("b")
        (directory / "slice.json.partial").mkdir()
        with pytest.raises(EnforcementError, match="cannot be kept there"):
            store.create(record("b"))
        assert store.live() == ()
    assert not directory.exists()


def test_a_link_in_the_locks_place_is_not_followed(store: SliceStore, record: Record, tmp_path: Path) -> None:
    """Somebody else's file is never locked or made through a link."""
    with store.locked():
        (store.make_directory("b") / "lock").symlink_to(tmp_path / "target")
        with pytest.raises(EnforcementError):
            store.create(record("b"))
    assert not (tmp_path / "target").exists()


def test_a_directory_that_cannot_be_looked_at_is_one_sentence(tmp_path: Path) -> None:
    """A name that the file system does not take, for instance."""
    with pytest.raises(EnforcementError, match="set HETERO_RUNTIME_DIR to another directory"):
        SliceStore(tmp_path / ("x" * 300)).live()
