"""The devices of all vendors of this machine: a vendor that fails is told and counted, and hides nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero import metrics
from hetero.errors import DriverFailed, DriverMissing
from hetero.model.device import Device, Health, Sample
from hetero.monitoring.guard import guarded
from hetero.monitoring.inventory import NODE, Inventory, Machine, discover
from hetero.testing.fake import FakeDiscovery, fake_device, fake_devices, fake_vendor
from hetero.vendor import Vendor

FAILURES = [
    pytest.param(DriverFailed("init", 3, "busy"), "warning", id="driver"),
    pytest.param(ValueError("a defect"), "error", id="defect"),
    pytest.param(OSError(5, "Input/output error"), "error", id="system"),
]


class Broken(FakeDiscovery):
    """Raises when it is asked for devices."""

    def __init__(self, error: Exception) -> None:
        super().__init__(())
        self.error = error

    def devices(self) -> Sequence[Device]:
        raise self.error


def _vendor(name: str, count: int = 0) -> Vendor:
    return fake_vendor(name, devices=fake_devices(count, vendor=name))


def _broken(name: str, error: Exception) -> Vendor:
    return replace(fake_vendor(name), discovery=Broken(error))


def _names(machine: Machine) -> list[str]:
    return [device.uuid for device in machine.devices]


def test_without_vendors_there_are_no_devices() -> None:
    """A machine on which nothing is installed is no failure."""
    assert discover({}) == Machine((), {})


def test_devices_are_numbered_by_vendor_and_then_by_driver() -> None:
    """``--device 2`` is the same device whatever order the plugins were loaded in."""
    vendors = {name: _vendor(name, 2) for name in ("zeta", "alpha")}
    assert _names(discover(vendors)) == ["alpha-0", "alpha-1", "zeta-0", "zeta-1"]
    assert discover(vendors) == discover(dict(sorted(vendors.items())))


def test_the_order_of_a_driver_is_kept() -> None:
    """Also when it is not that of its numbers."""
    devices = [fake_device(1), fake_device(0)]
    assert _names(discover({"fake": fake_vendor(devices=devices)})) == ["fake-1", "fake-0"]


def test_an_unhealthy_device_keeps_its_number() -> None:
    """A card that falls ill must not change which one ``--device 1`` means."""
    devices = [fake_device(0, health=Health(ok=False, reason="too hot")), fake_device(1)]
    assert _names(discover({"fake": fake_vendor(devices=devices)})) == ["fake-0", "fake-1"]


@pytest.mark.parametrize(("error", "level"), FAILURES)
@pytest.mark.parametrize("name", ["a", "m", "z"])
def test_a_broken_vendor_does_not_hide_the_others(name: str, error: Exception, level: str) -> None:
    """Wherever it stands in the order; it is logged with its name, the kind and the reason."""
    vendors = {"b": _vendor("b", 1), name: _broken(name, error), "n": _vendor("n", 1)}
    with capture_logs() as lines:
        machine = discover(vendors)
    assert _names(machine) == ["b-0", "n-0"]
    assert machine.failures == {name: error}
    [line] = lines
    assert (line["log_level"], line["vendor"], line["kind"]) == (level, name, type(error).__name__)
    assert line["reason"] == str(error)


def test_several_broken_vendors_are_all_told() -> None:
    """Each with its own reason."""
    errors = {name: DriverFailed("init", code, name) for code, name in enumerate("abc")}
    with capture_logs() as lines:
        machine = discover({name: _broken(name, error) for name, error in errors.items()})
    assert machine.failures == errors
    assert [line["vendor"] for line in lines] == ["a", "b", "c"]


@pytest.mark.parametrize(("error", "level"), FAILURES)
def test_a_failure_is_counted(error: Exception, level: str) -> None:
    """By vendor."""
    before = metrics.driver_failures.value("counted")
    with capture_logs():
        discover({"counted": _broken("counted", error)})
    assert metrics.driver_failures.value("counted") == before + 1


def test_a_driver_that_is_not_installed_is_no_fault() -> None:
    """The machine has no such devices: known, but neither logged nor counted."""
    before = metrics.driver_failures.value("fake")
    with capture_logs() as lines:
        machine = discover({"fake": fake_vendor(devices=None), "other": _vendor("other", 1)})
    assert (lines, metrics.driver_failures.value("fake")) == ([], before)
    assert machine.absent("fake")
    assert isinstance(machine.failures["fake"], DriverMissing)
    assert _names(machine) == ["other-0"]


@pytest.mark.parametrize("name", ["other", "broken", "nobody"])
def test_only_a_missing_driver_makes_a_vendor_absent(name: str) -> None:
    """One without devices, a broken one and an unknown one are something else."""
    with capture_logs():
        machine = discover({"other": _vendor("other"), "broken": _broken("broken", DriverFailed("init", 1, "x"))})
    assert not machine.absent(name)


@pytest.mark.parametrize("answer", [None, 3])
def test_a_vendor_that_answers_nonsense_is_a_broken_one(answer: object) -> None:
    """A defect of a package is its own."""

    class Nonsense(FakeDiscovery):
        def devices(self) -> Sequence[Device]:
            return answer  # type: ignore[return-value]

    with capture_logs():
        machine = discover({"a": replace(fake_vendor("a"), discovery=Nonsense(())), "b": _vendor("b", 1)})
    assert _names(machine) == ["b-0"]
    assert list(machine.failures) == ["a"]


@pytest.mark.parametrize(
    ("devices", "reason"),
    [
        (["x"], "it lists 'x', which is no device"),
        ([fake_device(0, vendor="z"), None], "it lists None, which is no device"),
        ([fake_device(0, vendor="z")] * 2, "it lists 'z-0', which is listed already"),
        ([fake_device(5, vendor="z"), fake_device(0, vendor="b")], "it lists 'b-0', which is listed already"),
    ],
)
def test_a_list_that_no_planner_can_use_is_the_vendors_failure(devices: list[Device], reason: str) -> None:
    """What is no device, or has another's identity, would make every command fail for the devices of all vendors."""
    with capture_logs() as lines:
        machine = discover({"b": _vendor("b", 1), "z": fake_vendor("z", devices=devices)})
    assert _names(machine) == ["b-0"]
    assert str(machine.failures["z"]) == reason
    assert [(line["log_level"], line["vendor"], line["reason"]) for line in lines] == [("error", "z", reason)]


