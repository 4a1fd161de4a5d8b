"""A process that dies while it makes a vNPU, in the driver or around it, and who comes after it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hetero_ascend.dcmi import Address, Dcmi
from hetero_ascend.vnpu import Vnpus

from hetero import turn
from hetero.errors import EnforcementError
from hetero.model.allocation import Slice

Make = Callable[..., Any]
CHIP = Address(0, 0)


def dies(action: Callable[[], object]) -> None:
    """Run an action in a process of its own, which has to be killed by it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def template(number: int) -> str:
    """Of a vNPU."""
    info = Vnpus(Dcmi()).one(CHIP, number)
    assert info is not None
    return bytes(info.name).decode()


@pytest.mark.parametrize("moment", ["die", "die-after"])
def test_the_next_start_makes_good(machine: Make, slice_of: Make, moment: str) -> None:
    """Killed before the driver made it or after: one vNPU, and the result of an undisturbed run."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=16384))
    undisturbed = simulated.enforcement.prepare(held)
    simulated.enforcement.release(held)
    simulated.fail(f"dcmi_create_vdevice 1 {moment}")
    dies(lambda: simulated.enforcement.prepare(held))
    assert len(simulated.vnpus()) == (moment == "die-after")
    simulated.fail()
    assert simulated.enforcement.prepare(held) == undisturbed
    assert len(simulated.vnpus()) == 1


@pytest.mark.parametrize("moment", ["die", "die-after"])
def test_a_slice_that_never_comes_back_is_destroyed(machine: Make, slice_of: Make, moment: str) -> None:
    """Release finds what was begun."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=16384))
    simulated.fail(f"dcmi_create_vdevice 1 {moment}")
    dies(lambda: simulated.enforcement.prepare(held))
    simulated.fail()
    simulated.enforcement.release(held)
    assert simulated.vnpus() == []


def test_a_death_while_destroying_is_made_good(machine: Make, slice_of: Make) -> None:
    """The vNPU is gone and the book still has it: releasing again finds nothing, and says nothing."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=1))
    simulated.enforcement.prepare(held)
    simulated.fail("dcmi_set_destroy_vdevice 1 die-after")
    dies(lambda: simulated.enforcement.release(held))
    simulated.fail()
    assert simulated.vnpus() == []
    simulated.enforcement.release(held)
    simulated.enforcement.prepare(held)
    assert len(simulated.vnpus()) == 1


def test_another_template_for_the_same_slice_replaces_it(machine: Make, slice_of: Make) -> None:
    """What is there is taken over only if it is just what is wanted."""
    simulated = machine("910B3")
    simulated.enforcement.prepare(slice_of(simulated.grant(memory=16384)))
    simulated.enforcement.prepare(slice_of(simulated.grant(memory=32768)))
    [number] = simulated.vnpus()
    assert template(number) == "vir10_3c_32g"


def test_a_slice_that_moves_to_another_chip_leaves_nothing_behind(machine: Make, slice_of: Make) -> None:
    """The old chip's vNPU goes."""
    simulated = machine("910B3", "910B3")
    simulated.enforcement.prepare(slice_of(simulated.grant(0, memory=16384)))
    simulated.enforcement.prepare(slice_of(simulated.grant(1, memory=16384)))
    [number] = simulated.vnpus()
    assert 116 <= number <= 131


def test_one_that_was_destroyed_by_hand_is_made_again(machine: Make, slice_of: Make) -> None:
    """An administrator, or the machine's restart with a book that outlived it."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=1))
    first = simulated.enforcement.prepare(held)
    Vnpus(Dcmi()).destroy(CHIP, simulated.vnpus()[0])
    assert simulated.enforcement.prepare(held) == first


def test_a_strangers_vnpu_is_not_touched(machine: Make, slice_of: Make) -> None:
    """Neither when numbers are chosen, nor by a release: those not in the book stay."""
    simulated = machine("910B3")
    Vnpus(Dcmi()).make(CHIP, 115, "vir05_1c_16g")
    held = slice_of(simulated.grant(memory=1))
    simulated.enforcement.prepare(held)
    assert simulated.vnpus() == [114, 115]
    simulated.enforcement.release(held)
    assert simulated.vnpus() == [115]


def test_a_stranger_that_took_our_number_is_not_touched(machine: Make, slice_of: Make) -> None:
    """It was intended and not made when the process died, and a container has one of that number now."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=16384))
    simulated.fail("dcmi_create_vdevice 1 die")
    dies(lambda: simulated.enforcement.prepare(held))
    simulated.fail()
    Vnpus(Dcmi()).make(CHIP, 115, "vir05_1c_16g")
    simulated.change(0, in_use="115")
    edits = simulated.enforcement.prepare(held)
    assert edits.env["ASCEND_VISIBLE_DEVICES"] == "114"
    simulated.enforcement.release(held)
    assert simulated.vnpus() == [115]


