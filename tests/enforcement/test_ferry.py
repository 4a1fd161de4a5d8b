"""Words of mapped files that are carried by the kernel: what arrives, and what does not kill."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hetero.enforcement import ferry as module
from hetero.enforcement.ferry import Ferry

SIZE = 8


@pytest.fixture
def ferry() -> Iterator[Ferry]:
    """One that ends with the test."""
    made = Ferry()
    yield made
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Each of two pages, with its number in all words of the second."""
    paths = [tmp_path / str(number) for number in range(7)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes(mmap.PAGESIZE) + number.to_bytes(SIZE, "little") * (mmap.PAGESIZE // SIZE))
    return paths


@pytest.fixture
def pieces(files: list[Path]) -> list[memoryview]:
    """A word of each file's second page."""
    found = []
    for path in files:
        with path.open("r+b") as file:
            found.append(memoryview(mmap.mmap(file.fileno(), 0))[mmap.PAGESIZE : mmap.PAGESIZE + SIZE])
    return found


def numbers(data: bytes) -> list[int]:
    """What words say."""
    return [int.from_bytes(data[place : place + SIZE], "little") for place in range(0, len(data), SIZE)]


def words(count: int) -> bytes:
    """One hundred and so on."""
    return b"".join((100 + number).to_bytes(SIZE, "little") for number in range(count))


@pytest.mark.parametrize("most", [1, 3, 100])
def test_words_arrive_in_their_order(
    ferry: Ferry, pieces: list[memoryview], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """However many the kernel takes at once, both ways."""
    monkeypatch.setattr(module, "MOST", most)
    assert ferry.gather(pieces) == (b"".join(pieces), [])
    assert ferry.scatter(words(7), pieces) == []
    assert numbers(ferry.gather(pieces)[0]) == list(range(100, 107))
    assert numbers(ferry.gather(pieces[2:4])[0]) == [102, 103]


CUT = [[0], [6], [3], [2, 3], [0, 5, 6], list(range(7))]


@pytest.mark.parametrize("cut", CUT)
def test_files_that_were_cut_short_are_told(
    ferry: Ferry, files: list[Path], pieces: list[memoryview], cut: list[int]
) -> None:
    """Whichever; all other words arrive, and whoever carries them lives."""
    for number in cut:
        os.truncate(files[number], mmap.PAGESIZE)
    data, missing = ferry.gather(pieces)
    assert missing == cut
    assert len(data) == len(pieces) * SIZE
    whole = [number for number in range(7) if number not in cut]
    assert [numbers(data)[number] for number in whole] == whole
    assert ferry.scatter(words(7), pieces) == cut
    for number in whole:
        assert numbers(files[number].read_bytes()[-SIZE * 2 :]) == [number, number]
        assert numbers(bytes(pieces[number])) == [100 + number]


def test_a_file_that_is_whole_again_is_read_again(ferry: Ferry, files: list[Path], pieces: list[memoryview]) -> None:
    """What was written to it in between is what stands there."""
    os.truncate(files[1], 0)
    assert ferry.gather(pieces)[1] == [1]
    os.truncate(files[1], 2 * mmap.PAGESIZE)
    assert numbers(ferry.gather(pieces)[0])[:3] == [0, 0, 2]


def test_an_interpreter_without_files_in_memory_has_others(
    ferry: Ferry, pieces: list[memoryview], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Words are carried all the same, and nothing is left behind."""
    monkeypatch.delattr(module.os, "memfd_create")
    monkeypatch.setattr(module, "SHARED", str(tmp_path))
    before = sorted(tmp_path.iterdir())
    assert ferry.scatter(words(7), pieces) == []
    assert numbers(ferry.gather(pieces)[0]) == list(range(100, 107))
    assert sorted(tmp_path.iterdir()) == before


def test_its_memory_is_taken_when_it_is_used(ferry: Ferry, pieces: list[memoryview]) -> None:
    """And given back by closing, which may be done twice; then it may be used again."""
    ferry.close()
    before = descriptors()
    for _ in range(2):
        ferry.gather(pieces)
        taken = descriptors()
        ferry.gather(pieces)
        assert before < taken == descriptors()
        ferry.close()
        ferry.close()
        assert before == descriptors()


def test_its_memory_grows_with_what_is_carried(ferry: Ferry, pieces: list[memoryview]) -> None:
    """Beyond a page, and what was too much before is carried like everything else."""
    many = pieces * mmap.PAGESIZE
    assert ferry.gather(pieces)[1] == []
    taken = descriptors()
    assert numbers(ferry.gather(many)[0]) == [*range(7)] * mmap.PAGESIZE
    assert ferry.scatter(words(len(many)), many) == []
    assert descriptors() == taken
    assert numbers(bytes(pieces[6])) == [100 + len(many) - 1]


def descriptors() -> int:
    """How many this process has."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 — names are enough


@pytest.mark.parametrize("name", ["pwritev", "preadv"])
def test_a_kernel_that_refuses_is_not_taken_for_files_that_were_cut(
    ferry: Ferry, pieces: list[memoryview], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whoever looks hears of it, instead of reading every region alone."""

    def refused(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(module.os, name, refused)
    call = {"pwritev": lambda: ferry.gather(pieces), "preadv": lambda: ferry.scatter(words(7), pieces)}[name]
    with pytest.raises(PermissionError):
        call()
