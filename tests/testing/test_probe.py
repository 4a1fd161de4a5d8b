"""The probe: what it sees of a process, where it lets one die, and what it counts as left behind."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.allocation import ContainerEdits, Slice
from hetero.testing import probe
from hetero.testing.fake import FakeEnforcement
from hetero.testing.probe import CRASHES, Bench, Failed, Watch


@pytest.fixture(scope="module")
def watch() -> Watch:
    """One for all: there is no way to take it out of a process again."""
    return Watch()


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench for the enforcement that the test is parametrized with."""
    directory = tmp_path / "slice"
    directory.mkdir()
    (directory / "before").write_text("was here")
    made = Bench(request.param, Slice(id="s", grants=(), directory=str(directory)))
    yield made
    made.close()
    assert [path.name for path in directory.iterdir()] == ["before"], "closing leaves the directory as it was"


class Exits(FakeEnforcement):
    def prepare(self, held: Slice) -> ContainerEdits:
        os._exit(3)


class Raises(FakeEnforcement):
    def prepare(self, held: Slice) -> ContainerEdits:
        raise KeyError("limits")


class Writes(FakeEnforcement):
    def prepare(self, held: Slice) -> ContainerEdits:
        own = Path(held.directory, "own")
        own.mkdir(exist_ok=True)
        Path(own, "limits").write_bytes(b"\0\xff")
        return ContainerEdits(env={"FAKE": str(own)})


def test_only_what_happens_during_an_action_is_seen(watch: Watch, tmp_path: Path) -> None:
    """Neither what was before nor what comes after, and each action from a clean sheet."""
    Path(tmp_path, "before").write_text("")
    seen = probe._changed(watch.during(lambda: Path(tmp_path, "during").write_text("")))
    Path(tmp_path, "after").write_text("")
    assert [*seen] == [str(tmp_path / "during")]
    assert watch.during(lambda: None) == []


