"""The conformance suite: the fake vendor passes, and each rule has a vendor that breaks it and nothing else.

Rules about packages have theirs in ``test_conformance_of_packages.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import broken_nodes
import broken_positions
import msgspec
import numpy as np
import pytest

from hetero.errors import DriverMissing, InvalidValue
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.ask import Ask, Selection
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Link, LinkKind, Sample
from hetero.model.machine import Card, Machine
from hetero.model.quantity import parse_count
from hetero.model.resources import Resources
from hetero.model.share import Reason, Refusal, Share
from hetero.testing import VendorConformance, fake_device, fake_devices, fake_vendor
from hetero.testing.fake import FakeDiscovery, FakeEnforcement, FakeSplitting, fake_resources
from hetero.vendor import Driver, Feature, Finding, Simulation, Vendor

MODEL = FakeSplitting("fake").model("Fake F1", 16384)

# --- vendors that break one rule ----------------------------------------------------------------------------


class Duck:
    """Has all methods of a part without being one."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


def named(**names: str) -> Vendor:
    """The fake vendor with other words."""
    return replace(fake_vendor(), resources=(replace(fake_resources(), **names),))


def reading(kind: type[Resources]) -> Vendor:
    """The fake vendor, whose words are read in another way."""
    words = fake_resources()
    return replace(fake_vendor(), resources=(kind(**{name: getattr(words, name) for name in vars(words)}),))


class SharesByDefault(Resources):
    def _assemble(self, amounts, request):
        return msgspec.structs.replace(super()._assemble(amounts, request), cores=amounts.get(self.cores, 0))


class AlwaysAsks(Resources):
    def ask(self, request):
        return super().ask(request) or Ask(vendor=self.vendor)


class TakesBoth(Resources):
    def problems(self, ask, amounts, request):
        return iter(())


class TakesWords(Resources):
    def _amount(self, name, value, request, problems):
        return 1 if isinstance(value, str) else super()._amount(name, value, request, problems)


class KnowsNoPercent(Resources):
    def _amount(self, name, value, request, problems):
        return parse_count(value, name) if value == 101 else super()._amount(name, value, request, problems)


class TakesAnyDevice(Resources):
    def _selection(self, annotations):
        return Selection()


class Splitting(FakeSplitting):
    """The fake's, for a vendor named fake; each class below changes one answer."""

    def __init__(self) -> None:
        super().__init__("fake")


class SecretFamily(Splitting):
    def model(self, name, memory, mode=""):
        return msgspec.structs.replace(super().model(name, memory, mode), family="x" if name == "Fake X1" else "")


class RefusesAll(Splitting):
    def split(self, model, ask):
        return Refusal(reason=Reason.UNSUPPORTED, message="not today")


class AnothersModels(Splitting):
    def model(self, name, memory, mode=""):
        return msgspec.structs.replace(super().model(name, memory, mode), vendor="other")