def test_one_that_is_in_use_is_released_later(machine: Make, slice_of: Make) -> None:
    """The driver refuses while the container lives; the book keeps it, and the next release has it."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=1))
    simulated.enforcement.prepare(held)
    simulated.change(0, in_use="115")
    with pytest.raises(EnforcementError, match="its container must end first"):
        simulated.enforcement.release(held)
    simulated.change(0, in_use="")
    simulated.enforcement.release(held)
    assert simulated.vnpus() == []


def test_numbers_run_out_with_a_sentence(machine: Make, slice_of: Make) -> None:
    """Sixteen on a chip: those of the book count, also while they are only intended."""
    simulated = machine("310P3")
    for index in range(7):
        simulated.enforcement.prepare(slice_of(simulated.grant(memory=1), name=f"s{index}"))
    assert simulated.vnpus() == list(range(101, 108))
    with pytest.raises(EnforcementError, match="vir01 cannot be made"):
        simulated.enforcement.prepare(slice_of(simulated.grant(memory=1), name="s7"))


@pytest.mark.parametrize("chooses", [False, True], ids=["takes-numbers", "chooses-numbers"])
def test_old_drivers_have_the_other_form(machine: Make, slice_of: Make, chooses: bool) -> None:
    """By the version, with the number that they took or chose."""
    simulated = machine("910A", version="21.0.2", create="old", chooses_ids=chooses)
    held = slice_of(simulated.grant(memory=1))
    edits = simulated.enforcement.prepare(held)
    assert edits.env["ASCEND_VISIBLE_DEVICES"] == str(simulated.vnpus()[0]) == ("100" if chooses else "115")
    assert simulated.enforcement.prepare(held) == edits
    simulated.enforcement.release(held)
    assert simulated.vnpus() == []


def test_a_number_that_the_driver_chose_is_found_after_a_death(machine: Make, slice_of: Make) -> None:
    """It is one that was not there before, and of the template that was wanted."""
    simulated = machine("910A", version="21.0.2", create="old", chooses_ids=True)
    strange = Vnpus(Dcmi()).make(CHIP, 100, "vir04")
    held: Slice = slice_of(simulated.grant(template="vir04"))
    simulated.fail("dcmi_create_vdevice 1 die-after")
    dies(lambda: simulated.enforcement.prepare(held))
    simulated.fail()
    ours = [number for number in simulated.vnpus() if number != strange]
    assert simulated.enforcement.prepare(held).env["ASCEND_VISIBLE_DEVICES"] == str(ours[0])
    simulated.enforcement.release(held)
    assert simulated.vnpus() == [strange]


def test_one_that_cannot_be_told_from_a_strangers_stays(machine: Make, slice_of: Make) -> None:
    """Made by others since, by a driver that chooses numbers: neither is destroyed, and the slice has a third."""
    simulated = machine("910A", version="21.0.2", create="old", chooses_ids=True)
    held: Slice = slice_of(simulated.grant(template="vir04"))
    simulated.fail("dcmi_create_vdevice 1 die-after")
    dies(lambda: simulated.enforcement.prepare(held))
    simulated.fail()
    Vnpus(Dcmi()).make(CHIP, 100, "vir04")
    before = simulated.vnpus()
    assert len(before) == 2
    simulated.enforcement.prepare(held)
    assert len(simulated.vnpus()) == 3
    simulated.enforcement.release(held)
    assert simulated.vnpus() == before


@pytest.mark.parametrize(
    ("version", "variable", "old"),
    [
        ("21.0.2", "", True),
        ("22.0.0", "", False),
        ("25.5.0", "old", True),
        ("21.0.2", "today", False),
        ("strange", "", False),
    ],
)
def test_the_form_goes_by_the_version_or_the_variable(
    machine: Make, monkeypatch: pytest.MonkeyPatch, version: str, variable: str, old: bool
) -> None:
    """No source says where the line is, so it can be told."""
    machine("910A", version=version)
    monkeypatch.setenv("HETERO_ASCEND_CREATE", variable)
    assert Vnpus(Dcmi()).old is old


def test_the_wrong_form_is_an_error_and_no_crash(
    machine: Make, slice_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the simulated driver at least; nothing is left of it."""
    simulated = machine("910A", version="21.0.2", create="old")
    monkeypatch.setenv("HETERO_ASCEND_CREATE", "today")
    held = slice_of(simulated.grant(memory=1))
    with pytest.raises(EnforcementError, match=r"-8001 \(bad parameter\)"):
        simulated.enforcement.prepare(held)
    simulated.enforcement.release(held)
    assert simulated.vnpus() == []


def test_one_that_hangs_does_not_make_others_hang(
    machine: Make, slice_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the book gives up with a reason, and what was held is released when it is free again."""
    simulated = machine("910B3")
    held = slice_of(simulated.grant(memory=16384))
    simulated.enforcement.prepare(held)
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    with turn.taken("ascend", "vNPUs"):
        for ask in (simulated.enforcement.prepare, simulated.enforcement.release):
            with pytest.raises(EnforcementError, match="makes or removes vNPUs does not come back"):
                ask(held)
    simulated.enforcement.release(held)
    assert simulated.vnpus() == []
