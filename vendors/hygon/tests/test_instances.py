"""A vDCU is made once for a slice, whatever dies when, and those of others are left alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from hetero_hygon.instances import JOURNAL, RECORD

from hetero import turn
from hetero.errors import DriverFailed, EnforcementError
from hetero.model.allocation import ContainerEdits

Make = Callable[..., Any]
K100 = {"model": "K100_AI", "memory": 65520}
PART = {"memory": 8192, "cores": 25}
FILES = [RECORD, "vdev", "vdev/vdev0.conf"]


def left(directory: str | Path) -> list[str]:
    """Files below a directory."""
    return sorted(str(path.relative_to(directory)) for path in Path(directory).rglob("*"))


def test_a_slice_has_one_vdcu(machine: Make) -> None:
    """However often it is prepared, here and in another process."""
    found = machine()
    held = found.slice_of("a", 0, **PART)
    first = found.enforcement.prepare(held)
    text = found.vdevs()
    assert "cu_count: 30\nmem: 8192 MiB" in text["vdev0.conf"]
    assert found.enforcement.prepare(held) == first
    assert msgspec.convert(found.elsewhere("prepare", held=held)[0], ContainerEdits) == first
    assert found.vdevs() == text
    assert left(held.directory) == FILES


def test_slices_share_a_card_without_a_common_unit(machine: Make) -> None:
    """Four on one card, whichever units the driver chooses; the fifth is refused by the driver, and leaves nothing."""
    found = machine(K100, units="scattered")
    for name in "abcd":
        found.enforcement.prepare(found.slice_of(name, 0, **PART))
    assert len(found.vdevs()) == 4
    held = found.slice_of("e", 0, memory=1, cores=1)
    with pytest.raises(DriverFailed, match=r"dmiCreateVDevices answered 11 \(OUT_OF_RESOURCES: .*hy-smi"):
        found.enforcement.prepare(held)
    assert len(found.vdevs()) == 4
    assert left(held.directory) == []
    assert journal(found) is None


def journal(found: Any) -> bytes | None:
    """What is being made."""
    path = found.path("/run/hetero/hygon") / JOURNAL
    return path.read_bytes() if path.exists() else None


def test_what_is_released_is_gone(machine: Make) -> None:
    """The vDCU, its number, and the slice's files; once more does nothing."""
    found = machine()
    one, two = found.slice_of("a", 0, **PART), found.slice_of("b", 0, **PART)
    found.enforcement.prepare(one)
    found.enforcement.prepare(two)
    found.enforcement.release(one)
    found.enforcement.release(one)
    assert list(found.vdevs()) == ["vdev1.conf"]
    assert left(one.directory) == []
    assert left(found.path("/run/hetero/hygon")) == ["lock", "vdev1.owner"]


@pytest.mark.parametrize("action", ["die", "die-after"])
@pytest.mark.parametrize("follower", ["same", "other", "release"])
def test_a_process_killed_while_it_makes_one_leaves_none_too_many(machine: Make, action: str, follower: str) -> None:
    """Before or after the driver made it, whoever comes next: the slice again, another slice, or its release."""
    found = machine(K100)
    held, other = found.slice_of("a", 0, **PART), found.slice_of("b", 0, memory=1024, cores=10)
    found.fault(f"dmiCreateVDevices 1 {action}")
    assert found.elsewhere("prepare", held=held) == []
    found.fault()
    if follower == "other":
        found.enforcement.prepare(other)
        assert sum("mem: 1024" in text for text in found.vdevs().values()) == 1
        found.enforcement.release(other)
    if follower != "release":
        found.enforcement.prepare(held)
        assert len(found.vdevs()) == 1
    found.enforcement.release(held)
    assert found.vdevs() == {}
    assert journal(found) is None


@pytest.mark.parametrize("call", ["dmiStopVDevice", "dmiDestroySingleVDevice"])
@pytest.mark.parametrize("action", ["die", "die-after"])
def test_a_process_killed_while_it_removes_one_removes_no_other(machine: Make, call: str, action: str) -> None:
    """Its number may have been given to a like slice before the release is tried again."""
    found = machine(K100)
    held, other = found.slice_of("a", 0, **PART), found.slice_of("b", 0, **PART)
    found.enforcement.prepare(held)
    found.fault(f"{call} 1 {action}")
    assert found.elsewhere("release", held=held) == []
    found.fault()
    found.enforcement.prepare(other)
    found.enforcement.release(held)
    [(name, text)] = found.vdevs().items()
    assert found.elsewhere("prepare", held=other)[0]["env"]
    assert found.vdevs() == {name: text}
    assert (Path(other.directory) / "vdev" / name).read_text() == text