def test_a_failing_action_ends_the_watch(watch: Watch, tmp_path: Path) -> None:
    """The error comes through, and nothing later is seen."""
    with pytest.raises(ZeroDivisionError):
        watch.during(lambda: 1 // 0)
    Path(tmp_path, "after").write_text("")
    assert [*probe._changed(watch.during(lambda: None))] == []


def test_every_way_to_change_a_file_is_seen(watch: Watch, tmp_path: Path) -> None:
    """Written, made, renamed, linked, cut and removed: by the path that is another afterwards."""
    old, new = tmp_path / "old", tmp_path / "new"

    def act() -> None:
        (tmp_path / "directory").mkdir()
        old.write_text("text")
        os.truncate(old, 1)
        old.rename(new)
        (tmp_path / "link").hardlink_to(new)
        (tmp_path / "directory").rmdir()
        new.unlink()

    seen = {Path(path).name for path in probe._changed(watch.during(act))}
    assert seen == {"directory", "old", "new", "link"}


def test_reading_is_no_change(watch: Watch, tmp_path: Path) -> None:
    """But it is seen as reading."""
    (tmp_path / "settings").write_text("")
    events = watch.during((tmp_path / "settings").read_text)
    assert [*probe._changed(events)] == []
    assert str(tmp_path / "settings") in [path for path, _ in probe._opened_files(events)]


def test_the_kernels_files_are_no_change(watch: Watch) -> None:
    """A driver is spoken to by opening its device file for writing."""

    def speak() -> None:
        with Path("/dev/null").open("w") as file:
            file.write("x")

    assert [*probe._changed(watch.during(speak))] == []


def test_other_threads_are_seen_too(watch: Watch, tmp_path: Path) -> None:
    """Work that an action hands to a thread is the action's."""

    def act() -> None:
        thread = threading.Thread(target=lambda: (tmp_path / "beside").write_text(""))
        thread.start()
        thread.join()

    assert str(tmp_path / "beside") in probe._changed(watch.during(act))


@given(st.integers(0, 5000))
def test_crashes_are_spread_over_all_lines(lines: int) -> None:
    """From the second line on, evenly, and never more than a suite has time for."""
    chosen = [*probe._spread(lines)]
    assert len(chosen) <= CRASHES
    assert all(2 <= line <= lines for line in chosen)
    steps = {later - earlier for earlier, later in pairwise(chosen)}
    assert len(steps) <= 1
    if 2 <= lines < CRASHES:
        assert chosen == [*range(2, lines + 1)]


def test_lines_are_counted_in_the_vendors_code_only() -> None:
    """Those of the libraries that it calls are not its."""
    held = Slice(id="s", grants=(), directory="/nowhere")
    hook = Adds()
    assert probe._traced(__file__, partial(hook.prepare, held))[1] == 3
    assert probe._traced("/elsewhere/", partial(hook.prepare, held))[1] == 0


class Adds(FakeEnforcement):
    def __init__(self) -> None:
        super().__init__("fake")

    def prepare(self, held: Slice) -> ContainerEdits:
        name = msgspec.json.encode(held.id).decode()
        env = {"FAKE_SLICE": os.fspath(Path(name))}
        return ContainerEdits(env=env)


@pytest.mark.parametrize("bench", [Writes("fake")], indirect=True)
def test_an_outcome_is_the_result_and_the_files(bench: Bench, tmp_path: Path) -> None:
    """Byte by byte, with what stood there before; directories have no content."""
    whole, lines = bench.whole()
    assert whole.edits == ContainerEdits(env={"FAKE": str(tmp_path / "slice" / "own")})
    assert whole.files == {"before": b"was here", "own": b"", "own/limits": b"\0\xff"}
    assert lines == 4


@pytest.mark.parametrize("bench", [Writes("fake")], indirect=True)
def test_a_process_that_died_is_made_good_by_the_next(bench: Bench) -> None:
    """At whichever line it died."""
    whole, lines = bench.whole()
    assert all(bench.mended(line) == whole for line in range(2, lines + 1))


@pytest.mark.parametrize("bench", [Writes("fake")], indirect=True)
def test_what_preparing_writes_is_listed(bench: Bench, watch: Watch, tmp_path: Path) -> None:
    """And nothing that the probe itself writes."""
    assert {Path(path).name for path in bench.written(watch)} == {"own", "limits"}


@pytest.mark.parametrize(
    ("bench", "complaint"),
    [(Exits("fake"), "the process ended with 3"), (Raises("fake"), "KeyError: 'limits'")],
    indirect=["bench"],
)
def test_a_process_that_fails_says_how(bench: Bench, complaint: str) -> None:
    """With the vendor's own error, or with how it ended when it said nothing."""
    with pytest.raises(Failed, match=complaint):
        bench.whole()


def test_what_a_process_maps_is_known_by_name() -> None:
    """The C library is in every process, without its directory."""
    names = [*probe._mapped()]
    assert any(name.startswith("libc") for name in names)
    assert not any("/" in name for name in names)


def test_an_answer_is_read_as_it_was_written() -> None:
    """It goes through a file between two processes."""
    outcome = probe.Outcome(edits=ContainerEdits(env={"A": "1"}), files={"a": b"\0\xff", "b": b""})
    answer = probe.Answer(
        opened=("libc.so.6",), started=(), read=(), registered=("fake",), failure="", whole=outcome, mended=(outcome,)
    )
    assert msgspec.json.decode(msgspec.json.encode(answer), type=probe.Answer) == answer


def test_the_vendors_code_is_found_in_a_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages of one house may share a first name that has no file: their lines are still those to die at."""
    package = tmp_path / "probed_house" / "chip"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "hook.py").write_text(
        "from hetero.model.allocation import ContainerEdits\n"
        "from hetero.vendor import Enforcement\n"
        "class Hook(Enforcement):\n"
        "    def prepare(self, held):\n"
        "        env = {}\n"
        "        return ContainerEdits(env=env)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "slice").mkdir()
    hook = importlib.import_module("probed_house.chip.hook").Hook()
    bench = Bench(hook, Slice(id="s", grants=(), directory=str(tmp_path / "slice")))
    assert bench.whole()[1] == 2
    bench.close()
