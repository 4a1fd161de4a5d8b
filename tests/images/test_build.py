"""Images are written once and found again; those of workloads need nothing of the machine that made them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.images import build, closure, workload
from tests.cluster.images.oci import Image
from tests.cluster.images.tree import File, Link, Tree


def image(content: str = "a") -> Image:
    """A small one."""
    tree = Tree()
    tree.file("/file", content)
    return Image("hetero/x:1", [tree])


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    """The same content, the same file."""
    first = build.archive(image(), tmp_path)
    before = first.stat().st_ino
    assert build.archive(image(), tmp_path) == first
    assert first.stat().st_ino == before


def test_another_content_is_another_archive(tmp_path: Path) -> None:
    """Beside the first one: two checkouts may share a cache."""
    assert len({build.archive(image(content), tmp_path) for content in ("a", "b")}) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_what_nobody_used_for_long_goes(tmp_path: Path) -> None:
    """By the time of its last use."""
    old, young = build.archive(image("a"), tmp_path), build.archive(image("b"), tmp_path)
    os.utime(old, (0, time.time() - build.UNUSED - 60))
    build._forget(tmp_path)
    assert list(tmp_path.iterdir()) == [young]


def test_an_archive_in_use_is_young(tmp_path: Path) -> None:
    """Being asked for counts as use."""
    found = build.archive(image(), tmp_path)
    os.utime(found, (0, 0))
    build.archive(image(), tmp_path)
    build._forget(tmp_path)
    assert found.exists()


def inside(one: Image) -> dict[str, File | Link]:
    """The files of an image, upper layers over lower ones."""
    return {
        path: entry
        for layer in one.layers
        for path, entry in layer.complete().items()
        if isinstance(entry, File | Link)
    }


def test_every_program_of_the_workload_finds_its_libraries_in_the_image(tmp_path: Path) -> None:
    """All but the driver's, which the node gives."""
    there = inside(workload.workload(tmp_path))
    dynamic = [
        entry.content for path, entry in there.items() if isinstance(entry, File) and path.startswith("/usr/bin/")
    ]
    assert len(dynamic) == len(workload.PROGRAMS)
    wanted = closure.libraries(path for path in dynamic if isinstance(path, Path))
    assert set(wanted) <= set(there)
    assert any(path.endswith("/libc.so.6") for path in wanted)
    assert not any("libcuda" in path for path in there)


def test_commands_are_links_to_the_box(tmp_path: Path) -> None:
    """Each of its names, and only those."""
    there = inside(workload.workload(tmp_path))
    links = {path for path, entry in there.items() if entry == Link("box")}
    assert links == {f"/bin/{name}" for name in workload.COMMANDS}
    answer = subprocess.run([tmp_path / there_box(there), "nonsense"], capture_output=True, text=True, check=False)
    assert all(f"\n  {name}" in answer.stderr for name in workload.COMMANDS)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("-c", "env  PATH"), 0, "/bin"),
        (("-c", "exit 3"), 3, ""),
        (("-c", "no-such-program"), 127, ""),
        (("-c", "cat a | cat"), 2, ""),
        (("-c", " "), 2, ""),
        (("-c",), 2, ""),
        (("script.sh",), 2, ""),
    ],
)
def test_the_box_is_as_much_of_a_bash_as_examples_need(
    tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    """One command and its words; what only a shell can do is refused, not done wrongly."""
    box = there_box(inside(workload.workload(tmp_path)))
    for name in ("bash", "env", "exit", "cat"):
        (tmp_path / name).symlink_to(tmp_path / box)
    answer = subprocess.run(
        ["bash", *words],
        executable=tmp_path / "bash",
        env={"PATH": f"{tmp_path}:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == code, answer
    assert answer.stdout.strip().endswith(told)


def there_box(there: dict[str, File | Link]) -> Path:
    """The file of this machine that is the box."""
    box = there["/bin/box"]
    assert isinstance(box, File)
    assert isinstance(box.content, Path)
    return box.content


def test_what_has_not_been_built_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what to do about it."""
    monkeypatch.setattr(workload, "PORTABLE", tmp_path / "nowhere")
    with pytest.raises(workload.Lacking, match="nowhere/bin/burn is not there: make portable"):
        workload.workload(tmp_path)


def test_only_the_latest_archives_of_an_image_are_kept(tmp_path: Path) -> None:
    """Each change of the code makes one; other images' are not counted with them."""
    made = [build.archive(image(str(number)), tmp_path) for number in range(build.KEPT + 2)]
    for age, found in enumerate(reversed(made)):
        os.utime(found, (0, time.time() - age * 10))
    (tmp_path / "hetero-x-2-0000.tar").touch()
    (tmp_path / "made").mkdir()
    build._forget(tmp_path)
    kept = {*made[2:], tmp_path / "hetero-x-2-0000.tar", tmp_path / "made"}
    assert set(tmp_path.iterdir()) == kept


def test_what_was_made_for_images_goes_with_time(tmp_path: Path) -> None:
    """Compiled folders as well as programs."""
    for name in ("old", "young"):
        (tmp_path / "made" / name).mkdir(parents=True)
        (tmp_path / "made" / name / "file").touch()
    os.utime(tmp_path / "made/old", (0, time.time() - build.UNUSED - 60))
    build._forget(tmp_path)
    assert [found.name for found in (tmp_path / "made").iterdir()] == ["young"]
