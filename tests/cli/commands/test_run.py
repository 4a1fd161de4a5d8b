"""``hetero run``: a command in a slice, beside the slices that there are."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hetero.cli import group
from hetero.enforcement import region
from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.device import Health
from hetero.testing.fake import FakeEnforcement, fake_device, fake_devices, fake_vendor
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import (
        Hetero,
        Holder,
        Install,
        PodMaker,
        ShareMaker,
        StuckMaker,
        VendorMaker,
        Write,
    )

SEEN = ("--", "sh", "-c", 'echo "$FAKE_DEVICES $FAKE_MEMORY"')
"""Prints the devices and the memory that the fake vendor tells the program."""


@pytest.fixture
def slices(tmp_path: Path) -> Callable[[], list[str]]:
    """The slices that are stored."""

    def stored() -> list[str]:
        directory = tmp_path / "runtime/slices"
        return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []

    return stored


@pytest.fixture
def one_device(install: Install) -> Vendor:
    """A machine with one device of 12 GiB."""
    vendor = fake_vendor(devices=fake_devices(1, memory=12288))
    install(vendor)
    return vendor


@pytest.mark.parametrize(
    ("options", "memory"),
    [
        (["--memory", "2g"], 2048),
        (["--memory", "512m", "--cores", "30"], 512),
        (["--memory", "40%"], 4915),
        (["--memory", " 50 %"], 6144),
        (["--cores", "30"], 12288),
        (["--cores", "0"], 12288),
        (["--cores", "100%"], 12288),
        ([], 12288),
    ],
)
def test_the_program_gets_the_share_that_was_asked(hetero: Hetero, options: list[str], memory: int) -> None:
    """Sizes and percentages of memory; without any, all of it."""
    answer = hetero("run", "--device", "0", *options, *SEEN)
    assert (answer.code, answer.out, answer.err) == (0, f"fake-0 {memory}\n", "")


@pytest.mark.parametrize("device", ["1", "fake-1"])
def test_a_device_is_chosen_by_number_or_identity(hetero: Hetero, device: str) -> None:
    """Both are columns of ``hetero devices``."""
    assert hetero("run", "--device", device, "--memory", "1g", *SEEN).out == "fake-1 1024\n"


def test_without_a_choice_the_emptiest_device_serves(
    hetero: Hetero, two_devices: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """Programs disturb each other least when they are spread."""
    hold(two_devices, share(device=0, memory=4096))
    assert hetero("run", "--memory", "1g", *SEEN).out == "fake-1 1024\n"


def test_neither_memory_nor_compute_takes_the_device_whole(
    hetero: Hetero, one_device: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """As for a pod: who names no share wants the device alone, so any other slice is in the way."""
    assert hetero("run", "--", "true").code == 0
    hold(one_device, share(memory=1024))
    answer = hetero("run", "--", "true")
    assert answer.code == 2
    assert "a whole device was asked" in answer.told
    assert hetero("run", "--memory", "1g", "--", "true").code == 0


def test_a_device_taken_whole_has_no_room_for_a_second(
    hetero: Hetero, one_device: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """100 percent of compute is exclusive, however much memory is left."""
    hold(one_device, share(memory=1, cores=100))
    answer = hetero("run", "--memory", "1g", "--cores", "1", "--", "true")
    assert answer.code == 2
    assert "not enough compute" in answer.told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--memory", "1g"], "COMMAND: '' is missing; write it after --"),
        (["--memory", "lots", "--", "true"], "--memory: 'lots' is not a size"),
        (["--memory", "-2g", "--", "true"], "--memory: '-2g' is not a size"),
        (["--memory", "0", "--", "true"], "--memory: '0' is less than 1 MiB"),
        (["--memory", "0%", "--", "true"], "--memory: '0%' is not a percentage; write a whole number from 1 to 100"),
        (["--memory", "101%", "--", "true"], "--memory: '101%' is not a percentage"),
        (["--memory", "12.5%", "--", "true"], "--memory: '12.5%' is not a percentage"),
        (["--cores", "101", "--", "true"], "--cores: '101' is not a percentage; write a whole number from 0 to 100"),
        (["--cores", "-1", "--", "true"], "--cores: '-1' is not a percentage"),
        (["--cores", "half", "--", "true"], "--cores: 'half' is not a percentage"),
        (["--device", "2", "--", "true"], "--device: '2' is not on this machine; there are: 0 to 1"),
        (["--device", "-1", "--", "true"], "--device: '-1' is not on this machine"),
        (["--device", "fake-9", "--", "true"], "--device: 'fake-9' is not on this machine"),
        (["--vendor", "acme", "--", "true"], "--vendor: 'acme' has no device on this machine (see 'hetero devices')"),
        (["--vendor", "acme", "--device", "0", "--", "true"], "has not made the chosen device, fake has"),
        (["--container", "main", "--", "true"], "--container: 'main' needs a manifest; add -f FILE"),
        (["--memory", "99999999999999999999t", "--", "true"], "is more than any device has"),
        (["--memory", "", "--", "true"], "--memory: '' is empty; leave the option out or write a value"),
        (["--cores", " ", "--", "true"], "--cores: ' ' is empty"),
    ],
)
def test_a_wrong_option_is_one_sentence_with_field_and_value(
    hetero: Hetero, slices: Callable[[], list[str]], words: list[str], says: str
) -> None:
    """The user reads what was written, what is wrong with it and what to write; nothing is left behind."""
    answer = hetero("run", *words)
    assert answer.code == 2
    assert says in answer.told
    assert slices() == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--memory", "13g"], "has 12288 MiB, asked 13312 MiB"),
        (["--memory", "12289m", "--device", "1"], "asked 12289 MiB"),
    ],
)
def test_more_than_any_device_has_is_refused_with_both_figures(hetero: Hetero, options: list[str], says: str) -> None:
    """A slice that the device cannot give is refused in one sentence."""
    answer = hetero("run", *options, "--", "true")
    assert answer.code == 2
    assert answer.told.startswith("no device of this machine can hold the slice: ")
    assert says in answer.told


def test_a_second_slice_sees_what_the_first_took(
    hetero: Hetero, one_device: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """The second 7 GiB of 12 are refused, with the largest free figure; 5 GiB still fit."""
    hold(one_device, share(memory=7168))
    answer = hetero("run", "--memory", "7g", "--", "true")
    assert answer.code == 2
    assert "largest free 5120 MiB, asked 7168 MiB" in answer.told
    assert hetero("run", "--memory", "5g", *SEEN).out == "fake-0 5120\n"


def test_of_two_that_start_at_once_only_one_gets_what_only_one_can_have(tmp_path: Path, one_device: Vendor) -> None:
    """Finding room and taking it is one step: two runs of 7 GiB on 12 GiB never both start."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    running = {_forked(lambda: group.run(["run", "--memory", "7g", "--", "cat", str(gate)])) for _ in range(2)}
    try:
        loser, code = _first_to_end(running)
        running.discard(loser)
        assert code == 2
        with gate.open("w"):
            pass
        assert _first_to_end(running)[1] == 0
        running.clear()
    finally:
        for child in running:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _forked(action: Callable[[], int]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        code = action()
    except BaseException:
        code = 99
    os._exit(code)


def _first_to_end(children: set[int]) -> tuple[int, int]:
    """The first of the processes that ends, and its exit code; fails after a while, rather than hang."""
    for _ in range(2000):
        for child in children:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                return child, os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    pytest.fail("both hold the memory that only one can have")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["/dev/null"], 126),
        (["no-such-command"], 127),
    ],
)
def test_the_exit_code_is_that_of_the_command_and_the_slice_is_gone(
    hetero: Hetero, two_devices: Vendor, slices: Callable[[], list[str]], command: list[str], code: int
) -> None:
    """However the command ends, its code comes through, its vendor releases the slice, and no file is left."""
    answer = hetero("run", "--memory", "1g", "--", *command)
    assert answer.code == code
    assert slices() == []
    assert len(two_devices.enforcement.released) == 1  # type: ignore[attr-defined]