def test_a_failed_vendors_devices_are_nobodys() -> None:
    """An identity that a broken list named first can still be listed by the vendor whose it is."""
    with capture_logs():
        machine = discover(
            {"a": fake_vendor("a", devices=[fake_device(0, vendor="b"), None]), "b": _vendor("b", 1)}  # type: ignore[list-item]
        )
    assert _names(machine) == ["b-0"]
    assert list(machine.failures) == ["a"]


def test_a_vendor_that_fails_half_way_gives_no_device() -> None:
    """Half a list would number the devices of the others differently from one call to the next."""

    class Half(FakeDiscovery):
        def devices(self) -> Sequence[Device]:
            def generate():
                yield fake_device(0)
                raise DriverFailed("next", 1, "lost")

            return generate()  # type: ignore[return-value]

    with capture_logs():
        machine = discover({"a": replace(fake_vendor("a"), discovery=Half(())), "b": _vendor("b", 1)})
    assert _names(machine) == ["b-0"]


def test_the_machine_is_one_node_to_the_planner() -> None:
    """With all devices, in the order of their numbers."""
    machine = discover({"a": _vendor("a", 1), "b": _vendor("b", 1)})
    assert machine.node.name == NODE
    assert machine.node.devices == machine.devices


class Turns(FakeDiscovery):
    """Answers what the test says; an error is raised."""

    def __init__(self, *devices: Device) -> None:
        super().__init__(devices)
        self.listing: Exception | None = None
        self.sampling: Exception | None = None
        self.samples: Sequence[Sample] | None = None

    def devices(self) -> Sequence[Device]:
        if self.listing:
            raise self.listing
        return super().devices()

    def sample(self) -> Sequence[Sample]:
        if self.sampling:
            raise self.sampling
        return super().sample() if self.samples is None else self.samples


@pytest.fixture
def turns() -> Turns:
    """A discovery with two devices."""
    return Turns(*fake_devices(2))


@pytest.fixture
def inventory(turns: Turns) -> Inventory:
    """Of that vendor and of another one, which is well."""
    return Inventory({"fake": replace(fake_vendor(), discovery=turns), "other": _vendor("other", 1)})


def _health(machine: Machine) -> list[str]:
    return [device.health.reason for device in machine.devices]


