"""What is written the runtime has seen; nothing half-written is left, and nobody else's file is touched."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hetero import metrics
from hetero.allocation import cdi, cdi_folder, inotify
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.errors import EnforcementError, WireError
from hetero.model.allocation import ContainerEdits
from hetero.testing.kubelet_runtime import FakeRuntime, Unresolvable

LONG = 60.0


def spec(name: str, value: str = "1") -> bytes:
    """A specification that can be told from others."""
    return cdi.spec(name, ContainerEdits(env={"NAME": name, "VALUE": value}))


def held(*names: str) -> Held:
    """Somebody who holds devices."""
    return Held(pod_uid="u", container="c", resource="r", ids=(), cdi_names=tuple(map(cdi.qualified, names)))


def names(count: int) -> list[str]:
    """Devices of different slots."""
    return [cdi.device([f"slot-{number:04}"]) for number in range(count)]


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Another way to a folder, which stays that of this folder and no other, as a mount in a container does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def injected(runtime: FakeRuntime, name: str) -> bool:
    """True when the runtime knows the device now."""
    try:
        return bool(runtime.inject(cdi.qualified(name)))
    except Unresolvable:
        return False


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that is there, as on a node that has had CDI before."""
    (tmp_path / "cdi").mkdir()
    return tmp_path / "cdi"


@pytest.fixture
def runtime(place: Path) -> Iterator[FakeRuntime]:
    """A runtime that looks at it."""
    with FakeRuntime(place) as one:
        yield one


@pytest.fixture
def seen() -> Callable[[str], int]:
    """How often files were written with this outcome since the test began."""
    before = {outcome: metrics.cdi_files.value(outcome) for outcome in ("seen", "late", "unwatched")}
    return lambda outcome: metrics.cdi_files.value(outcome) - before[outcome]


def test_what_is_written_can_be_injected_at_once(place: Path, runtime: FakeRuntime) -> None:
    """By many at the same time, with other files about: no name is ever missed, and each has its own content."""
    for number in range(200):
        (place / f"other-{number}.json").write_text("{}")
    folder = CdiFolder(place, LONG)
    folder.prepare()

    def start(name: str) -> tuple[str, list[str]]:
        folder.write({name: spec(name)})
        [edits] = runtime.inject(cdi.qualified(name))
        return name, edits["env"]

    with ThreadPoolExecutor(8) as pool:
        for name, env in pool.map(start, names(60)):
            assert env == [f"NAME={name}", "VALUE=1"]
    assert runtime.scans > 0


def test_the_runtime_is_waited_for(place: Path, runtime: FakeRuntime, seen: Callable[[str], int]) -> None:
    """However long it is busy: the call does not return before it has looked."""
    one, two = names(2)
    done = threading.Event()

    def write() -> None:
        CdiFolder(place, LONG).write({one: spec(one), two: spec(two)})
        done.set()

    with runtime.hold():
        writer = threading.Thread(target=write)
        writer.start()
        assert not done.wait(0.2)
    writer.join(LONG)
    assert done.is_set()
    assert len(runtime.inject(cdi.qualified(one), cdi.qualified(two))) == 2
    assert (seen("seen"), seen("late")) == (1, 0)


def test_a_runtime_that_does_not_look_is_not_waited_for_without_end(place: Path, seen: Callable[[str], int]) -> None:
    """The file is there all the same; the kubelet's next try finds it."""
    [name] = names(1)
    CdiFolder(place, 0.05).write({name: spec(name)})
    assert (place / cdi.file_name(name)).read_bytes() == spec(name)
    assert (seen("seen"), seen("late")) == (0, 1)


def test_what_is_there_is_left_alone(place: Path, runtime: FakeRuntime, seen: Callable[[str], int]) -> None:
    """A restarted container costs neither a write nor a wait; other content under the name does."""
    [name] = names(1)
    folder = CdiFolder(place, LONG)
    folder.write({name: spec(name)})
    file = place / cdi.file_name(name)
    before = file.stat().st_ino
    folder.write({name: spec(name)})
    assert (file.stat().st_ino, seen("seen")) == (before, 1)
    folder.write({name: spec(name, "2")})
    assert runtime.inject(cdi.qualified(name))[0]["env"][-1] == "VALUE=2"
    assert seen("seen") == 2