def test_a_process_left_behind_keeps_the_slice_until_it_ends(
    hetero: Hetero, two_devices: Vendor, slices: Callable[[], list[str]], tmp_path: Path
) -> None:
    """The slice is over when its last process is, not when its first is."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    hetero("run", "--memory", "1g", "--", "sh", "-c", f"cat {gate} >/dev/null 2>&1 & true")
    assert len(slices()) == 1
    assert hetero("devices", "--output", "json").json["devices"][0]["slices"] == 1
    with gate.open("w"):
        pass
    for _ in range(2000):
        if not hetero("devices", "--output", "json").json["devices"][0]["slices"]:
            break
        time.sleep(0.01)
    assert slices() == []


def test_words_after_the_command_are_the_commands(hetero: Hetero) -> None:
    """Options after the command's name belong to the command, with ``--`` and without."""
    for words in (["--", "echo", "--memory", "1"], ["echo", "--memory", "1"]):
        assert hetero("run", "--memory", "1g", *words).out == "--memory 1\n"


def test_the_environment_reaches_the_command(hetero: Hetero, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user exports is there; what the slice needs is added."""
    monkeypatch.setenv("MINE", "kept")
    answer = hetero("run", "--memory", "1g", "--", "sh", "-c", 'echo "$MINE $FAKE_MEMORY $HETERO_SLICE"')
    mine, memory, mark = answer.out.split()
    assert (mine, memory) == ("kept", "1024")
    assert mark.startswith("fake-")


def test_a_slice_within_a_slice_is_refused(hetero: Hetero, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a slice the device already looks smaller, so a slice of it would be charged to nobody."""
    monkeypatch.setenv("HETERO_SLICE", "fake-0123")
    answer = hetero("run", "--memory", "1g", "--", "true")
    assert answer.code == 2
    assert answer.told == "HETERO_SLICE: 'fake-0123' is set: this is a slice already; run the command as it is"


def test_a_machine_with_two_vendors_asks_which(hetero: Hetero, install: Install, two_devices: Vendor) -> None:
    """Programs are built for one vendor's devices: guessing would start them on the wrong ones."""
    install(two_devices, fake_vendor("other", devices=fake_devices(1, vendor="other")))
    answer = hetero("run", "--memory", "1g", "--", "true")
    assert answer.code == 2
    assert answer.told == (
        "--vendor is needed: this machine has devices of several kinds (fake, other); see 'hetero devices'"
    )
    assert hetero("run", "--vendor", "other", "--memory", "1g", "--", "printenv", "OTHER_DEVICES").out == "other-0\n"
    assert hetero("run", "--device", "2", "--memory", "1g", "--", "printenv", "OTHER_DEVICES").out == "other-0\n"


def test_a_machine_without_devices_is_one_sentence(hetero: Hetero, install: Install) -> None:
    """There is nothing to slice."""
    install(fake_vendor(devices=None))
    answer = hetero("run", "--memory", "1g", "--", "true")
    assert answer.code == 2
    reason = "fake: libfake.so.1 was not found: install the fake driver"
    assert answer.told == f"this machine has no device to slice ({reason}); see 'hetero doctor'"
    assert hetero("run", "--device", "0", "--", "true").told == answer.told


def test_drivers_that_are_not_here_are_told_together(hetero: Hetero, install: Install) -> None:
    """What each of them needs is the doctor's to say; a driver that fails is told in its own words."""
    install(fake_vendor(devices=None), fake_vendor("other", devices=None))
    answer = hetero("run", "--memory", "1g", "--", "true")
    assert answer.told == (
        "this machine has no device to slice (none of the drivers of fake, other is installed); see 'hetero doctor'"
    )


def test_an_unhealthy_device_is_not_given(hetero: Hetero, install: Install) -> None:
    """The reason that the driver gives is part of the sentence."""
    install(fake_vendor(devices=[fake_device(health=Health(ok=False, reason="fell off the bus"))]))
    answer = hetero("run", "--memory", "1g", "--", "true")
    assert answer.code == 2
    assert "fell off the bus" in answer.told


def test_a_vendor_that_fails_hides_no_other(
    hetero: Hetero, install: Install, two_devices: Vendor, broken: VendorMaker
) -> None:
    """The slice is made on the vendor that works; what is wrong with the other is told once, also who asks for it."""
    install(broken("broken", RuntimeError("boom")), two_devices)
    answer = hetero("run", "--memory", "1g", *SEEN)
    assert (answer.out, answer.told) == ("fake-0 1024\n", "no broken devices: boom")
    refused = hetero("run", "--vendor", "broken", "--memory", "1g", *SEEN)
    assert refused.code == 2
    assert [line.split(":")[1] for line in refused.err.splitlines()] == [" no broken devices", " --vendor"]


def test_a_vendor_that_cannot_make_the_slice_is_a_failure(
    hetero: Hetero, two_devices: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the user's doing: exit code 1 and the vendor's sentence; the command does not run."""

    def prepare(_: object) -> None:
        raise EnforcementError("the library is not installed; build it")

    monkeypatch.setattr(two_devices.enforcement, "prepare", prepare)
    answer = hetero("run", "--memory", "1g", "--", "echo", "ran")
    assert (answer.code, answer.told, answer.out) == (1, "the library is not installed; build it", "")


def test_a_region_holds_the_limits_while_the_command_runs(hetero: Hetero, install: Install, tmp_path: Path) -> None:
    """Where a vendor enforces by a region, the core writes the limits into it before the program starts."""
    install(fake_vendor(devices=fake_devices(1, memory=12288), region=True))
    copy = tmp_path / "copy"
    script = f'cp "$HETERO_RUNTIME_DIR"/slices/*/region {copy}'
    assert hetero("run", "--memory", "2g", "--cores", "30", "--", "sh", "-c", script).code == 0
    [device] = region.read(copy).devices
    assert (device.uuid, device.memory_limit, device.core_limit) == ("fake-0", 2048 * 1024 * 1024, 30)


def test_a_slice_on_a_device_that_is_gone_is_no_trouble(
    hetero: Hetero, install: Install, two_devices: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """There is nothing left to account for, and the other devices still serve."""
    hold(two_devices, share(device=1, memory=4096))
    install(fake_vendor(devices=fake_devices(1, memory=12288)))
    assert hetero("run", "--memory", "12g", *SEEN).out == "fake-0 12288\n"


def test_a_directory_that_cannot_be_used_is_one_sentence(
    hetero: Hetero, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the directory and the variable that chooses another."""
    (tmp_path / "occupied").write_text("a file")
    monkeypatch.setenv("HETERO_RUNTIME_DIR", str(tmp_path / "occupied"))
    answer = hetero("run", "--memory", "1g", "--", "true")
    assert answer.code == 1
    assert "HETERO_RUNTIME_DIR" in answer.told


LIMITS = {"fake.example/npu": 1, "fake.example/npumem": 1024, "fake.example/npucores": 30}


def test_a_manifest_gives_ask_command_and_variables(
    hetero: Hetero, write: Write, pod: PodMaker, tmp_path: Path
) -> None:
    """The container's own command runs, with its variables, in its directory."""
    file = write(
        pod(
            limits=LIMITS,
            command=["sh", "-c"],
            args=['echo "$FAKE_MEMORY $COLOUR $(pwd)"'],
            env=[{"name": "COLOUR", "value": "blue"}],
            workingDir=str(tmp_path),
        )
    )
    answer = hetero("run", "-f", file)
    assert (answer.code, answer.out) == (0, f"1024 blue {tmp_path}\n")


def test_a_command_after_a_manifest_replaces_the_containers(hetero: Hetero, write: Write, pod: PodMaker) -> None:
    """The ask is the manifest's, the command is the user's."""
    file = write(pod(limits=LIMITS, command=["no-such-command"], workingDir="/no/such/directory"))
    assert hetero("run", "-f", file, *SEEN).out == "fake-0 1024\n"


@pytest.mark.parametrize("option", [["--memory", "1g"], ["--cores", "3"], ["--device", "0"], ["--vendor", "fake"]])
def test_a_manifest_and_options_exclude_each_other(
    hetero: Hetero, write: Write, pod: PodMaker, option: list[str]
) -> None:
    """Two descriptions of one slice would leave open which holds."""
    answer = hetero("run", "-f", write(pod(limits=LIMITS)), *option, "--", "true")
    assert answer.code == 2
    assert "cannot be combined with options that describe the slice" in answer.told


def test_several_devices_may_be_asked_by_a_manifest(hetero: Hetero, write: Write, pod: PodMaker) -> None:
    """A count of two gives the same share of two devices."""
    assert hetero("run", "-f", write(pod(limits={**LIMITS, "fake.example/npu": 2})), *SEEN).out in (
        "fake-0,fake-1 1024,1024\n",
        "fake-1,fake-0 1024,1024\n",
    )
    answer = hetero("run", "-f", write(pod(limits={**LIMITS, "fake.example/npu": 3})), *SEEN)
    assert answer.code == 2
    assert "asked 3 devices, the node has 2" in answer.told


def test_a_directory_that_is_gone_stays_gone(hetero: Hetero, tmp_path: Path) -> None:
    """A simulated machine removes its own when its command ends: what still runs then makes no new one."""
    answer = hetero("run", "--memory", "1g", "--", "sh", "-c", 'rm -rf "$HETERO_RUNTIME_DIR"; exit 7')
    assert (answer.code, answer.err) == (7, "")
    assert not (tmp_path / "runtime").exists()


def test_the_exit_code_survives_a_clean_up_that_fails(hetero: Hetero, install: Install, two_devices: Vendor) -> None:
    """What the program says of itself matters more than a directory that it broke."""
    install(two_devices)
    script = 'rm -rf "$HETERO_RUNTIME_DIR"; touch "$HETERO_RUNTIME_DIR"; exit 7'
    assert hetero("run", "--memory", "1g", "--", "sh", "-c", script).code == 7


def test_policy_and_priority_are_in_the_region(hetero: Hetero, install: Install, tmp_path: Path) -> None:
    """Whoever lends reads them there; nothing said is a cap of middling priority."""
    install(fake_vendor(devices=fake_devices(1, memory=12288), region=True))
    copy = tmp_path / "copy"
    script = ("--", "sh", "-c", f'cp "$HETERO_RUNTIME_DIR"/slices/*/region {copy}')
    for options, policy in (((), ("cap", 1)), (("--policy", "conserve", "--priority", "0"), ("conserve", 0))):
        assert hetero("run", "--memory", "1g", "--cores", "30", *options, *script).code == 0
        [device] = region.read(copy).devices
        assert (device.policy, device.priority) == policy


def test_a_policy_that_does_not_exist_is_refused(hetero: Hetero) -> None:
    """The two that exist are in the sentence."""
    answer = hetero("run", "--memory", "1g", "--policy", "greedy", "--", "true")
    assert answer.code == 2
    assert "'cap', 'conserve'" in answer.told


def test_a_conserving_slice_is_lent_what_nobody_was_promised(hetero: Hetero, install: Install, tmp_path: Path) -> None:
    """While its command runs; the command here plays a program that is held back, and looks at its region."""
    install(fake_vendor(devices=fake_devices(1, memory=12288), region=True))
    program = tmp_path / "program.py"
    program.write_text(PLAYER)
    words = ("--memory", "1g", "--cores", "30", "--", sys.executable, program)
    answer = hetero("run", "--policy", "conserve", *words, 1500)
    assert (answer.code, answer.out) == (0, "70\n")
    assert hetero("run", *words, 5).out == "0\n"


def test_a_slice_of_a_higher_priority_goes_first(
    hetero: Hetero, install: Install, hold: Holder, share: ShareMaker, tmp_path: Path
) -> None:
    """While its command runs; the command here plays a program that launches, and looks at the other one's region."""
    vendor = fake_vendor(devices=fake_devices(1, memory=12288), region=True)
    install(vendor)
    other = hold(vendor, share(memory=1024)).held.region
    program = tmp_path / "program.py"
    program.write_text(FIRST)
    words = ("run", "--memory", "1g", "--priority")
    assert hetero(*words, 0, "--", sys.executable, program, other, 1500).out == "1\n"
    assert not region.read(Path(other)).devices[0].yielding  # it has ended
    assert hetero(*words, 1, "--", sys.executable, program, other, 5).out == "0\n"
    (tmp_path / "config.yaml").write_text("agent: {precedence: 'off'}\n")
    off = hetero("--config", tmp_path / "config.yaml", *words, 0, "--", sys.executable, program, other, 5)
    assert off.out == "0\n"


FIRST = """
import os, pathlib, sys, time
from hetero.enforcement import layout, region
other = pathlib.Path(sys.argv[1])
[path] = [path for path in pathlib.Path(os.environ["HETERO_RUNTIME_DIR"]).glob("slices/*/region") if path != other]
for _ in range(int(sys.argv[2])):
    with path.open("r+b") as file:
        file.seek(layout.DEVICE.start + layout.DEVICE.fields["wanted_ns"].offset)
        file.write(time.monotonic_ns().to_bytes(8, "little"))
    if region.read(other).devices[0].yielding:
        break
    time.sleep(0.02)
print(int(region.read(other).devices[0].yielding))
"""


PLAYER = """
import os, pathlib, sys, time
from hetero.enforcement import accounts, layout
[path] = pathlib.Path(os.environ["HETERO_RUNTIME_DIR"]).glob("slices/*/region")
for _ in range(int(sys.argv[1])):
    with path.open("r+b") as file:
        for name in ("wanted_ns", "throttled_ns"):
            file.seek(layout.DEVICE.start + layout.DEVICE.fields[name].offset)
            file.write(time.monotonic_ns().to_bytes(8, "little"))
    [account] = accounts.read(path)
    if account.lent:
        break
    time.sleep(0.02)
print(account.lent)
"""


def test_a_driver_that_hangs_is_one_sentence_and_keeps_nobody_waiting(
    hetero: Hetero, install: Install, two_devices: Vendor, stuck: StuckMaker, write: Write
) -> None:
    """Nothing is sliced by a vendor that does not answer; the other vendor's devices serve as ever."""
    install(stuck("broken", as_configured=True))
    impatient = write({"drivers": {"deadline_s": 0.05}}, name="impatient.yaml")
    answer = hetero("--config", impatient, "run", "--", "true")
    assert answer.code == 2
    assert "broken: the driver did not come back from 'devices' within 0.05 s" in answer.err
    install(stuck("broken"), two_devices)
    assert hetero("run", *SEEN).out.startswith("fake-0")


def test_a_slice_that_is_not_made_in_time_is_no_slice(
    *,
    hetero: Hetero,
    install: Install,
    two_devices: Vendor,
    write: Write,
    slices: Callable[[], list[str]],
) -> None:
    """The command does not start without its limits, and what was begun is undone as soon as the driver is back."""
    gate = threading.Event()

    class Hanging(FakeEnforcement):
        def prepare(self, held: Slice) -> ContainerEdits:
            gate.wait()
            return super().prepare(held)

    install(replace(two_devices, enforcement=Hanging("fake")))
    impatient = write({"drivers": {"prepare_s": 0.05}}, name="impatient.yaml")
    answer = hetero("--config", impatient, "run", "--", "echo", "started")
    gate.set()
    assert (answer.code, answer.out) == (1, "")
    assert "the driver did not come back from 'prepare' within 0.05 s" in answer.err
    assert hetero("devices", "--output", "json").json["devices"][0]["slices"] == 0
    assert slices() == []
