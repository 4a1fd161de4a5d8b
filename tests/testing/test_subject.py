"""What the suite asks a vendor: enough questions, the same ones each time, of all its models."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.enforcement import region
from hetero.errors import DriverFailed, InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import MEMORY, DeviceModel, Health, LinkKind
from hetero.model.share import Reason, Refusal, Share
from hetero.testing import fake_device, fake_devices, fake_vendor
from hetero.testing.fake import FakeDiscovery, FakeSplitting
from hetero.testing.subject import Subject, any_ask, ask_of, devices_of, fits, left_after, raises
from hetero.vendor import Driver, Vendor

MODEL = FakeSplitting("fake").model("Fake F1", 1000)
SMALL = FakeSplitting("fake").model("Fake F0", 2)


def subject(vendor: Vendor | None = None, **attributes: Any) -> Subject:
    """A subject as an author of a vendor writes it."""
    kind = type("Case", (Subject,), {"vendor": vendor or fake_vendor(), "models": (MODEL,), **attributes})
    made: Subject = kind()
    return made


def test_asks_stand_at_every_limit() -> None:
    """One MiB below all, all, and one beyond; no compute, some and all; of each model."""
    asked = {
        (model.name, ask.memory, ask.memory_percentage, ask.cores)
        for model, ask in subject(models=(MODEL, SMALL)).asks()
    }
    for name, total in (("Fake F1", 1000), ("Fake F0", 2)):
        for memory in (None, 1, total - 1, total, total + 1, 2 * total):
            for cores in (0, 1, 99, 100):
                assert (name, memory, None, cores) in asked
        assert {(name, None, 100, 0), (name, None, 1, 100)} <= asked


def test_asks_are_ones_that_a_container_can_make() -> None:
    """No vendor has to answer for an amount that the words of a manifest never come to."""
    for _, ask in subject(models=(MODEL, SMALL)).asks():
        assert ask.memory is None or ask.memory_percentage is None
        assert ask.memory is None or ask.memory >= 1
        assert (ask.vendor, ask.family) == ("fake", "")


@settings(max_examples=50)
@given(any_ask(MODEL))
def test_asks_that_are_made_up_are_sound_too(ask: Ask) -> None:
    """For the model's vendor and family, within the bounds of the words."""
    assert (ask.vendor, ask.family) == ("fake", "")
    assert 1 <= ask.count <= 16
    assert 0 <= ask.cores <= 100
    assert ask.memory is None or ask.memory_percentage is None


def test_the_same_asks_each_time() -> None:
    """A vendor that failed yesterday fails today, on every machine."""
    seen: list[list[tuple[DeviceModel, Ask]]] = [[], []]
    for questions in seen:
        subject(examples=20).for_any_ask(lambda model, ask, to=questions: to.append((model, ask)))
    assert seen[0] == seen[1]
    assert len(seen[0]) > len([*subject().asks()])


def test_one_wrong_answer_is_found() -> None:
    """Of all that are asked, and the failure is the rule's own."""

    def check(model: DeviceModel, ask: Ask) -> None:
        assert (ask.memory, ask.cores) != (999, 99)

    with pytest.raises(AssertionError):
        subject().for_any_ask(check)


def test_shares_are_those_of_one_model() -> None:
    """Asks that are refused have none."""
    case = subject(models=(MODEL, SMALL))
    asked = [ask for ask, _ in case.shares(SMALL)]
    assert asked
    assert all(ask.memory_on(2) <= 2 for ask in asked)
    assert {share.memory for _, share in case.shares(SMALL)} <= {1, 2}


def test_models_are_named_or_found() -> None:
    """Named ones are taken, each once; without any, those of this machine's devices."""
    machine = fake_vendor(devices=fake_devices(3, memory=500))
    assert subject(machine, models=(MODEL, MODEL)).all_models() == [MODEL]
    assert [model.capacity[MEMORY] for model in subject(machine, models=()).all_models()] == [500]
    assert subject(fake_vendor(devices=None), models=()).all_models() == []


