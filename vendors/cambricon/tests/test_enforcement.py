"""Slices of a card as the simulated driver keeps them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hetero_cambricon import smlu
from hetero_cambricon.cndev import Cndev
from hetero_cambricon.enforcement import SmluEnforcement

from hetero import turn
from hetero.errors import DriverFailed, EnforcementError
from hetero.model.allocation import Grant, Mount, Slice
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.quantity import MIB
from hetero.model.share import Share

MLU590 = {"model": "MLU590-M9", "memory": 80675}
Make = Callable[..., Any]
SliceOf = Callable[..., Slice]
Grants = Callable[..., Grant]


def test_a_slice_is_made_and_told(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """The card's nodes and that of the slice, and the variable that the vendor's runtime reads."""
    made = machine()
    edits = made.enforcement.prepare(slice_of(grant(made.devices()[0], memory=5120, cores=30)))
    cap = "/dev/cambricon-caps/cap_dev0_mi1"
    assert edits.env == {"VIRTUAL_DEVICES": f"/dev/cambricon_dev0,/dev/cambricon_ipcm0,{cap}"}
    assert edits.device_nodes == ("/dev/cambricon_dev0", "/dev/cambricon_ipcm0", "/dev/cambricon_ctl", cap)
    [one] = made.instances()
    assert (one.cores, one.memory, one.name) == (30, 5120 * MIB, "hetero-s-0")
    assert (made.root / cap.lstrip("/")).exists()


def test_several_cards_have_limits_each_of_its_own(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Today's plugin gives one card to a pod; ours gives as many slices as were asked, in their order."""
    made = machine()
    first, second = made.devices()
    edits = made.enforcement.prepare(
        slice_of(grant(second, memory=2048, cores=20), grant(first, memory=1024, cores=10))
    )
    assert edits.env["VIRTUAL_DEVICES"].split(";") == [
        "/dev/cambricon_dev1,/dev/cambricon_ipcm1,/dev/cambricon-caps/cap_dev1_mi1",
        "/dev/cambricon_dev0,/dev/cambricon_ipcm0,/dev/cambricon-caps/cap_dev0_mi1",
    ]
    assert [(one.cores, one.memory) for card in (0, 1) for one in made.instances(card)] == [
        (10, 1024 * MIB),
        (20, 2048 * MIB),
    ]


def test_a_card_that_is_given_whole_needs_no_slice(machine: Make, slice_of: SliceOf) -> None:
    """Its number and its nodes; nothing is made, and nothing is destroyed."""
    made = machine({**MLU590, "smlu": False}, {**MLU590, "smlu": False})
    held = slice_of(*(Grant(device=one, share=Share(quantities=one.model.capacity)) for one in made.devices()))
    edits = made.enforcement.prepare(held)
    assert edits.env == {"CAMBRICON_VISIBLE_DEVICES": "0,1"}
    assert [node for node in edits.device_nodes if "caps" in node] == []
    made.enforcement.release(held)


def test_a_whole_card_in_smlu_mode_is_a_slice_of_all(machine: Make, slice_of: SliceOf) -> None:
    """As the vendor's plugin does it in that mode."""
    made = machine(MLU590)
    [device] = made.devices()
    made.enforcement.prepare(slice_of(Grant(device=device, share=Share(quantities=device.model.capacity))))
    [one] = made.instances()
    assert (one.cores, one.memory) == (100, 80675 * MIB)


