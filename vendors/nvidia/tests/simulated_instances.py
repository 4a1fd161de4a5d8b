"""Instances on a simulated machine: made, adopted, left alone and destroyed; run by ``test_simulated.py``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from ctypes import byref
from pathlib import Path
from typing import Any

import hetero_native
import partitioned
import pynvml
import pytest
from hetero_nvidia import checks, mig, nvidia
from hetero_nvidia.enforcement import GpuEnforcement
from hetero_nvidia.instances import Instances
from hetero_nvidia.nvml import Nvml

from hetero import turn
from hetero.errors import EnforcementError, HeteroError
from hetero.model.allocation import Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import Device
from hetero.model.share import Share
from hetero.testing.subject import with_region

os.environ.update(partitioned.environment())
os.environ["CUDA_MPS_PIPE_DIRECTORY"] = str(partitioned.directory() / "no-pipes")
FIRST, SECOND, SOFTWARE = nvidia.discovery.devices()
NVML = Nvml()

enforcement = GpuEnforcement(NVML)
instances = Instances(NVML)

Slices = Callable[..., Slice]


def grants(device: Device, **ask: Any) -> list[Grant]:
    """All ways to grant an ask on a device."""
    asked = Ask(vendor="nvidia", **ask)
    first = nvidia.splitting.split(device.model, asked)
    assert isinstance(first, Share), first
    others = nvidia.splitting.alternatives(device.model, asked)
    return [Grant(device=device, share=share) for share in (first, *others)]


@pytest.fixture
def slice_of(tmp_path: Path) -> Iterator[Slices]:
    """A slice with these grants, which is over when the test is."""
    made: list[Slice] = []

    def make(*held: Grant) -> Slice:
        directory = tmp_path / f"slice-{len(made)}"
        directory.mkdir()
        made.append(Slice(id=f"s{len(made)}", grants=held, directory=str(directory)))
        return made[-1]

    yield make
    for held in made:
        enforcement.release(held)
    assert (lying(FIRST), lying(SECOND)) == ([], [])


@pytest.fixture
def faults() -> Iterator[Callable[..., None]]:
    """Have the driver's calls fail until the end of the test."""
    path = partitioned.directory() / "faults"

    def write(*lines: str) -> None:
        path.write_text("".join(f"{line}\n" for line in lines))

    yield write
    write()


def lying(device: Device) -> list[tuple[str, int, int]]:
    """What lies on a GPU."""
    return instances.listed(device.uuid)


def by_hand(device: Device, profile: int, start: int, size: int) -> Any:
    """A GPU instance that somebody else makes."""
    handle = NVML.call("nvmlDeviceGetHandleByUUID", device.uuid)
    place = pynvml.c_nvmlGpuInstancePlacement_t(start, size)
    return NVML.call("nvmlDeviceCreateGpuInstanceWithPlacement", handle, profile, byref(place))


def test_a_program_gets_its_instance_and_nothing_else(slice_of: Slices) -> None:
    """The device by its own identity, the files that open it, no library and no limit."""
    edits = enforcement.prepare(slice_of(grants(FIRST, memory=4000)[0]))
    uuid = edits.env["CUDA_VISIBLE_DEVICES"]
    assert uuid.startswith("MIG-")
    assert edits.env == {"CUDA_VISIBLE_DEVICES": uuid, "NVIDIA_VISIBLE_DEVICES": uuid}
    assert edits.preload == ()
    shared = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
    # The first instance of the smallest size is number 7, and so its files are 66 and 67, as on a real driver.
    assert edits.device_nodes == (*shared, "/dev/nvidia-caps/nvidia-cap66", "/dev/nvidia-caps/nvidia-cap67")
    assert lying(FIRST) == [("1g.5gb", 6, 1)]


