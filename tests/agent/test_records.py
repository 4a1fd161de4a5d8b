"""Records of slices: whole or not there, and the last thing to go."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from hetero.agent.records import PodSlice, Records
from hetero.enforcement.slices import SliceStore
from hetero.errors import EnforcementError
from hetero.model.allocation import Grant, Slice
from hetero.model.share import Share
from hetero.testing.fake import fake_device


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Of a node without slices."""
    return Records(tmp_path)


def _record(slice_id: str = "fake-1") -> PodSlice:
    held = Slice(id=slice_id, grants=(Grant(device=fake_device(), share=Share(quantities={})),), directory="/nowhere")
    return PodSlice(vendor="fake", held=held, pod_uid="u", namespace="lab", pod="train", container="main")


def test_what_is_written_is_read_again(records: Records) -> None:
    """By another process as well; a later one takes the place of the first."""
    records.make("fake-1")
    records.write(_record())
    assert records.read("fake-1") == _record()
    changed = msgspec.structs.replace(_record(), files=("/lib/a",))
    records.write(changed)
    assert records.all() == [changed]
    assert [path.name for path in records.path("fake-1").iterdir()] == ["slice.json"]


def test_there_is_nothing_before_the_first_slice(records: Records) -> None:
    """Nor after the last one."""
    assert (records.ids(), records.all(), records.read("fake-1")) == ([], [], None)
    records.leave()
    records.make("fake-1")
    records.remove("fake-1")
    records.leave()
    assert not records.path("fake-1").parent.exists()


def test_directories_are_roots_alone(records: Records) -> None:
    """Also one that was there with other rights."""
    records.path("fake-1").mkdir(parents=True, mode=0o755)
    assert records.make("fake-1").stat().st_mode & 0o777 == 0o700


def test_a_slice_without_a_record_was_never_made(records: Records) -> None:
    """One whose record cannot be read was: its vendor may have to undo something."""
    records.make("fake-1")
    assert records.unfinished("fake-1")
    (records.path("fake-1") / "slice.json").write_text("{")
    assert not records.unfinished("fake-1")
    with capture_logs() as logs:
        assert records.read("fake-1") is None
    assert [line["slice"] for line in logs] == ["fake-1"]


def test_removing_takes_everything_with_it(records: Records) -> None:
    """Files and directories of vendors, links that lead elsewhere, and the record."""
    directory = records.make("fake-1")
    records.write(_record())
    (directory / "made").mkdir()
    (directory / "made/file").write_text("")
    elsewhere = directory.parent.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("")
    (directory / "link").symlink_to(elsewhere)
    records.remove("fake-1")
    records.remove("fake-1")
    assert not directory.exists()
    assert (elsewhere / "kept").exists()


def test_who_looks_for_slices_of_commands_leaves_those_of_containers(records: Records, tmp_path: Path) -> None:
    """``hetero top`` on a node, told to look there: it must not take them for left behind."""
    records.make("fake-1")
    records.write(_record())
    (tmp_path / "slices").chmod(0o700)
    tmp_path.chmod(0o700)
    store = SliceStore(tmp_path)
    with capture_logs(), store.locked():
        assert store.live() == ()
    assert records.all() == [_record()]


def test_a_file_system_that_refuses_is_told(records: Records, tmp_path: Path) -> None:
    """With the path; not as an error of Python's."""
    (tmp_path / "slices").write_text("")
    with pytest.raises(EnforcementError, match="the slice cannot be kept"):
        records.make("fake-1")
    with pytest.raises(EnforcementError, match="the slice cannot be kept"):
        records.write(_record())