def test_nothing_changed_is_the_same(inventory: Inventory) -> None:
    """However often it is asked: whoever publishes the devices publishes them once."""
    first = inventory.look()
    assert inventory.look() == first
    assert inventory.machine == first
    inventory.sample()
    assert inventory.machine == first


@pytest.mark.parametrize("error", [DriverFailed("init", 3, "busy"), ValueError("a defect"), DriverMissing("l", "get")])
def test_devices_of_a_driver_that_fails_are_known_and_unhealthy(
    inventory: Inventory, turns: Turns, error: Exception
) -> None:
    """With the driver's reason, in their places; the other vendor's stay well, and lasting trouble changes nothing."""
    well = inventory.look()
    turns.listing = error
    with capture_logs() as lines:
        sick = inventory.look()
        again = inventory.look()
    assert _names(sick) == _names(well)
    assert _health(sick) == [str(error), str(error), ""]
    assert sick.failures == {"fake": error}
    assert again == sick
    assert [line["vendor"] for line in lines] == ["fake"]


def test_lasting_trouble_is_equal_although_the_driver_raises_anew(inventory: Inventory, turns: Turns) -> None:
    """The same words mean the same trouble; other words are told."""
    inventory.look()
    turns.listing = DriverFailed("init", 3, "busy")
    with capture_logs() as lines:
        first = inventory.look()
        turns.listing = DriverFailed("init", 3, "busy")
        assert inventory.look() == first
        turns.listing = DriverFailed("init", 4, "gone")
        assert inventory.look() != first
    assert [line["reason"] for line in lines] == ["init answered 3 (busy)", "init answered 4 (gone)"]


def test_whoever_tells_failures_has_none_logged(turns: Turns) -> None:
    """They are in the machine, and are counted as ever; that a driver works again is not logged either."""
    quiet = Inventory({"fake": replace(fake_vendor(), discovery=turns)}, quiet=True)
    with capture_logs() as lines:
        turns.listing = DriverFailed("init", 3, "busy")
        assert str(quiet.look().failures["fake"]) == "init answered 3 (busy)"
        turns.listing = None
        assert quiet.look().failures == {}
    assert lines == []


def test_a_driver_that_recovers_has_its_devices_back(inventory: Inventory, turns: Turns) -> None:
    """As they were, and told; a device that came meanwhile is there as well."""
    well = inventory.look()
    turns.listing = DriverFailed("init", 3, "busy")
    with capture_logs() as lines:
        inventory.look()
        turns.listing = None
        assert inventory.look() == well
    assert [line["event"] for line in lines] == ["discovery failed", "discovery works again"]


def test_a_device_that_the_driver_does_not_list_any_more_is_gone(inventory: Inventory, turns: Turns) -> None:
    """The list of a driver that answers is the truth."""
    inventory.look()
    turns._devices = fake_devices(1)
    assert _names(inventory.look()) == ["fake-0", "other-0"]


def test_only_those_that_failed_may_be_asked_again(inventory: Inventory, turns: Turns) -> None:
    """To see whether they have recovered costs the others nothing."""
    turns.listing = DriverFailed("init", 3, "busy")
    with capture_logs():
        sick = inventory.look()
    turns.listing = None
    assert _names(sick) == ["other-0"]
    assert _names(inventory.look(only=sick.failures)) == ["fake-0", "fake-1", "other-0"]
    assert inventory.look(only=()) == inventory.machine


def test_samples_are_by_device_and_bring_health(inventory: Inventory, turns: Turns) -> None:
    """A device falls ill and recovers between two looks at the list."""
    well = inventory.look()
    hot = Sample(uuid="fake-1", memory_used=5, temperature=99, health=Health(ok=False, reason="too hot"))
    turns.samples = [Sample(uuid="fake-0", memory_used=3), hot]
    assert inventory.sample()["fake-1"] == hot
    assert _health(inventory.machine) == ["", "too hot", ""]
    turns.samples = None
    assert sorted(inventory.sample()) == ["fake-0", "fake-1", "other-0"]
    assert inventory.machine == well