def test_a_slice_whose_directory_has_gone_keeps_nothing(machine: Make) -> None:
    """A process died after the driver made the vDCU, and nobody knows of the slice any more."""
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.fault("dmiCreateVDevices 1 die-after")
    found.elsewhere("prepare", held=held)
    found.fault()
    assert len(found.vdevs()) == 1
    Path(held.directory).rmdir()
    other = found.slice_of("b", 0, **PART)
    found.enforcement.prepare(other)
    assert len(found.vdevs()) == 1
    found.enforcement.release(other)
    assert found.vdevs() == {}


def test_a_vdcu_on_another_card_is_taken_back(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that numbers cards otherwise is told each time, and leaves nothing that nobody knows of."""
    found = machine()
    monkeypatch.setattr("hetero_hygon.enforcement.number_of", lambda smi, uuid: 1)
    held = found.slice_of("a", 0, **PART)
    for _ in range(2):
        with pytest.raises(EnforcementError, match=r"libhydmi made the vDCU on .*, asked .*: it numbers cards other"):
            found.enforcement.prepare(held)
        assert (found.vdevs(), journal(found), left(held.directory)) == ({}, None, [])
    right = found.slice_of("b", 1, **PART)
    found.enforcement.prepare(right)
    found.enforcement.release(held)
    assert list(found.vdevs()) == ["vdev0.conf"]


def test_a_vdcu_on_another_card_is_not_guessed_after_a_crash(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may as well be a stranger's, made after a process died that had made none: people are asked."""
    found = machine()
    held = found.slice_of("a", 0, **PART)
    found.fault("dmiCreateVDevices 1 die")
    assert found.elsewhere("prepare", held=held) == []
    found.fault()
    found.dmi.create(1, 30, 8192)
    before = found.vdevs()
    with structlog.testing.capture_logs() as logs:
        found.enforcement.release(held)
    assert [entry["vdcus"] for entry in logs if entry["log_level"] == "error"] == [[0]]
    assert (found.vdevs(), journal(found)) == (before, None)


@pytest.mark.parametrize("follower", ["prepare", "release"])
def test_what_a_driver_rounded_before_a_crash_is_removed(machine: Make, follower: str) -> None:
    """Its maker did not come to refuse it; the slice's next start does, and a stranger's much larger one stays."""
    found = machine(K100, memory_step=1024)
    held = found.slice_of("a", 0, memory=8000, cores=25)
    found.fault("dmiCreateVDevices 1 die-after")
    assert found.elsewhere("prepare", held=held) == []
    found.fault()
    assert "mem: 8192 MiB" in found.vdevs()["vdev0.conf"]
    found.dmi.create(0, 30, 16384)
    if follower == "prepare":
        with pytest.raises(EnforcementError, match="the driver gave 30 compute units and 8192 MiB"):
            found.enforcement.prepare(held)
    else:
        found.enforcement.release(held)
    assert (list(found.vdevs()), journal(found), left(held.directory)) == (["vdev1.conf"], None, [])


def test_what_a_program_uses_is_not_what_a_crash_left(machine: Make) -> None:
    """Of ours nobody had been told: one in use is a stranger's, and stands in nobody's way."""
    found = machine(K100)
    held = found.slice_of("a", 0, memory=8000, cores=25)
    found.fault("dmiCreateVDevices 1 die")
    assert found.elsewhere("prepare", held=held) == []
    found.fault()
    found.dmi.create(0, 30, 8192)
    found.change("in_use", 0)
    found.enforcement.prepare(held)
    assert len(found.vdevs()) == 2
    found.enforcement.release(held)
    assert list(found.vdevs()) == ["vdev0.conf"]


def test_vdcus_of_others_are_left_alone(machine: Make) -> None:
    """Made beside ours, on the same card, of the same size, before and while ours is made."""
    found = machine(K100)
    found.devices()
    found.dmi.create(0, 30, 8192)
    before = found.vdevs()
    held = found.slice_of("a", 0, **PART)
    found.enforcement.prepare(held)
    found.enforcement.release(held)
    assert found.vdevs() == before


def test_a_journal_that_fits_several_removes_none(machine: Make) -> None:
    """A process died, and others have made like ones since: which is left over cannot be told, and people are asked."""
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.fault("dmiCreateVDevices 1 die-after")
    found.elsewhere("prepare", held=held)
    found.fault()
    found.dmi.create(0, 30, 8192)
    before = found.vdevs()
    assert len(before) == 2
    found.enforcement.release(held)
    assert found.vdevs() == before
    assert journal(found) is None


def test_a_number_that_became_anothers_is_not_ours(machine: Make) -> None:
    """Somebody removed ours by hand, and made one of another size under its number."""
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.enforcement.prepare(held)
    found.dmi.destroy(0)
    found.dmi.create(0, 12, 512)
    before = found.vdevs()
    assert list(before) == ["vdev0.conf"]
    first = found.enforcement.prepare(held)
    assert left(held.directory) == [RECORD, "vdev", "vdev/vdev1.conf"]
    assert found.enforcement.prepare(held) == first
    found.enforcement.release(held)
    assert found.vdevs() == before


@pytest.mark.parametrize("killed", [False, True])
def test_ours_may_get_the_number_that_another_had(
    machine: Make, monkeypatch: pytest.MonkeyPatch, *, killed: bool
) -> None:
    """Somebody removes one while ours is made, and its number is given again: it is ours, also after a crash."""
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.devices()
    found.dmi.create(0, 12, 512)
    create = found.dmi.create

    def meanwhile(*amounts: int) -> None:
        found.dmi.destroy(0)
        create(*amounts)
        if killed:
            raise KeyboardInterrupt

    monkeypatch.setattr(found.dmi, "create", meanwhile)
    with pytest.raises(KeyboardInterrupt) if killed else contextlib.nullcontext():
        found.enforcement.prepare(held)
    [(name, text)] = found.vdevs().items()
    assert "mem: 8192 MiB" in text
    found.enforcement.prepare(held)
    assert left(held.directory) == [RECORD, "vdev", f"vdev/{name}"]
    found.enforcement.release(held)
    assert found.vdevs() == {}


def test_one_in_use_is_removed_later(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core tries again; meanwhile the slice still has it."""
    monkeypatch.setattr("hetero_hygon.instances._PAUSE", 0.001)
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.enforcement.prepare(held)
    found.change("in_use", "0")
    with pytest.raises(EnforcementError, match=r"vDCU 0 on 0000:33:00\.0 is still in use"):
        found.enforcement.release(held)
    assert list(found.vdevs()) == ["vdev0.conf"]
    found.change("in_use", "")
    found.enforcement.release(held)
    assert found.vdevs() == {}


def test_one_that_is_just_being_left_is_removed_at_once(machine: Make) -> None:
    """A program takes a moment to end."""
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.enforcement.prepare(held)
    found.fault("dmiDestroySingleVDevice 1 fail 17", "dmiStopVDevice 2 fail 17")
    found.enforcement.release(held)
    assert found.vdevs() == {}


@pytest.mark.parametrize("driver", [{"created_started": False}, {"encryption_lines": True}, {"units": "scattered"}])
def test_what_nobody_could_try_works_either_way(machine: Make, driver: dict[str, Any]) -> None:
    """New ones that have to be started, lines of newer drivers, units in any order."""
    found = machine(K100, **driver)
    held = found.slice_of("a", 0, **PART)
    first = found.enforcement.prepare(held)
    assert found.enforcement.prepare(held) == first
    [(name, text)] = found.vdevs().items()
    assert "enable: 1\n" in text
    assert ("encryption: 0\n" in text) == ("encryption_lines" in driver)
    assert (Path(held.directory) / "vdev" / name).read_text() == text
    found.enforcement.release(held)
    assert found.vdevs() == {}


def test_memory_that_the_driver_rounds_is_not_given_uncharged(machine: Make) -> None:
    """More than is charged would be over-committed: the sentence says what the driver gave, and nothing is left."""
    found = machine(K100, memory_step=1024)
    held = found.slice_of("a", 0, memory=1500, cores=10)
    with pytest.raises(EnforcementError, match="the driver gave 12 compute units and 2048 MiB, asked 12 and 1500 MiB"):
        found.enforcement.prepare(held)
    assert found.vdevs() == {}
    found.enforcement.prepare(found.slice_of("b", 0, memory=2048, cores=10))
    assert len(found.vdevs()) == 1


@pytest.mark.parametrize(
    ("driver", "sentence"),
    [
        ({"privileged": False}, "PERMISSION: vDCUs are made by root"),
        ({"sharing": True}, "INVALID_ARGUMENTS: a card whose compute units are shared"),
        ({"mig": True}, "NOT_SUPPORTED: the card is in MIG mode"),
    ],
)
def test_a_driver_that_refuses_is_quoted_with_what_to_do(machine: Make, driver: dict[str, Any], sentence: str) -> None:
    """And nothing is left of the attempt."""
    found = machine(K100, **driver)
    held = found.slice_of("a", 0, **PART)
    with pytest.raises(DriverFailed, match=sentence):
        found.enforcement.prepare(held)
    assert (found.vdevs(), left(held.directory), journal(found)) == ({}, [], None)


def test_a_call_that_fails_after_its_work_leaves_nothing(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver made the vDCU and reported an error all the same."""
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    create = found.dmi.create

    def treacherous(card: int, units: int, memory: int) -> None:
        create(card, units, memory)
        raise DriverFailed("dmiCreateVDevices", 8, "CREATE_VDEV_FAILED")

    monkeypatch.setattr(found.dmi, "create", treacherous)
    with pytest.raises(DriverFailed, match="CREATE_VDEV_FAILED"):
        found.enforcement.prepare(held)
    assert (found.vdevs(), left(held.directory), journal(found)) == ({}, [], None)


def test_units_of_two_are_refused(machine: Make) -> None:
    """A driver that gives a unit twice is not trusted."""
    found = machine(K100)
    found.enforcement.prepare(found.slice_of("a", 0, **PART))
    file = found.path("/etc/vdev/vdev0.conf")
    file.write_text(file.read_text().replace("0x000000003fffffff", "0x0000000fffffffc0"))
    with pytest.raises(EnforcementError, match="it has compute units that vDCU 0 has too"):
        found.enforcement.prepare(found.slice_of("b", 0, **PART))
    assert list(found.vdevs()) == ["vdev0.conf"]


def test_a_lock_that_somebody_keeps_is_told(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs in the driver does not make another one hang."""
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.enforcement.prepare(held)
    with turn.taken("hygon", "vDCUs"):
        for ask in (found.enforcement.prepare, found.enforcement.release):
            with pytest.raises(EnforcementError, match="makes or removes vDCUs does not come back"):
                ask(held)
    found.enforcement.release(held)
    assert list(found.vdevs()) == []


def test_a_damaged_record_is_not_guessed(machine: Make) -> None:
    """The vDCU that it stood for is named to nobody, so people are asked."""
    found = machine(K100)
    held = found.slice_of("a", 0, **PART)
    found.enforcement.prepare(held)
    (Path(held.directory) / RECORD).write_text("{")
    with pytest.raises(EnforcementError, match=r"vdcu.json is damaged"):
        found.enforcement.release(held)


def test_a_damaged_journal_does_not_stop_the_machine(machine: Make) -> None:
    """It is logged and removed."""
    found = machine(K100)
    with turn.taken("hygon", "vDCUs") as shared:
        (shared / JOURNAL).write_text("{")
    found.enforcement.prepare(found.slice_of("a", 0, **PART))
    assert journal(found) is None


def test_without_a_place_for_the_lock_root_is_asked_for(machine: Make) -> None:
    """The directory cannot be made."""
    found = machine(K100)
    found.path("/run").write_text("")
    with pytest.raises(EnforcementError, match="vDCUs are made by root"):
        found.enforcement.prepare(found.slice_of("a", 0, **PART))


def test_what_all_slices_share_is_for_root_alone(machine: Make) -> None:
    """Nobody else may hold the lock or write a journal."""
    found = machine(K100)
    found.enforcement.prepare(found.slice_of("a", 0, **PART))
    assert found.path("/run/hetero/hygon").stat().st_mode & 0o777 == 0o700