def test_somebody_else_who_opens_files_does_no_harm(place: Path) -> None:
    """Another reader ends the wait early, as if there were none: the file is whole by then."""
    [name] = names(1)
    file = place / cdi.file_name(name)
    read: list[bytes] = []

    def reader() -> None:
        while not read:
            if file.exists():
                read.append(file.read_bytes())

    thread = threading.Thread(target=reader)
    thread.start()
    CdiFolder(place, LONG).write({name: spec(name)})
    thread.join(LONG)
    assert read == [spec(name)]


def test_a_folder_that_is_new_is_noticed_at_the_first_injection(tmp_path: Path) -> None:
    """The runtime looks at it then, under its lock; it is not waited for as long as one that is known to look."""
    one, two = names(2)
    folder = CdiFolder(tmp_path / "run" / "cdi", LONG)
    with FakeRuntime(folder.folder) as runtime:
        with pytest.raises(Unresolvable):
            runtime.inject(cdi.qualified(one))
        folder.write({one: spec(one)})  # within LONG, or this test takes a minute
        assert runtime.inject(cdi.qualified(one))
        folder.write({two: spec(two)})
        assert runtime.create(cdi.qualified(two))


def test_a_folder_may_go_and_come(place: Path, runtime: FakeRuntime) -> None:
    """Somebody wiped it: it is made anew, and a container that starts again gets its file again."""
    [name] = names(1)
    folder = CdiFolder(place, LONG)
    folder.write({name: spec(name)})
    shutil.rmtree(place)
    assert folder.devices() == frozenset()
    folder.write({name: spec(name)})
    deadline = time.monotonic() + LONG
    while not injected(runtime, name) and time.monotonic() < deadline:  # as the kubelet tries it, again and again
        threading.Event().wait(0.02)
    assert injected(runtime, name)


def test_a_folder_that_was_removed_under_its_mount_is_told_from_one_that_is_cleaned(place: Path) -> None:
    """No try could help, so there is one and the sentence says what to do; so it is with what lies below it."""
    [name] = names(1)
    with mounted(place) as here:
        assert not cdi_folder.removed(here)
        place.rmdir()
        place.mkdir()
        assert cdi_folder.removed(here)
        assert cdi_folder.removed(here / "below" / "it")
        with pytest.raises(EnforcementError, match="was removed on the machine"):
            CdiFolder(here).write({name: spec(name)})
        assert CdiFolder(here).devices() == frozenset()
    assert not cdi_folder.removed(place)


@pytest.mark.parametrize("what", ["missing", "a file", "a loop"])
def test_what_is_no_removed_folder_is_not_taken_for_one(tmp_path: Path, what: str) -> None:
    """A folder that was never there is made, and of a file the sentence is another."""
    if what == "a file":
        (tmp_path / "cdi").write_text("")
    if what == "a loop":
        (tmp_path / "cdi").symlink_to("cdi")
    assert not cdi_folder.removed(tmp_path / "cdi")
    assert not cdi_folder.removed(tmp_path / "cdi" / "below")


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """With its path, and why."""
    (tmp_path / "cdi").write_text("a file")
    [name] = names(1)
    with pytest.raises(EnforcementError, match=r"/cdi cannot be written: File exists"):
        CdiFolder(tmp_path / "cdi").write({name: spec(name)})


def test_a_failed_write_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No temporary file, no half of a specification."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    [name] = names(1)
    with pytest.raises(EnforcementError, match="No space left"):
        CdiFolder(place).write({name: spec(name)})
    assert list(place.iterdir()) == []