def test_devices_are_looked_for_in_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated driver is found by variables, which are gone again afterwards."""

    class Simulated(FakeDiscovery):
        def devices(self):
            return fake_devices(int(os.environ.get("FAKE_SIMULATED", "0")))

    monkeypatch.delenv("FAKE_SIMULATED", raising=False)
    vendor = Vendor(
        **{**{name: getattr(fake_vendor(), name) for name in vars(fake_vendor())}, "discovery": Simulated(())}
    )
    assert len(subject(vendor, surroundings={"FAKE_SIMULATED": "2"}).devices()) == 2
    assert subject(vendor).devices() == []
    assert "FAKE_SIMULATED" not in os.environ


def test_slices_are_parts_of_one_device_and_of_two_and_a_whole_one() -> None:
    """Each in a directory of its own that is gone afterwards, without a region unless the vendor keeps one."""
    directories = []
    for held in subject().slices():
        assert Path(held.directory).is_dir()
        assert [*Path(held.directory).iterdir()] == []
        assert held.region == ""
        directories.append((held.directory, len(held.grants), len({one.device.uuid for one in held.grants})))
    assert [(count, distinct) for _, count, distinct in directories] == [(1, 1), (2, 2), (1, 1)]
    cores = [grants[0].share.cores for grants in subject().holdings()]
    assert cores == [0, 0, 100]
    assert not any(Path(directory).exists() for directory, *_ in directories)


def test_slices_are_of_the_devices_of_the_surroundings() -> None:
    """A stand-in for the driver knows its own devices alone; without one no device of this machine is touched."""
    machine = fake_vendor(
        devices=[*fake_devices(1, memory=500), fake_device(1, health=Health(ok=False, reason="lost"))]
    )
    surrounded = subject(machine, surroundings={"FAKE_SIMULATED": "1"}).holdings()
    assert {grant.device.uuid for grants in surrounded for grant in grants} == {"fake-0"}
    assert [len(grants) for grants in surrounded] == [1, 1]
    made_up = subject(machine).holdings()
    assert {grant.device.uuid for grants in made_up for grant in grants} == {"device-0", "device-1"}


def test_a_chip_that_gives_no_pairs_has_no_slice_of_two() -> None:
    """What is asked of two is put to its splitting as such."""

    class Single(FakeSplitting):
        def split(self, model, ask):
            refusal = Refusal(reason=Reason.UNSUPPORTED, message="one at a time")
            return super().split(model, ask) if ask.count == 1 else refusal

    assert [len(grants) for grants in subject(fake_vendor(splitting=Single("fake"))).holdings()] == [1, 1]


def test_a_vendors_own_asks_join_the_others() -> None:
    """Of each model, after those at the limits."""
    own = Ask(vendor="fake", template="small")
    questions = [*subject(own_asks=lambda self, model: [own], models=(MODEL, SMALL)).asks()]
    assert [(model, ask) for model, ask in questions if ask.template] == [(MODEL, own), (SMALL, own)]


@settings(max_examples=50)
@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 5)),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 5)),
)
def test_what_fits_leaves_no_debts(taken: dict[str, int], left: dict[str, int]) -> None:
    """A share fits if, and only if, nothing is less than nothing afterwards and all of it was there."""
    share = Share(quantities=taken)
    after = left_after(share, left)
    there = all(name in left or not amount for name, amount in taken.items())
    assert fits(share, left) == (there and all(amount >= 0 for amount in after.values()))


def test_a_region_is_there_before_the_vendor_prepares() -> None:
    """With the limits of the slice's devices, as the core makes it."""
    for held in subject(fake_vendor(region=True)).slices():
        assert Path(held.region).parent == Path(held.directory)
        assert [one.uuid for one in region.read(Path(held.region)).devices] == [
            grant.device.uuid for grant in held.grants
        ]


def test_a_model_of_which_nothing_is_given_has_no_slice() -> None:
    """It is not split at all, and the others are still tried."""

    class OnlySmall(FakeSplitting):
        def split(self, model, ask):
            refusal = Refusal(reason=Reason.UNSUPPORTED, message="not split")
            return super().split(model, ask) if model == SMALL else refusal

    held = [
        one.grants[0].device.model
        for one in subject(fake_vendor(splitting=OnlySmall("fake")), models=(MODEL, SMALL)).slices()
    ]
    assert held == [SMALL, SMALL, SMALL]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_devices_are_wired_in_pairs(count: int) -> None:
    """Each has a link to every other and none to itself; partners have the only direct one, on both sides."""
    devices = devices_of(MODEL, count)
    for device in devices:
        assert {link.peer for link in device.links} == {one.uuid for one in devices} - {device.uuid}
        direct = [link.peer for link in device.links if link.kind is LinkKind.DIRECT]
        assert direct == [f"device-{device.index ^ 1}"][: int((device.index ^ 1) < count)]
        assert all(bool(link.lanes) == (link.kind is LinkKind.DIRECT) for link in device.links)


def test_libraries_that_no_import_may_open() -> None:
    """The vendor's own words for libraries, and the driver that is here, is missing, or failed."""

    class Broken(FakeDiscovery):
        def driver(self) -> Driver:
            raise DriverFailed("fakeInit", 3, "no permission")

    def libraries(**parts: Any) -> list[str]:
        fields = {name: getattr(fake_vendor(), name) for name in vars(fake_vendor())}
        return subject(Vendor(**{**fields, "words": ("libextra.so", "Fakery"), **parts})).driver_libraries()

    assert libraries() == ["libextra.so", "libfake.so.1"]
    assert libraries(discovery=FakeDiscovery(None)) == ["libextra.so", "libfake.so.1"]
    assert libraries(discovery=Broken(())) == ["libextra.so"]


def _fails() -> None:
    raise InvalidValue("f", 1, "is wrong; write 2")


def _gives() -> int:
    return 5


def _breaks() -> None:
    raise KeyError("f")


@pytest.mark.parametrize(
    ("action", "outcome"),
    [(_fails, InvalidValue), (_gives, AssertionError), (_breaks, KeyError)],
    ids=["right", "none", "another"],
)
def test_an_error_is_the_one_that_was_meant(action: Callable[[], Any], outcome: type[Exception]) -> None:
    """It is handed back; its absence is a failure with the result; another error stays what it is."""
    if outcome is InvalidValue:
        assert raises(InvalidValue, action).field == "f"
    else:
        with pytest.raises(outcome):
            raises(InvalidValue, action)


def test_an_ask_for_a_model_is_for_its_family() -> None:
    """Otherwise no vendor with two families could be tested."""
    model = DeviceModel(vendor="acme", name="A", capacity={MEMORY: 5}, family="small")
    assert ask_of(model, memory=3) == Ask(vendor="acme", family="small", memory=3)
