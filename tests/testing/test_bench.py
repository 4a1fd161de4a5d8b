"""The bench: where it lets a process die, what it counts as left behind, and what it sees of the chips."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.allocation import ContainerEdits, Slice
from hetero.testing import bench as benches
from hetero.testing.bench import CRASHES, Bench, Failed, in_a_child
from hetero.testing.fake import FakeEnforcement


def instances(place: Path) -> str:
    """How many there are."""
    return str(len(list(place.glob("chip/*"))))


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench for the enforcement that the test is parametrized with."""
    directory = tmp_path / "slice"
    directory.mkdir()
    (directory / "before").write_text("was here")
    made = Bench(request.param, Slice(id="s", grants=(), directory=str(directory)), lambda: instances(tmp_path))
    yield made
    made.close()
    assert [path.name for path in directory.iterdir()] == ["before"], "closing leaves the directory as it was"


class Exits(FakeEnforcement):
    def prepare(self, held: Slice) -> ContainerEdits:
        os._exit(3)


class Makes(FakeEnforcement):
    """An instance for each attempt, in files beside the slice."""

    def prepare(self, held: Slice) -> ContainerEdits:
        place = Path(held.directory).parent / "chip"
        place.mkdir(exist_ok=True)
        (place / str(len(list(place.iterdir())))).write_text("")
        env = {"FAKE": held.id}
        return ContainerEdits(env=env)

    def release(self, held: Slice) -> None:
        for instance in (Path(held.directory).parent / "chip").glob("*"):
            instance.unlink()


class Raises(FakeEnforcement):
    def prepare(self, held: Slice) -> ContainerEdits:
        raise KeyError("limits")


class Writes(FakeEnforcement):
    def prepare(self, held: Slice) -> ContainerEdits:
        own = Path(held.directory, "own")
        own.mkdir(exist_ok=True)
        Path(own, "limits").write_bytes(b"\0\xff")
        return ContainerEdits(env={"FAKE": str(own)})


@given(st.integers(0, 5000))
def test_crashes_are_spread_over_all_lines(lines: int) -> None:
    """From the second line on, evenly, and never more than a suite has time for."""
    chosen = [*benches._spread(lines)]
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
    assert benches._traced(__file__, partial(hook.prepare, held))[1] == 3
    assert benches._traced("/elsewhere/", partial(hook.prepare, held))[1] == 0


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
def test_what_preparing_writes_is_listed(bench: Bench) -> None:
    """As whoever watches sees it in the process that prepares."""
    assert bench.written(lambda prepare: tuple(prepare().env)) == ("FAKE",)


@pytest.mark.parametrize("bench", [Makes("fake")], indirect=True)
def test_the_chips_are_looked_at_each_time(bench: Bench) -> None:
    """Before, after an undisturbed process, after one that followed a crash, and after a release."""
    assert bench.before == "0"
    whole, lines = bench.whole()
    assert whole.hardware == "1"
    mended, left = bench.crashes(lines)
    assert [one.hardware for one in mended] == ["1", "1", "2", "2"]  # it died before it made one, or after
    assert left == ("0",) * 4


@pytest.mark.parametrize(
    ("bench", "complaint"),
    [(Exits("fake"), "the process ended with 3"), (Raises("fake"), "KeyError: 'limits'")],
    indirect=["bench"],
)
def test_a_process_that_fails_says_how(bench: Bench, complaint: str) -> None:
    """With the vendor's own error, or with how it ended when it said nothing."""
    with pytest.raises(Failed, match=complaint):
        bench.whole()


def test_a_child_hands_over_what_it_returns() -> None:
    """However much it is, in JSON; one that was to die hands over nothing."""
    assert msgspec.json.decode(in_a_child(lambda: "x" * 500_000), type=str) == "x" * 500_000
    assert in_a_child(lambda: os._exit(benches._DEAD), dies=True) == b""
    with pytest.raises(Failed, match="the process ended with -9"):
        in_a_child(lambda: os.kill(os.getpid(), 9), dies=True)


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