def test_a_driver_that_cannot_sample_fails(inventory: Inventory, turns: Turns) -> None:
    """Its devices are marked, it is not asked for more until it lists them again, and the others are sampled."""
    inventory.look()
    turns.sampling = DriverFailed("read", 5, "lost")
    with capture_logs():
        assert list(inventory.sample()) == ["other-0"]
    assert _health(inventory.machine) == ["read answered 5 (lost)", "read answered 5 (lost)", ""]
    turns.sampling = None
    assert list(inventory.sample()) == ["other-0"]
    inventory.look(only=inventory.machine.failures)
    assert len(inventory.sample()) == 3


def test_a_sample_that_cannot_be_is_dropped_and_told(inventory: Inventory, turns: Turns) -> None:
    """And nothing else of the vendor's."""
    inventory.look()
    turns.samples = [Sample(uuid="fake-0", memory_used=-1), Sample(uuid="fake-1", memory_used=1)]
    with capture_logs() as lines:
        assert sorted(inventory.sample()) == ["fake-1", "other-0"]
    assert [(line["vendor"], line["log_level"]) for line in lines] == [("fake", "error")]


def test_nothing_is_sampled_that_was_never_listed(inventory: Inventory) -> None:
    """A vendor without devices here is left alone."""
    assert inventory.sample() == {}


def test_devices_that_somebody_holds_are_remembered_while_their_driver_fails(
    inventory: Inventory, turns: Turns
) -> None:
    """A fresh process knows them from slices; what the driver lists, and whose driver is well, is not added."""
    held = [fake_device(1), fake_device(1), fake_device(7, vendor="other"), fake_device(0, vendor="nobody")]
    assert _names(inventory.remember(held)) == []
    turns.listing = DriverFailed("init", 3, "busy")
    with capture_logs():
        inventory.look()
    machine = inventory.remember(held)
    assert _names(machine) == ["fake-1", "other-0"]
    assert _health(machine) == ["init answered 3 (busy)", ""]
    turns.listing = None
    assert _names(inventory.look()) == ["fake-0", "fake-1", "other-0"]


def test_a_driver_that_hangs_hides_nobody_and_recovers() -> None:
    """The issue's hardest case: a call that does not come back, and then does."""
    gate = threading.Event()

    class Hanging(FakeDiscovery):
        def devices(self) -> Sequence[Device]:
            gate.wait()
            return super().devices()

    stuck = replace(fake_vendor("a"), discovery=Hanging(fake_devices(1, vendor="a")))
    well = guarded({"b": _vendor("b", 1)})  # in its own time, however busy the machine is
    inventory = Inventory({"a": stuck, **well}, deadline_s=0.05)
    try:
        with capture_logs():
            first = inventory.look()
            assert inventory.look() == first
    finally:
        gate.set()
    assert _names(first) == ["b-0"]
    assert str(first.failures["a"]) == "the driver did not come back from 'devices' within 0.05 s"
    for _ in range(1000):
        if not inventory.look(only=["a"]).failures:
            break
        threading.Event().wait(0.01)
    assert _names(inventory.machine) == ["a-0", "b-0"]


@given(
    st.lists(st.sampled_from(["look", "sample", "fail", "defect", "mend", "hot", "cool"]), max_size=30),
)
def test_any_history_leaves_every_device_known(history: list[str]) -> None:
    """Whatever fails and recovers: each device that was listed is there, well just when its driver and itself are."""
    turns = Turns(*fake_devices(2))
    inventory = Inventory({"fake": replace(fake_vendor(), discovery=turns)})
    inventory.look()
    hot = [Sample(uuid=f"fake-{one}", memory_used=0, health=Health(ok=False, reason="hot")) for one in range(2)]
    actions: dict[str, Callable[[], object]] = {
        "look": inventory.look,
        "sample": inventory.sample,
        "fail": lambda: setattr(turns, "listing", DriverFailed("init", 1, "down")),
        "defect": lambda: setattr(turns, "sampling", ValueError("down")),
        "mend": lambda: (setattr(turns, "listing", None), setattr(turns, "sampling", None)),
        "hot": lambda: setattr(turns, "samples", hot),
        "cool": lambda: setattr(turns, "samples", None),
    }
    with capture_logs():
        for step in history:
            actions[step]()
            machine = inventory.machine
            assert _names(machine) == ["fake-0", "fake-1"]
            assert all(device.health.ok is (device.health.reason == "") for device in machine.devices)
            assert not machine.failures or not any(device.health.ok for device in machine.devices)
        actions["mend"]()
        actions["cool"]()
        inventory.look()
    assert inventory.machine == Machine(tuple(fake_devices(2)))