@pytest.mark.parametrize("profile", [one.name for one in mig.profiles_of(FIRST.model)])
def test_every_profile_is_made_at_each_of_its_places(slice_of: Slices, profile: str) -> None:
    """Where the planner put it, and nowhere else; then the place is free again."""
    for grant in grants(SECOND, template=profile):
        held = slice_of(grant)
        enforcement.prepare(held)
        assert lying(SECOND) == [(profile, *mig.position(grant.share.quantities))]
        enforcement.release(held)
        assert lying(SECOND) == []


def test_seven_slices_share_a_card(slice_of: Slices) -> None:
    """Each its own instance, all at once."""
    made = [enforcement.prepare(slice_of(grant)) for grant in grants(FIRST, template="1g.5gb")]
    assert len({edits.env["CUDA_VISIBLE_DEVICES"] for edits in made}) == 7
    assert [start for _, start, _ in lying(FIRST)] == list(range(7))


def test_instances_and_shares_by_software_go_side_by_side(slice_of: Slices) -> None:
    """Shares come first, with limits by position in what the program sees; no hardware keeps those."""
    one, two = grants(FIRST, template="1g.5gb")[:2]
    shared = grants(SOFTWARE, memory=2048, cores=30)[0]
    edits = enforcement.prepare(slice_of(one, shared, two))
    software, first, second = edits.env["CUDA_VISIBLE_DEVICES"].split(",")
    assert (software, first[:4], second[:4]) == (SOFTWARE.uuid, "MIG-", "MIG-")
    assert first != second
    limits = {name: value for name, value in edits.env.items() if "LIMIT" in name}
    assert limits == {"CUDA_DEVICE_MEMORY_LIMIT_0": "2048m", "CUDA_DEVICE_SM_LIMIT": "30"}
    assert [Path(library).name for library in edits.preload] == ["libvgpu.so"]
    assert len(lying(FIRST)) == 2


@pytest.mark.parametrize("mixed", [False, True])
def test_a_share_beside_an_instance_has_its_limit(slice_of: Slices, mixed: bool) -> None:
    """Whichever was asked first: the program's region is of all that it holds, and its limit is that of its share."""
    pair = [grants(SOFTWARE, memory=2048)[0], grants(FIRST, template="2g.10gb")[0]]
    held = with_region(slice_of(*(reversed(pair) if mixed else pair)))
    edits = enforcement.prepare(held)
    env = edits.env | {"LD_PRELOAD": edits.preload[0]}
    hold = [str(hetero_native.program("hold")), "--mib"]
    with holding([*hold, "1000"], env) as line:
        assert line == "holding\n"
    with holding([*hold, "3000"], env) as line:
        assert line != "holding\n"


