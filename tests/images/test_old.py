"""The workload on an older C library: what it is, and that nothing in it asks for more than the oldest image has."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cluster.images import old, workload
from tests.cluster.images.oci import Image
from tests.cluster.images.tree import File, Tree
from tests.native import elf, older


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image, where an older C library can be had."""
    try:
        return old.image(tmp_path_factory.mktemp("made"))
    except older.Unavailable as reason:
        pytest.skip(f"no older C library: {reason}")


def lowest(image: Image) -> Tree:
    """The layer with the C library."""
    return image.layers[0]


def test_its_c_library_is_the_older_one(image: Image) -> None:
    """Threads and dlopen are libraries of their own, and none of this machine's own is in it."""
    names = {Path(path).name for path in lowest(image).entries}
    (version,) = [found[1] for name in names if (found := re.fullmatch(r"libpthread-2\.(\d+)\.so", name))]
    assert int(version) < 34
    assert {"libc.so.6", "libdl.so.2", "libpthread.so.0", Path(older.LOADER[os.uname().machine]).name} <= names


def test_programs_are_those_of_the_other_workload(image: Image, tmp_path: Path) -> None:
    """The same layer: what differs is the C library alone."""
    assert image.layers[1].digest() == workload.workload(tmp_path).layers[1].digest()


def test_nothing_asks_for_more_than_glibc_2_17(image: Image) -> None:
    """An image with 2.27 would run them as well: a program is refused for one version that it names and lacks."""
    files = [*image.layers[1].entries.values(), File(workload.PORTABLE / "libvgpu.so", 0o755)]
    programs = [entry.content for entry in files if isinstance(entry, File)]
    assert len(programs) == len(workload.PROGRAMS) + 1
    for program in programs:
        assert isinstance(program, Path)
        asked = [name.removeprefix("GLIBC_") for name in elf.Library(program).versions if name.startswith("GLIBC_")]
        assert asked
        assert max(tuple(map(int, version.split("."))) for version in asked) <= (2, 17), program


def test_a_machine_without_one_says_so_and_has_the_other_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scenario that needs it is skipped with the reason in sight."""
    from tests.cluster.images import build

    def refuse(machine: str) -> older.System:
        raise older.Unavailable("apt-get is not on this machine")

    monkeypatch.setattr(older, "system", refuse)
    assert build.older_workload(tmp_path) == []
    assert capsys.readouterr().out == "no image hetero/workload:old: apt-get is not on this machine\n"