def test_the_vendors_tool_comes_along_where_it_is(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Named as on the machine itself, read-only."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    assert made.enforcement.prepare(held).mounts == ()
    tool = made.root / "usr/bin/cnmon"
    tool.parent.mkdir(parents=True)
    tool.touch()
    assert made.enforcement.prepare(held).mounts == (
        Mount(host_path="/usr/bin/cnmon", container_path="/usr/bin/cnmon"),
    )


def test_preparing_again_adopts_what_is_there(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """The same instance, whoever asks."""
    made = machine()
    held = slice_of(*(grant(device) for device in made.devices()))
    first = made.enforcement.prepare(held)
    assert made.enforcement.prepare(held) == first
    assert SmluEnforcement(Cndev()).prepare(held) == first
    assert [len(made.instances(card)) for card in (0, 1)] == [1, 1]


def test_a_slice_of_another_size_is_made_anew(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """What a record that was lost left behind under the same name is not what is wanted now."""
    made = machine(MLU590)
    [device] = made.devices()
    made.enforcement.prepare(slice_of(grant(device, memory=1024, cores=10)))
    made.enforcement.prepare(slice_of(grant(device, memory=2048, cores=10)))
    [one] = made.instances()
    assert one.memory == 2048 * MIB


def test_equal_slices_share_a_profile(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """The size is made once, and goes with the last of its slices."""
    made = machine(MLU590)
    [device] = made.devices()
    held = [slice_of(grant(device), name=f"s{number}") for number in range(3)]
    for one in held:
        made.enforcement.prepare(one)
    assert len(made.instances()) == 3
    assert len(made.profiles()) == 1
    for one in held:
        assert len(made.profiles()) == 1
        made.enforcement.release(one)
    assert (made.instances(), made.profiles()) == ([], [])


def test_a_profile_without_room_is_not_reused(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """The card is full: the sentence says who may hold it, and nothing of the attempt stays."""
    made = machine(MLU590)
    [device] = made.devices()
    made.enforcement.prepare(slice_of(grant(device, cores=60), name="first"))
    with pytest.raises(EnforcementError, match=r"card 0 has no room for it.*asked 1024 MiB and 60 %"):
        made.enforcement.prepare(slice_of(grant(device, cores=60), name="second"))
    assert len(made.instances()) == 1
    assert len(made.profiles()) == 1


def test_many_at_once_leave_nothing(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Slices of one size come and go in several processes: nobody destroys the size that another is about to use."""
    made = machine(MLU590)
    [device] = made.devices()
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            held = [slice_of(grant(device), name=f"s{number}-{turn}") for turn in range(5)]
            try:
                for one in held:
                    made.enforcement.prepare(one)
                    made.enforcement.release(one)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert (made.instances(), made.profiles()) == ([], [])


def test_releasing_leaves_nothing_and_may_come_any_time(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Before, after and twice."""
    made = machine()
    held = slice_of(*(grant(device) for device in made.devices()))
    made.enforcement.release(held)
    first = made.enforcement.prepare(held)
    made.enforcement.release(held)
    made.enforcement.release(held)
    assert [(made.instances(card), made.profiles(card)) for card in (0, 1)] == [([], []), ([], [])]
    assert not list((made.root / "dev/cambricon-caps").iterdir())
    assert made.enforcement.prepare(held) == first


def test_other_peoples_slices_are_left_alone(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Neither instances with other names nor the sizes that they use."""
    made = machine(MLU590)
    [device] = made.devices()
    profile = smlu.make_profile(made.cndev, 0, 10, 1024 * MIB)
    theirs = smlu.make(made.cndev, 0, profile, "somebody's")
    held = slice_of(grant(device))
    made.enforcement.prepare(held)
    assert len(made.profiles()) == 1
    made.enforcement.release(held)
    assert made.instances() == [theirs]
    assert [one.id for one in made.profiles()] == [profile]


def test_a_slice_in_use_is_destroyed_later(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """The driver refuses while a program is there; the core comes again."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    made.enforcement.prepare(held)
    made.change("busy", "hetero-s-0:100:5")
    with pytest.raises(EnforcementError, match="slice hetero-s-0 of card 0 is still used by a program; end it"):
        made.enforcement.release(held)
    made.change("busy", "")
    made.enforcement.release(held)
    assert made.instances() == []


@pytest.mark.parametrize(
    "call",
    [
        "cndevCreateSMluProfileInfo",
        "cndevCreateSMluInstanceByProfileId",
        "cndevDestroySMluInstanceByInstanceName",
        "cndevDestroySMluProfileInfo",
    ],
)
@pytest.mark.parametrize("moment", ["die", "die-after"])
def test_death_at_the_driver_is_made_good(
    machine: Make, grant: Grants, slice_of: SliceOf, call: str, moment: str
) -> None:
    """Before and after each call that changes something: the next attempt leaves one slice, or none."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    made.fail(f"{call} 1 {moment}")
    child = os.fork()
    if child == 0:
        try:
            made.enforcement.prepare(held)
            made.enforcement.release(held)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    made.fail()
    if "Destroy" not in call:
        made.enforcement.prepare(held)
        assert [one.name for one in made.instances()] == ["hetero-s-0"]
    made.enforcement.release(held)
    assert (made.instances(), made.profiles()) == ([], [])


@pytest.mark.parametrize("call", ["cndevCreateSMluProfileInfo", "cndevCreateSMluInstanceByProfileId"])
@pytest.mark.parametrize(
    "refusal",
    [
        (9, EnforcementError, "has no room"),
        (10, EnforcementError, "is not in sMLU mode any more; turn it on"),
        (13, EnforcementError, "does not let this user make slices; run as root"),
        (7, DriverFailed, "answered 7"),
        (18, DriverFailed, "answered 18"),
    ],
)
def test_the_drivers_refusal_is_told(
    machine: Make, grant: Grants, slice_of: SliceOf, call: str, refusal: tuple[int, type[Exception], str]
) -> None:
    """In a sentence with what to do where there is something to do; nothing stays behind."""
    code, kind, sentence = refusal
    made = machine(MLU590)
    made.fail(f"{call} 1 fail {code}")
    with pytest.raises(kind, match=sentence):
        made.enforcement.prepare(slice_of(grant(made.devices()[0])))
    assert (made.instances(), made.profiles()) == ([], [])


@pytest.mark.parametrize("action", ["fail 7", "garbage"])
def test_a_slice_that_cannot_be_looked_at_is_undone(
    machine: Make, grant: Grants, slice_of: SliceOf, action: str
) -> None:
    """Made, and then the driver does not tell what it made."""
    made = machine(MLU590)
    made.fail(f"cndevGetSMluInstanceInfo 1 {action}")
    with pytest.raises(DriverFailed):
        made.enforcement.prepare(slice_of(grant(made.devices()[0])))
    assert made.instances() == []


def test_a_driver_that_rounds_down_is_refused(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Who asked for so much would get less."""
    made = machine(MLU590, smlu_round_mib=1024, smlu_round_down=True)
    with pytest.raises(EnforcementError, match=r"makes 1024 MiB and 10 % of a slice of 1280 MiB and 10 %.*less than"):
        made.enforcement.prepare(slice_of(grant(made.devices()[0], memory=1280)))
    assert (made.instances(), made.profiles()) == ([], [])


def test_a_driver_that_rounds_up_takes_no_more_than_is_charged(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Less than a unit is its own affair; by more the card would be full before the planner knows. Nothing stays."""
    made = machine(MLU590, smlu_round_mib=1024)
    device = made.devices()[0]
    with pytest.raises(
        EnforcementError, match=r"makes 2048 MiB and 10 % of a slice of 1280 MiB .*more than is charged"
    ):
        made.enforcement.prepare(slice_of(grant(device, memory=1280)))
    assert (made.instances(), made.profiles()) == ([], [])
    held = slice_of(grant(device, memory=2048))
    made.enforcement.prepare(held)
    [one] = made.instances()
    made.enforcement.prepare(held)
    assert made.instances() == [one]
    assert one.memory == 2048 * MIB


def test_a_slice_without_a_node_is_refused(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """A container would start without its limits."""
    made = machine(MLU590, smlu_node=False)
    held = slice_of(grant(made.devices()[0]))
    with pytest.raises(EnforcementError, match="without its device node /dev/cambricon-caps/cap_dev0_mi1"):
        made.enforcement.prepare(held)
    made.enforcement.release(held)
    assert made.instances() == []


def test_a_card_that_is_gone_gives_no_slice(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Another card stands in its place; of what was on it nothing is left to destroy."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    made.change("uuid", "ffffffff-1916-0000-0000-000000000000")
    with pytest.raises(EnforcementError, match=r"the driver does not list MLU-.* any more"):
        made.enforcement.prepare(held)
    made.enforcement.release(held)


def test_a_card_that_cannot_be_asked_keeps_its_slice_for_now(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """It may come back with the slice on it: releasing is tried again until it is really gone."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    made.enforcement.prepare(held)
    made.change("health", "lost")
    with pytest.raises(EnforcementError, match="slice s cannot be destroyed: cndevGetUUID answered 18"):
        made.enforcement.release(held)
    made.change("health", "ok")
    made.enforcement.release(held)
    assert made.instances() == []


def test_a_card_whose_mode_is_off_has_no_slices(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Making one is refused with what to do; releasing has nothing to do."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    made.change("smlu", "off")
    with pytest.raises(EnforcementError, match="cnmon set -c N -smlu on"):
        made.enforcement.prepare(held)
    made.enforcement.release(held)


def test_a_moved_card_is_found_by_its_identity(machine: Make, slice_of: SliceOf) -> None:
    """Its number in the record is that of before a card was added."""
    made = machine()
    second = made.devices()[1]
    before = msgspec.structs.replace(second, index=0, paths=("/dev/cambricon_dev0",))
    share = Share(quantities={SLOTS: 1, MEMORY: 256, CORES: 1})
    edits = made.enforcement.prepare(slice_of(Grant(device=before, share=share)))
    assert edits.device_nodes[0] == "/dev/cambricon_dev1"


def test_the_lock_is_the_owners_alone(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """Its directory is made on demand; where that cannot be, the sentence says who makes slices."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    made.enforcement.prepare(held)
    directory = made.root / "run/hetero/cambricon"
    assert directory.stat().st_mode & 0o777 == 0o700
    made.enforcement.release(held)
    (directory / "lock").unlink()
    directory.rmdir()
    Path(directory).touch()
    with pytest.raises(EnforcementError, match="slices of cards are made by root"):
        made.enforcement.prepare(held)


def test_doctor_is_told_of_versions_modes_and_missing_cards(machine: Make) -> None:
    """Good findings are told too; what is not good comes with what to do."""
    made = machine()
    assert all(one.ok for one in made.enforcement.check())
    made.change_machine("driver_version", "5.10.26")
    made.change_machine("listed", "1")
    versions, bus, modes = made.enforcement.check()
    assert not versions.ok
    assert "needs driver 5.10.27 and cndev 3.9.0" in versions.advice
    assert (bus.ok, bus.detail) == (False, "2 on the bus, 1 listed by the driver")
    assert modes.detail == "on for 1 of 1 cards"
    made.fail("cndevGetDeviceCount * fail 1")
    assert list(made.enforcement.check()) == []


def test_doctor_is_told_of_a_card_without_identity(machine: Make) -> None:
    """Of one that never told it no device can be shown; the others are as they are."""
    made = machine()
    made.fail("cndevGetUUID 2 garbage")
    [bad] = [one for one in made.enforcement.check() if not one.ok]
    assert bad.subject == "card 1"
    assert "which is no identity" in bad.detail


def test_one_that_hangs_does_not_make_others_hang(
    machine: Make, grant: Grants, slice_of: SliceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the lock gives up with a reason, and what was held is released when it is free again."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0]))
    made.enforcement.prepare(held)
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    with turn.taken("cambricon", "slices of cards"):
        for ask in (made.enforcement.prepare, made.enforcement.release):
            with pytest.raises(EnforcementError, match="makes or removes slices of cards does not come back"):
                ask(held)
    made.enforcement.release(held)
    assert made.instances() == []


def test_twenty_slices_of_a_card_are_all_seen(machine: Make, grant: Grants, slice_of: SliceOf) -> None:
    """The library lists as many as there is room for: one that was not seen could be neither adopted nor destroyed."""
    made = machine(MLU590)
    [card] = made.devices()
    held = [slice_of(grant(card, memory=256, cores=1), name=f"s{number}") for number in range(20)]
    edits = [made.enforcement.prepare(one) for one in held]
    assert len(made.instances()) == 20
    assert len({one.device_nodes[-1] for one in edits}) == 20
    assert [made.enforcement.prepare(one) for one in held] == edits
    for one in reversed(held):
        made.enforcement.release(one)
    assert (made.instances(), made.profiles()) == ([], [])


@pytest.mark.parametrize("code", [15, 16, 14, 5])
def test_a_size_that_somebody_has_just_used_stays(machine: Make, grant: Grants, slice_of: SliceOf, code: int) -> None:
    """Whatever the driver calls it: the slice itself is gone, and that is what was asked."""
    made = machine(MLU590)
    held = slice_of(grant(made.devices()[0], memory=256, cores=1))
    made.enforcement.prepare(held)
    made.fail(f"cndevDestroySMluProfileInfo * fail {code}")
    made.enforcement.release(held)
    assert (made.instances(), len(made.profiles())) == ([], 1)
    made.fail()
    made.enforcement.release(held)
    assert made.profiles() == []