def test_a_release_that_is_tried_again_destroys_no_other(slice_of: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when the instance was gone and the slice's file was not; another slice has the place since."""
    grant = grants(FIRST, template="1g.5gb")[0]
    over, other = slice_of(grant), slice_of(grant)
    enforcement.prepare(over)
    with monkeypatch.context() as dying:
        dying.setattr(Path, "unlink", lambda *_, **__: pytest.exit("killed"))
        with pytest.raises(pytest.exit.Exception):
            enforcement.release(over)
    assert lying(FIRST) == []
    edits = enforcement.prepare(other)
    enforcement.release(over)
    assert lying(FIRST) == [("1g.5gb", 6, 1)]
    assert enforcement.prepare(other) == edits


CREATE = "nvmlDeviceCreateGpuInstanceWithPlacement"


@pytest.mark.parametrize("code", [19, 23, 999], ids=["in use", "no room", "unknown"])
def test_what_a_stranger_makes_after_a_refusal_is_not_ours(
    slice_of: Slices, faults: Callable[..., None], code: int
) -> None:
    """Nothing was made when the driver refused, so what lies there afterwards is neither adopted nor destroyed."""
    held = slice_of(grants(FIRST, template="1g.5gb")[0])
    faults(f"{CREATE} * fail {code}")
    with pytest.raises(HeteroError):
        enforcement.prepare(held)
    faults()
    stranger = by_hand(FIRST, 19, 6, 1)
    with pytest.raises(EnforcementError, match="did not make it"):
        enforcement.prepare(held)
    enforcement.release(held)
    assert lying(FIRST) == [("1g.5gb", 6, 1)]
    NVML.call("nvmlGpuInstanceDestroy", stranger)


def test_what_a_stranger_makes_meanwhile_is_not_ours(slice_of: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made at the very moment between our look and our call, at just our place and of our profile."""
    held, strangers = slice_of(grants(FIRST, template="1g.5gb")[0]), []
    call = NVML.call

    def overtaken(name: str, *arguments: Any) -> Any:
        if name == CREATE and not strangers:
            strangers.append(None)
            strangers[0] = by_hand(FIRST, 19, 6, 1)
        return call(name, *arguments)

    monkeypatch.setattr(NVML, "call", overtaken)
    with pytest.raises(EnforcementError, match="taken meanwhile"):
        enforcement.prepare(held)
    enforcement.release(held)
    assert lying(FIRST) == [("1g.5gb", 6, 1)]
    NVML.call("nvmlGpuInstanceDestroy", strangers[0])


def test_what_may_have_been_made_stays_ours(slice_of: Slices, faults: Callable[..., None]) -> None:
    """A GPU instance whose compute instance is refused is finished by the next try, or destroyed with the slice."""
    one, two = grants(FIRST, template="1g.5gb")[:2]
    held = slice_of(one, two)
    faults("nvmlGpuInstanceCreateComputeInstance 2 fail 999")
    with pytest.raises(HeteroError):
        enforcement.prepare(held)
    assert len(lying(FIRST)) == 2
    faults()
    edits = enforcement.prepare(held)
    assert len(lying(FIRST)) == 2
    assert enforcement.prepare(held) == edits


def test_of_two_instances_the_refused_one_alone_is_given_up(slice_of: Slices, faults: Callable[..., None]) -> None:
    """The first is the slice's own still, and is kept when it is tried again."""
    held = slice_of(*grants(FIRST, template="1g.5gb")[:2])
    faults(f"{CREATE} 2 fail 999")
    with pytest.raises(HeteroError):
        enforcement.prepare(held)
    before = lying(FIRST)
    assert len(before) == 1
    faults()
    enforcement.prepare(held)
    assert len(lying(FIRST)) == 2
    assert before[0] in lying(FIRST)


def test_a_program_sees_the_memory_of_its_instance(slice_of: Slices) -> None:
    """4000 of 4864 MiB can be had, 5000 not; the other slices of the card are nobody's business."""
    edits = enforcement.prepare(slice_of(grants(FIRST, template="1g.5gb")[0]))
    hold = [str(hetero_native.program("hold")), "--mib"]
    with holding([*hold, "4000"], edits.env) as line:
        assert line == "holding\n"
    with holding([*hold, "5000"], edits.env) as line:
        assert line != "holding\n"


class holding:  # noqa: N801 — a context manager
    """A program that runs with these variables; entered, it gives its first line."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._command, self._env = command, {**os.environ, **env}

    def __enter__(self) -> str:
        """Start the program and wait for its first line."""
        self._process = subprocess.Popen(self._command, env=self._env, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def test_an_instance_in_use_is_destroyed_later(slice_of: Slices) -> None:
    """The sentence says that it is tried again, and then it works."""
    held = slice_of(grants(FIRST, template="2g.10gb")[0])
    edits = enforcement.prepare(held)
    with holding([str(hetero_native.program("hold")), "--mib", "10"], edits.env) as line:
        assert line == "holding\n"
        with pytest.raises(EnforcementError, match=r"2g\.10gb instance .* a program still uses it; it is tried again"):
            enforcement.release(held)
        assert len(lying(FIRST)) == 1
    enforcement.release(held)
    assert lying(FIRST) == []


def test_what_a_crash_left_half_made_is_finished(slice_of: Slices, faults: Callable[..., None]) -> None:
    """Died after the GPU instance and before the compute instance: the next start adopts what is there."""
    held = slice_of(grants(FIRST, template="3g.20gb")[0])
    faults("nvmlGpuInstanceCreateComputeInstance * fail 999")
    with pytest.raises(Exception, match="999"):
        enforcement.prepare(held)
    assert lying(FIRST) == [("3g.20gb", 4, 4)]
    faults()
    edits = enforcement.prepare(held)
    assert enforcement.prepare(held) == edits
    assert lying(FIRST) == [("3g.20gb", 4, 4)]


def test_what_a_crash_left_half_made_is_destroyed(slice_of: Slices, faults: Callable[..., None]) -> None:
    """The same, and the slice is over before it begins."""
    held = slice_of(grants(FIRST, template="3g.20gb")[0])
    faults("nvmlGpuInstanceCreateComputeInstance * fail 999")
    with pytest.raises(Exception, match="999"):
        enforcement.prepare(held)
    enforcement.release(held)
    assert lying(FIRST) == []
    assert list(Path(held.directory).iterdir()) == []


def test_one_that_hangs_does_not_make_others_hang(slice_of: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that is started anew while the last start hangs in the driver is refused with the reason."""
    held = slice_of(grants(FIRST, template="3g.20gb")[0])
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    descriptor = os.open(held.directory, os.O_RDONLY)
    try:
        turn.wait(descriptor, Path(held.directory), "MIG instances")
        with pytest.raises(EnforcementError, match="makes or removes MIG instances does not come back"):
            enforcement.prepare(held)
    finally:
        os.close(descriptor)
    enforcement.prepare(held)


@pytest.mark.parametrize(("profile", "start", "size"), [(19, 6, 1), (15, 6, 2), (9, 4, 4), (0, 0, 8)])
def test_what_somebody_else_made_is_left_alone(slice_of: Slices, profile: int, start: int, size: int) -> None:
    """Also when it is just what the slice wants, at just that place: the sentence says what is in the way."""
    foreign, held = by_hand(FIRST, profile, start, size), slice_of(grants(FIRST, template="1g.5gb")[0])
    before = lying(FIRST)
    with pytest.raises(EnforcementError, match=r"cannot be made: .*g\..*gb .* did not make it for this slice"):
        enforcement.prepare(held)
    enforcement.release(held)
    assert lying(FIRST) == before
    NVML.call("nvmlGpuInstanceDestroy", foreign)
    enforcement.prepare(held)


def test_what_came_to_lie_there_instead_is_left_alone(slice_of: Slices) -> None:
    """Ours was destroyed behind our back, and another one made across its place: releasing does nothing to it."""
    held = slice_of(grants(FIRST, template="1g.5gb")[0])
    enforcement.prepare(held)
    marker = (Path(held.directory) / "instances").read_bytes()
    enforcement.release(held)
    (Path(held.directory) / "instances").write_bytes(marker)
    foreign = by_hand(FIRST, 9, 4, 4)
    enforcement.release(held)
    assert lying(FIRST) == [("3g.20gb", 4, 4)]
    NVML.call("nvmlGpuInstanceDestroy", foreign)


@pytest.mark.parametrize(
    ("call", "code", "sentence"),
    [
        ("nvmlDeviceCreateGpuInstanceWithPlacement", 4, "only root may do that"),
        ("nvmlDeviceCreateGpuInstanceWithPlacement", 23, "its place has been taken meanwhile"),
        ("nvmlGpuInstanceCreateComputeInstance", 4, "only root may do that"),
        ("nvmlDeviceGetMigDeviceHandleByIndex", 6, "the driver lists no device for it"),
        ("nvmlDeviceGetGpuInstanceProfileInfo", 3, r"has no profile 1g\.5gb: its driver tells none"),
    ],
)
def test_what_the_driver_refuses_is_told_with_what_to_do(
    slice_of: Slices, faults: Callable[..., None], call: str, code: int, sentence: str
) -> None:
    """One sentence with the place, the profile and the reason."""
    held = slice_of(grants(FIRST, template="1g.5gb")[0])
    faults(f"{call} * fail {code}")
    with pytest.raises(EnforcementError, match=sentence):
        enforcement.prepare(held)
    faults()


def test_a_driver_that_fails_while_releasing_is_tried_again(slice_of: Slices, faults: Callable[..., None]) -> None:
    """The slice's record is kept by whoever sees the error."""
    held = slice_of(grants(FIRST, template="1g.5gb")[0])
    enforcement.prepare(held)
    faults("nvmlGpuInstanceDestroy * fail 999")
    with pytest.raises(EnforcementError, match=r"could not be destroyed: .*it is tried again"):
        enforcement.release(held)
    faults()
    enforcement.release(held)


def test_a_mode_that_was_turned_off_leaves_nothing_to_release(slice_of: Slices, faults: Callable[..., None]) -> None:
    """Instances do not outlive the mode, and a card that was taken out has none."""
    held = slice_of(grants(FIRST, template="1g.5gb")[0])
    enforcement.prepare(held)
    marker = (Path(held.directory) / "instances").read_bytes()
    enforcement.release(held)
    for fault in ("nvmlDeviceGetGpuInstances * fail 3", "nvmlDeviceGetHandleByUUID * fail 6"):
        (Path(held.directory) / "instances").write_bytes(marker)
        faults(fault)
        enforcement.release(held)
        assert not (Path(held.directory) / "instances").exists()


def test_a_share_from_before_the_mode_is_refused(slice_of: Slices) -> None:
    """It says no place, so there is nothing that could be made for it."""
    old = Grant(device=FIRST, share=Share(quantities={"slots": 1, "memory": 1024}))
    with pytest.raises(EnforcementError, match="says no place of an instance"):
        enforcement.prepare(slice_of(old))


def test_files_that_the_driver_does_not_list_are_told(slice_of: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them no program could open its instance."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("HETERO_HOST_ROOT_NVIDIA", str(partitioned.directory() / "nothing"))
        held = slice_of(grants(FIRST, template="1g.5gb")[0])
        with pytest.raises(EnforcementError, match="mig-minors cannot be read"):
            enforcement.prepare(held)
        enforcement.release(held)


def test_doctor_compares_the_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is well with those of the table; less memory than is counted with, or an unknown board, is a problem."""
    assert [finding.ok for finding in checks.profiles(instances)] == [True, True]
    greater = mig.Board(
        words=frozenset({"A100"}), total=40960, kinds=mig.SEVEN, told=((1, 5000), (2, 9856), (4, 20096), (8, 40192))
    )
    monkeypatch.setattr(mig, "board_of", lambda name, memory: greater)
    finding, _ = checks.profiles(instances)
    assert not finding.ok
    assert finding.detail.startswith("1g.5gb has 4864 MiB, counted are 5000")
    monkeypatch.setattr(mig, "board_of", lambda name, memory: None)
    finding, _ = checks.profiles(instances)
    assert "are not known" in finding.detail
    assert finding.advice


def test_doctor_names_a_card_without_an_identity(faults: Callable[..., None]) -> None:
    """It is in no list of devices, so this is where it is seen."""
    assert list(checks.cards(NVML)) == []
    faults("nvmlDeviceGetUUID 1 fail 999", "nvmlDeviceGetHandleByIndex_v2 3 fail 15")
    assert [finding.subject for finding in checks.cards(NVML)] == ["card 0", "card 2"]


def test_what_a_program_uses_is_told_of_its_card(slice_of: Slices) -> None:
    """The sample of a GPU in MIG mode has the memory and the processes of its instances."""
    edits = enforcement.prepare(slice_of(grants(SECOND, template="2g.10gb")[0]))
    with holding([str(hetero_native.program("hold")), "--mib", "700"], edits.env) as line:
        assert line == "holding\n"
        sample = nvidia.discovery.sample()[1]
    assert sample.memory_used == 700
    assert [process.memory for process in sample.processes] == [700]