class RoundsDescriptions(Splitting):
    def model(self, name, memory, mode=""):
        return super().model(name, -(-memory // 1024) * 1024, mode)


class AnyMode(Splitting):
    def model(self, name, memory, mode=""):
        return super().model(name, memory)


class Changes(Splitting):
    """Gives each share another template."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()

    def split(self, model, ask):
        answer = super().split(model, ask)
        number = next(self._numbers)
        return msgspec.structs.replace(answer, template=str(number)) if isinstance(answer, Share) else answer


class RefusesSilently(Splitting):
    def split(self, model, ask):
        answer = super().split(model, ask)
        return msgspec.structs.replace(answer, message=" ") if isinstance(answer, Refusal) else answer


class RaisesOnMany(Splitting):
    def split(self, model, ask):
        if ask.count > 8:
            raise KeyError(ask.count)
        return super().split(model, ask)


class Charging(Splitting):
    """Charges ``charge(model, ask, quantities)`` on top of the fake's."""

    def charge(self, model: DeviceModel, ask: Ask, usual: dict[str, int]) -> dict[str, Any]:
        raise NotImplementedError

    def split(self, model, ask):
        answer = super().split(model, ask)
        if isinstance(answer, Refusal):
            return answer
        return Share(quantities={**answer.quantities, **self.charge(model, ask, answer.quantities)})


class UnknownQuantity(Charging):
    def charge(self, model, ask, usual):
        return {"engines": 1}


class TooMuch(Charging):
    def charge(self, model, ask, usual):
        return {MEMORY: -(-usual[MEMORY] // 1000) * 1000}


class Negative(Charging):
    def charge(self, model, ask, usual):
        return {CORES: ask.cores - 1 if ask.cores == 0 and ask.count > 4 else ask.cores}


class RoundsDown(Charging):
    def charge(self, model, ask, usual):
        return {MEMORY: usual[MEMORY] // 256 * 256}


class GivesNoCores(Charging):
    def charge(self, model, ask, usual):
        return {CORES: 0}


class Quarters(FakeSplitting):
    """Sound: a quarter of a device to whoever names one."""

    def split(self, model, ask):
        if not ask.template:
            return super().split(model, ask)
        quarter = {SLOTS: 1, MEMORY: model.capacity[MEMORY] // 4, CORES: 25}
        return Share(quantities=quarter, template=ask.template)


class NoSlot(Charging):
    """A whole device is alone by its memory, since slots do not count."""

    def charge(self, model, ask, usual):
        return {SLOTS: 10, MEMORY: model.capacity[MEMORY]} if ask.exclusive else {SLOTS: 0}


class SharedWhole(Charging):
    def charge(self, model, ask, usual):
        return {SLOTS: 1}


class ForeignNumbers(Charging):
    def charge(self, model, ask, usual):
        return {MEMORY: np.int64(usual[MEMORY])}


class SameDeviceTwice(Splitting):
    def combinations(self, devices, count):
        yield (devices[0],) * count


class TooFewDevices(Splitting):
    def combinations(self, devices, count):
        yield tuple(devices[: count - 1])


class MadeUpDevice(Splitting):
    def combinations(self, devices, count):
        yield tuple(fake_device(100 + index) for index in range(count))


class SameSetTwice(Splitting):
    def combinations(self, devices, count):
        yield tuple(devices[:count])
        yield tuple(reversed(devices[:count]))


class NeedsPeers(Splitting):
    """Takes for granted that the peers of a device are offered with it."""

    def combinations(self, devices, count):
        known = {device.uuid: device for device in devices}
        return [tuple([known[devices[0].links[0].peer], *devices][:count])]


class Forgetful(Splitting):
    """Starts elsewhere each time."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = count()

    def combinations(self, devices, count):
        turn = next(self._turns) % len(devices)
        return [tuple((*devices[turn:], *devices[:turn])[:count])]


class Reorders(Splitting):
    def combinations(self, devices, count):
        devices.reverse()
        return ()


class Enforcement(FakeEnforcement):
    """The fake's; each class below changes one thing."""

    def __init__(self) -> None:
        super().__init__("fake")


class Counts(Enforcement):
    """Counts what it prepared until it releases."""

    turn = 0

    def prepare(self, held):
        self.turn += 1
        return ContainerEdits(env={"FAKE_TURN": str(self.turn)})

    def release(self, held):
        self.turn = 0


class Adding(Enforcement):
    """Adds ``edits``."""

    def __init__(self, **edits: Any) -> None:
        super().__init__()
        self._edits = edits

    def prepare(self, held):
        return ContainerEdits(**self._edits)


class ReleasesWhatItKnows(Enforcement):
    def __init__(self) -> None:
        super().__init__()
        self._known: set[str] = set()

    def prepare(self, held: Slice) -> ContainerEdits:
        self._known.add(held.id)
        return super().prepare(held)

    def release(self, held: Slice) -> None:
        self._known.remove(held.id)


class Complains(Enforcement):
    def check(self):
        yield Finding(subject="driver", ok=False, detail="too old")


class Cards(Simulation):
    """Cards without keys."""

    def card(self, settings, field):
        for key in settings:
            raise InvalidValue(f"{field}.{key}", settings[key], "is no key of a card; a card has none")
        return Card(vendor="fake", settings={})

    def prepare(self, machine: Machine, directory: Path) -> ContainerEdits:
        return ContainerEdits()


class AnyCard(Cards):
    def card(self, settings, field):
        return Card(vendor="fake", settings=dict(settings))


class Lost(FakeDiscovery):
    def driver(self) -> Driver:
        raise DriverMissing("libfake.so.1", "")


class Backwards(FakeDiscovery):
    def sample(self) -> Sequence[Sample]:
        return super().sample()[::-1]


class Busy(FakeDiscovery):
    """Says ``utilization`` and ``memory`` of everything."""

    def __init__(self, **says: int) -> None:
        super().__init__(fake_devices(1))
        self._says = says

    def sample(self) -> Sequence[Sample]:
        return [msgspec.structs.replace(one, **self._says) for one in super().sample()]


def having(*devices: Device) -> Vendor:
    """The fake vendor on a machine with these devices."""
    return fake_vendor(devices=devices)


def device(index: int = 0, **fields: Any) -> Device:
    """A device with something odd about it."""
    return msgspec.structs.replace(fake_device(index), **fields)


def with_part(**parts: Any) -> Vendor:
    """The fake vendor with another part."""
    return replace(fake_vendor(), **parts)


def missing(*features: Feature, reason: str = "not in this chip") -> Mapping[Feature, str]:
    """These features and the simulation are missing."""
    return {Feature.SIMULATION: "there is no driver to simulate", **dict.fromkeys(features, reason)}


ODD = msgspec.structs.replace(MODEL, capacity={**MODEL.capacity, SLOTS: 99})
TWO_FAMILIES = replace(fake_resources("second"), vendor="fake")

BROKEN = {
    "parts that are none": ("parts_are_of_the_interface", with_part(enforcement=Duck(FakeEnforcement("fake")))),
    "no title": ("title_and_version_are_told", with_part(title="")),
    "no version": ("title_and_version_are_told", with_part(version="")),
    "a name without a domain": ("resource_names_are_qualified", named(count="npu")),
    "a domain of one word": ("resource_names_are_qualified", named(memory="fake/npumem")),
    "a domain with a gap": ("resource_names_are_qualified", named(memory="fake..example/npumem")),
    "Kubernetes' domain": ("resource_names_are_qualified", named(cores="devices.kubernetes.io/npucores")),
    "an annotation without a domain": ("resource_names_are_qualified", named(same_numa="same-numa")),
    "an annotation twice": ("names_mean_one_thing", named(avoid_models="fake.example/use-models")),
    "two families of one name": (
        "families_belong_to_the_vendor",
        with_part(resources=(fake_resources(), TWO_FAMILIES)),
    ),
    "a short word": ("words_can_be_looked_for", with_part(words=("fk",))),
    "a word twice": ("words_can_be_looked_for", with_part(words=("Fakery", "fakery"))),
    "a feature left out": ("a_feature_has_a_word_or_a_reason", named(priority="")),
    "a word for what is missing": ("a_missing_feature_has_no_word", with_part(missing=missing(Feature.CORES))),
    "no reason": ("what_is_missing_has_a_reason", with_part(missing=missing(Feature.HEALTH, reason=" "))),
    "no such feature": ("what_is_missing_has_a_reason", with_part(missing={**missing(), "colour": "it is grey"})),
    "no simulation, not said": ("a_simulation_is_there_or_missing", with_part(missing={})),
    "a simulation said to be missing": ("a_simulation_is_there_or_missing", with_part(simulation=Cards())),
    "whole devices shared": ("a_count_alone_takes_whole_devices", reading(SharesByDefault)),
    "asks nobody made": ("what_is_not_named_is_not_asked", reading(AlwaysAsks)),
    "both memories": ("two_ways_to_ask_for_memory_are_refused", reading(TakesBoth)),
    "words for numbers": ("malformed_amounts_name_their_field", reading(TakesWords)),
    "more than all": ("percentages_end_at_100", reading(KnowsNoPercent)),
    "annotations unread": ("annotations_narrow_the_choice", reading(TakesAnyDevice)),
    "nothing to be had": ("every_family_can_be_had", with_part(splitting=RefusesAll())),
    "any mode": ("ill_descriptions_are_refused", with_part(splitting=AnyMode())),
    "state": ("splitting_keeps_no_state", with_part(splitting=Changes())),
    "a silent refusal": ("splitting_answers_every_ask", with_part(splitting=RefusesSilently())),
    "an unknown quantity": ("shares_stay_within_the_device", with_part(splitting=UnknownQuantity())),
    "more than there is": ("shares_stay_within_the_device", with_part(splitting=TooMuch())),
    "memory rounded down": ("no_share_gives_less_than_asked", with_part(splitting=RoundsDown())),
    "compute for nothing": ("no_share_gives_less_than_asked", with_part(splitting=GivesNoCores())),
    "no slot": ("every_share_takes_a_slot", with_part(splitting=NoSlot())),
    "whole and shared": ("a_whole_device_is_for_one_program", with_part(splitting=SharedWhole())),
    "numbers of another library": ("shares_can_be_stored", with_part(splitting=ForeignNumbers())),
    "a device twice": ("combinations_are_sets_of_what_is_offered", with_part(splitting=SameDeviceTwice())),
    "too few devices": ("combinations_are_sets_of_what_is_offered", with_part(splitting=TooFewDevices())),
    "a device made up": ("combinations_are_sets_of_what_is_offered", with_part(splitting=MadeUpDevice())),
    "peers that are not offered": ("combinations_are_sets_of_what_is_offered", with_part(splitting=NeedsPeers())),
    "a set twice": ("combinations_come_in_one_order", with_part(splitting=SameSetTwice())),
    "another order": ("combinations_come_in_one_order", with_part(splitting=Forgetful())),
    "devices put in order": ("combinations_come_in_one_order", with_part(splitting=Reorders())),
    "a count": ("preparing_twice_is_preparing_once", with_part(enforcement=Counts())),
    "a number in env": ("edits_are_text", with_part(enforcement=Adding(env={"FAKE_MEMORY": 1024}))),
    "an equals sign in env": ("edits_are_text", with_part(enforcement=Adding(env={"FAKE=1": "2"}))),
    "a relative path": ("paths_are_absolute", with_part(enforcement=Adding(preload=("libfake.so",)))),
    "release of the known": ("release_may_come_any_time", with_part(enforcement=ReleasesWhatItKnows())),
    "a complaint alone": ("checks_find_something_to_say", with_part(enforcement=Complains())),
    "any key of a card": ("unknown_keys_of_a_card_are_refused", with_part(simulation=AnyCard(), missing={})),
    "no advice": ("a_driver_works_or_says_why_not", with_part(discovery=Lost(()))),
    "one identity": ("devices_have_identities", having(device(0), device(1, uuid="fake-0"))),
    "no identity": ("devices_have_identities", having(device(uuid=""))),
    "an index from 1": ("devices_have_identities", having(device(1))),
    "another model": ("devices_are_of_models_that_can_be_described", having(device(model=ODD))),
    "no finding": ("unusable_devices_say_why", having(device(health=Health(ok=False)))),
    "a link to nobody": (
        "links_lead_to_other_devices",
        having(device(links=(Link(peer="fake-9", kind=LinkKind.DIRECT),))),
    ),
    "a link to itself": (
        "links_lead_to_other_devices",
        having(device(links=(Link(peer="fake-0", kind=LinkKind.DIRECT),))),
    ),
    "a list for a tuple": ("devices_can_be_stored", having(device(paths=["/dev/fake0"]))),
    "samples backwards": ("samples_are_in_order", with_part(discovery=Backwards(fake_devices(2)))),
    "less than no memory": ("samples_are_amounts", with_part(discovery=Busy(memory_used=-1))),
    "more than busy": ("samples_are_amounts", with_part(discovery=Busy(utilization=101))),
}

BROKEN |= broken_nodes.BROKEN | broken_positions.BROKEN

OTHERS = msgspec.structs.replace(MODEL, vendor="other")
UNEVEN = msgspec.structs.replace(MODEL, capacity={**MODEL.capacity, MEMORY: 16383})

BROKEN_MODELS = {
    "a family unsaid": ("every_family_has_a_model", SecretFamily(), (MODEL, SecretFamily().model("Fake X1", 8192))),
    "another's models": ("models_are_the_vendors_own", AnothersModels(), (OTHERS,)),
    "a rounded description": ("models_can_be_described", RoundsDescriptions(), (UNEVEN,)),
}


def own_models(vendor: Vendor) -> tuple[DeviceModel, ...]:
    """What the vendor splits: the usual model, or the one with places."""
    return (vendor.splitting.model(MODEL.name, MODEL.capacity[MEMORY]),)


@pytest.fixture
def broken(broken_rules: Callable[..., set[str]], rules_of_vendors: frozenset[str]) -> Callable[..., set[str]]:
    """``broken(vendor)``: the rules that a vendor breaks."""

    def check(vendor: Vendor, models: Sequence[DeviceModel] | None = None) -> set[str]:
        models = own_models(vendor) if models is None else models
        return broken_rules(vendor, rules_of_vendors, models=models, **broken_nodes.SUBJECT)

    return check


@pytest.mark.parametrize(
    "vendor",
    [
        fake_vendor(devices=fake_devices(3)),
        fake_vendor(devices=None),
        fake_vendor(region=True),
        fake_vendor(missing={Feature.HEALTH: "it never breaks"}),
        *broken_positions.SOUND.values(),
        *broken_nodes.SOUND.values(),
    ],
    ids=["devices", "no driver", "region", "missing", *broken_positions.SOUND, *broken_nodes.SOUND],
)
def test_a_sound_vendor_conforms(broken, vendor: Vendor) -> None:
    """With devices, without a driver, with a region, without a feature; with places, sets, pairs and instances."""
    assert broken(vendor) == set()


def test_a_template_is_asked_without_an_amount(broken_rules, rules_of_vendors: frozenset[str]) -> None:
    """It has less than the whole memory, which is what an ask without any amount comes to otherwise."""
    subject = {"own_asks": lambda self, model: [Ask(vendor="fake", template="quarter")]}
    vendor = with_part(splitting=Quarters("fake"))
    assert broken_rules(vendor, rules_of_vendors, models=(MODEL,), **subject) == set()


def test_surroundings_have_faults(broken_rules, rules_of_vendors: frozenset[str]) -> None:
    """A stand-in that nothing ever goes wrong with is not finished; nor is one that has other devices than said."""
    for missing, rule in broken_nodes.BROKEN_SUBJECTS.items():
        subject = {**broken_nodes.SUBJECT, **broken_nodes.SURROUNDED, **missing.value}
        vendor = broken_nodes.SOUND["instances"]
        assert broken_rules(vendor, rules_of_vendors, models=(MODEL,), **subject) == {f"test_{rule}"}, missing


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_vendor_is_caught_by_its_rule(broken, what: str) -> None:
    """By that one alone: a failure tells its author what is wrong."""
    rule, vendor = BROKEN[what]
    assert broken(vendor) == {f"test_{rule}"}


@pytest.mark.parametrize("what", BROKEN_MODELS)
def test_a_broken_model_is_caught_by_its_rule(broken, what: str) -> None:
    """A model that belongs nowhere, or that is described in another way than discovery has it."""
    rule, splitting, models = BROKEN_MODELS[what]
    assert broken(with_part(splitting=splitting), models) == {f"test_{rule}"}


def test_every_rule_can_be_broken(rules_of_vendors: frozenset[str]) -> None:
    """A rule that no vendor can break checks nothing."""
    broken = {rule for rule, *_ in (*BROKEN.values(), *BROKEN_MODELS.values())}
    assert {f"test_{rule}" for rule in broken | {*broken_nodes.BROKEN_SUBJECTS.values()}} == rules_of_vendors


@pytest.mark.parametrize("splitting", [RaisesOnMany(), Negative()], ids=["raises", "negative"])
def test_asks_go_beyond_the_limits(broken_rules, splitting: Splitting) -> None:
    """What goes wrong with some counts only is found among the asks that are made up."""
    rule = frozenset({"test_shares_stay_within_the_device"})
    assert broken_rules(with_part(splitting=splitting), rule, models=(MODEL,), examples=60) == rule


def test_without_models_those_of_the_machine_are_taken(broken) -> None:
    """A vendor whose devices are here needs to name no models; one without both is told so."""
    assert broken(having(fake_device()), models=()) == set()
    assert "test_every_family_has_a_model" in broken(having(), models=())


def test_every_rule_says_what_it_guards(rules_of_vendors, rules_of_packages) -> None:
    """Its author reads the docstring first."""
    assert all(getattr(VendorConformance, rule).__doc__.strip() for rule in rules_of_vendors | rules_of_packages)
