"""Vendors whose chips have instances and fall ill: a sound one, and those that break one rule about it."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.device import Device, Health, Sample
from hetero.testing import fake_devices, fake_vendor
from hetero.testing.fake import FakeDiscovery, FakeEnforcement
from hetero.vendor import Vendor

WORN = Health(ok=False, reason="worn out")


class Instances(FakeEnforcement):
    """Makes an instance for each slice, which its name finds again."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.instances: list[str] = []

    def prepare(self, held: Slice) -> ContainerEdits:
        if held.id not in self.instances:
            self.instances.append(held.id)
        return super().prepare(held)

    def release(self, held: Slice) -> None:
        self.instances = [name for name in self.instances if name != held.id]


class MakesAnother(Instances):
    def prepare(self, held):
        self.instances.append(held.id)
        return super().prepare(held)


class KeepsWholeOnes(Instances):
    """Takes an instance that is all of a device for none."""

    def release(self, held):
        if held.grants[0].share.cores < 100:
            super().release(held)


class TakesTheOthers(Instances):
    """What it releases takes all instances of the device along."""

    def release(self, held):
        self.instances = []


class Ill(FakeDiscovery):
    """Two devices, the second of which can fall ill."""

    def __init__(self) -> None:
        super().__init__(fake_devices(2))
        self.worn = False

    def devices(self) -> Sequence[Device]:
        first, second = super().devices()
        return [first, msgspec.structs.replace(second, health=self.health())]

    def health(self) -> Health:
        return WORN if self.worn else Health()


class NeverWellAgain(Ill):
    """Remembers an illness for good."""

    seen = False

    def health(self):
        self.seen = self.seen or self.worn
        return WORN if self.seen else Health()


class HidesIt(Ill):
    """A device that is ill is none."""

    def devices(self):
        return [device for device in super().devices() if device.health.ok]


class SaysItLater(Ill):
    """Samples know of no illness."""

    def sample(self) -> Sequence[Sample]:
        return [msgspec.structs.replace(one, health=Health()) for one in super().sample()]


def with_part(**parts: Any) -> Vendor:
    """The fake vendor with another part."""
    return replace(fake_vendor(), **parts)


def _hardware(subject: Any) -> list[str] | None:
    made = getattr(subject.vendor.enforcement, "instances", None)
    return None if made is None else sorted(made)


def _illness(subject: Any) -> contextlib.AbstractContextManager[None] | None:
    discovery = subject.vendor.discovery
    return _ill(discovery) if isinstance(discovery, Ill) else None


@contextlib.contextmanager
def _ill(discovery: Ill) -> Iterator[None]:
    discovery.worn = True
    yield
    discovery.worn = False


SUBJECT = {"hardware": _hardware, "illness": _illness}
"""What the subject of a vendor of this module can tell."""

SURROUNDED = {"surroundings": {"FAKE_DRIVER": "simulated"}, "faults": {"missing": {"FAKE_DRIVER": ""}}}
"""What it has besides when it has a stand-in for its driver."""

SOUND = {"instances": with_part(enforcement=Instances(), discovery=Ill())}

BROKEN = {
    "a second instance": ("preparing_twice_is_preparing_once", with_part(enforcement=MakesAnother())),
    "an instance left": ("releasing_takes_what_was_made", with_part(enforcement=KeepsWholeOnes())),
    "another's instance": ("slices_do_not_touch_each_other", with_part(enforcement=TakesTheOthers())),
    "ill for good": ("a_device_recovers", with_part(discovery=NeverWellAgain())),
    "ill and gone": ("a_device_recovers", with_part(discovery=HidesIt())),
    "ill in the list alone": ("a_device_recovers", with_part(discovery=SaysItLater())),
}
"""What is wrong to the rule that says so, and the vendor."""


class Missing(enum.Enum):
    """What a subject with surroundings lacks or has wrong."""

    FAULTS = {"faults": {}}  # noqa: RUF012
    ILLNESS = {"illness": lambda _: None}  # noqa: RUF012
    HARDWARE = {"hardware": lambda _: None}  # noqa: RUF012
    IDENTITIES = {"identities": ("fake-0", "fake-1", "fake-2")}  # noqa: RUF012


BROKEN_SUBJECTS = {
    Missing.FAULTS: "a_stand_in_shows_what_it_can",
    Missing.ILLNESS: "a_stand_in_shows_what_it_can",
    Missing.HARDWARE: "a_stand_in_shows_what_it_can",
    Missing.IDENTITIES: "all_that_is_there_is_found",
}
