"""The probe: what it sees of a process while that does something."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest

from hetero.model.allocation import ContainerEdits
from hetero.testing import fake_device, fake_vendor, probe
from hetero.testing.bench import Outcome
from hetero.testing.probe import Watch


@pytest.fixture(scope="module")
def watch() -> Watch:
    """One for all: there is no way to take it out of a process again."""
    return Watch()


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


def test_what_a_process_maps_is_known_by_name() -> None:
    """The C library is in every process, without its directory."""
    names = [*probe._mapped()]
    assert any(name.startswith("libc") for name in names)
    assert not any("/" in name for name in names)


def test_an_answer_is_read_as_it_was_written() -> None:
    """It goes through a file between two processes."""
    outcome = Outcome(edits=ContainerEdits(env={"A": "1"}), files={"a": b"\0\xff", "b": b""})
    answer = probe.Answer(
        opened=("libc.so.6",),
        started=(),
        read=(),
        registered=("fake",),
        failure="",
        devices=(fake_device(),),
        whole=outcome,
        mended=(outcome,),
        before="None",
        left=("None",),
    )
    assert msgspec.json.decode(msgspec.json.encode(answer), type=probe.Answer) == answer


def test_a_process_finds_devices_or_none() -> None:
    """Where there is no driver there are none, which is no failure of the process."""
    assert probe._found(fake_vendor(devices=[fake_device()])) == (fake_device(),)
    assert probe._found(fake_vendor(devices=None)) == ()


def test_the_chips_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line out, one line in; without a descriptor nobody is asked."""
    asked, asks = os.pipe()
    answers, answer = os.pipe()
    os.write(answer, b'"[1, 2]"\n')
    with os.fdopen(answers) as told, os.fdopen(asked) as heard:
        monkeypatch.setattr("sys.stdin", told)
        assert probe._looking(str(asks))() == "[1, 2]"
        os.close(asks)
        assert heard.read() == "?\n"
    os.close(answer)
    assert probe._looking("")() == ""