def test_files_that_vanish_under_our_hands_are_written_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody cleans the folder just then; who does so again and again is told of."""
    [name] = names(1)
    rename, tries = Path.rename, []

    def vanishing(self: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) < times:
            self.unlink()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", vanishing)
    times = 3
    CdiFolder(place, 0.0).write({name: spec(name)})
    assert (place / cdi.file_name(name)).exists()
    times = 9
    with pytest.raises(EnforcementError, match="removed again and again"):
        CdiFolder(place, 0.0).write({name: spec(name, "2")})


@pytest.mark.parametrize("call", ["inotify_init1", "inotify_add_watch"])
def test_without_inotify_nothing_is_waited_for(
    place: Path, monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], int], call: str
) -> None:
    """The file is written, and the missing wait is counted: the kubelet's next try remains."""

    class Spent:
        def __getattr__(self, name: str) -> Callable[..., int]:
            if name != call:
                return getattr(libc, name)
            return lambda *_: -1

    libc = inotify._libc()
    monkeypatch.setattr(inotify, "_libc", Spent)
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EMFILE)
    [name] = names(1)
    CdiFolder(place, LONG).write({name: spec(name)})
    assert (place / cdi.file_name(name)).exists()
    assert seen("unwatched") == 1


def test_what_a_killed_process_left_is_removed(place: Path) -> None:
    """But not what another agent of this node is writing now, nor what others put there."""
    left = place / f".{cdi.file_name(names(1)[0])}.00000000.tmp"
    busy = place / f".{cdi.file_name(names(1)[0])}.11111111.tmp"
    others = place / ".acme.json.tmp"
    for file in (left, busy, others):
        file.write_text("half")
    with busy.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        CdiFolder(place).prepare()
    assert sorted(place.iterdir()) == [others, busy]


def test_who_writes_holds_the_lock(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the file has its name: who cleans meanwhile leaves it."""
    rename = Path.rename

    def cleaned(self: Path, target: Path) -> Path:
        CdiFolder(place).prepare()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", cleaned)
    [name] = names(1)
    CdiFolder(place, 0.0).write({name: spec(name)})
    assert (place / cdi.file_name(name)).exists()


# What nobody holds


def test_what_nobody_holds_is_removed(place: Path) -> None:
    """Of ours alone, and what was removed is told."""
    one, two, three = names(3)
    folder = CdiFolder(place, 0.0)
    folder.write({name: spec(name) for name in (one, two, three)})
    (place / "acme.json").write_text("{}")
    assert folder.devices() == {one, two, three}
    assert folder.sweep(lambda: [held(two), held("../../x")]) == {one, three}
    assert folder.devices() == {two}
    assert (place / "acme.json").exists()
    folder.remove([one, two])
    assert folder.devices() == frozenset()


def test_what_is_written_during_the_look_stays(place: Path) -> None:
    """The folder is read before the kubelet is asked: who came in between holds what it has."""
    one, two = names(2)
    folder = CdiFolder(place, 0.0)
    folder.write({one: spec(one)})

    def asked() -> list[Held]:
        CdiFolder(place, 0.0).write({two: spec(two)})  # another agent's, after this list was made
        return []

    assert folder.sweep(asked) == {one}
    assert folder.devices() == {two}


def test_nothing_is_removed_when_the_kubelet_cannot_be_read(place: Path) -> None:
    """Whoever asks learns of it."""
    [name] = names(1)
    folder = CdiFolder(place, 0.0)
    folder.write({name: spec(name)})

    def unreadable() -> list[Held]:
        raise WireError("torn")

    with pytest.raises(WireError):
        folder.sweep(unreadable)
    assert folder.devices() == {name}


def test_the_kubelet_is_not_asked_about_an_empty_folder(tmp_path: Path) -> None:
    """There is nothing to remove."""
    assert CdiFolder(tmp_path / "none").sweep(lambda: pytest.fail("asked")) == frozenset()


def test_files_are_readable_and_the_folder_is_passable(tmp_path: Path) -> None:
    """As other tools of the node expect it; nobody else can write."""
    [name] = names(1)
    folder = CdiFolder(tmp_path / "cdi", 0.0)
    before = os.umask(0o022)
    try:
        folder.write({name: spec(name)})
    finally:
        os.umask(before)
    assert folder.folder.stat().st_mode & 0o777 == 0o755
    assert (folder.folder / cdi.file_name(name)).stat().st_mode & 0o777 == 0o644


def test_the_defaults_are_the_runtimes() -> None:
    """Runtimes look there; the kubelet waits longer than this."""
    assert cdi_folder.FOLDER == "/var/run/cdi"
    assert cdi_folder.FIRST < cdi_folder.PATIENCE < 30
