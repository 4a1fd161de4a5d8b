"""The fake runtime has the habits that the writer of CDI files has to know."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hetero.testing.kubelet_runtime import FakeRuntime, Unresolvable


def spec(name: str, value: str) -> str:
    """A specification of one device."""
    edits = {"env": [f"A={value}"]}
    return json.dumps(
        {"cdiVersion": "0.6.0", "kind": "acme.com/npu", "devices": [{"name": name, "containerEdits": edits}]}
    )


def place(folder: Path, name: str, value: str) -> None:
    """Write a file as it should be written: by a rename within the folder."""
    (folder / "half").write_text(spec(name, value))
    (folder / "half").rename(folder / f"{name}.json")


def test_files_that_come_by_a_rename_are_read(tmp_path: Path) -> None:
    """And those that were there before."""
    place(tmp_path, "old", "1")
    with FakeRuntime(tmp_path) as runtime:
        assert runtime.inject("acme.com/npu=old") == [{"env": ["A=1"]}]
        place(tmp_path, "new", "2")
        assert runtime.create("acme.com/npu=new", "acme.com/npu=old") == [{"env": ["A=2"]}, {"env": ["A=1"]}]


def test_a_name_that_is_not_there_is_unresolvable(tmp_path: Path) -> None:
    """So is one that two files define, until one of them goes."""
    with FakeRuntime(tmp_path) as runtime:
        with pytest.raises(Unresolvable, match=r"acme\.com/npu=a"):
            runtime.inject("acme.com/npu=a")
        (tmp_path / "twice.json").write_text(spec("a", "1"))
        place(tmp_path, "a", "2")
        place(tmp_path, "b", "3")
        runtime.create("acme.com/npu=b")
        with pytest.raises(Unresolvable):
            runtime.inject("acme.com/npu=a")
        (tmp_path / "twice.json").unlink()
        assert runtime.create("acme.com/npu=a") == [{"env": ["A=2"]}]


def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """Whatever is wrong with it."""
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "page.txt").write_text("text")
    place(tmp_path, "a", "1")
    with FakeRuntime(tmp_path) as runtime:
        assert runtime.inject("acme.com/npu=a")


def test_a_folder_that_appears_is_read_when_a_device_is_asked_for(tmp_path: Path) -> None:
    """And not before: nobody opens its files until then."""
    with FakeRuntime(tmp_path / "late") as runtime:
        (tmp_path / "late").mkdir()
        place(tmp_path / "late", "a", "1")
        assert runtime.scans == 0
        assert runtime.inject("acme.com/npu=a")
        assert runtime.scans == 1


def test_a_folder_that_goes_while_it_is_read_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread goes on, and reads the next one of that name."""
    folder = tmp_path / "cdi"
    folder.mkdir()
    place(folder, "a", "1")
    listed = Path.iterdir

    def gone(path: Path) -> Iterator[Path]:
        if path == folder:
            shutil.rmtree(path, ignore_errors=True)
        return listed(path)

    with FakeRuntime(folder) as runtime:
        assert runtime.inject("acme.com/npu=a")
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Path, "iterdir", gone)
            (folder / "a.json").unlink()
            for _ in range(2000):
                if not folder.exists():
                    break
                threading.Event().wait(0.01)
            with pytest.raises(Unresolvable):
                runtime.inject("acme.com/npu=a")
        folder.mkdir(exist_ok=True)
        place(folder, "b", "2")
        assert runtime.create("acme.com/npu=b")


def test_a_container_is_tried_again(tmp_path: Path) -> None:
    """Until its devices are known, or as long as somebody wants to wait for them."""
    with FakeRuntime(tmp_path) as runtime:
        with pytest.raises(Unresolvable):
            runtime.create("acme.com/npu=a", seconds=0.02)
        later = threading.Timer(0.05, place, (tmp_path, "a", "1"))
        later.start()
        assert runtime.create("acme.com/npu=a") == [{"env": ["A=1"]}]
        later.join()
