"""Vendors of chips with places and sets: a sound one of each, and those that break one rule about them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import msgspec

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel
from hetero.model.resources import Resources
from hetero.model.share import Reason, Refusal, Share
from hetero.testing import fake_vendor
from hetero.testing.fake import FakeSplitting, fake_resources
from hetero.vendor import Vendor

PLACES = 4


class Places(FakeSplitting):
    """A chip of four places, each a quarter of the memory; a share takes one, or two that begin at an even one."""

    def __init__(self) -> None:
        super().__init__("fake")

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        usual = super().model(name, memory, mode)
        return msgspec.structs.replace(usual, capacity={**usual.capacity, **{f"place-{n}": 1 for n in range(PLACES)}})

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        answer = super().split(model, ask)
        return self.options(model, ask, answer)[0] if isinstance(answer, Share) else answer

    def alternatives(self, model: DeviceModel, ask: Ask) -> list[Share]:
        return self.options(model, ask, super().split(model, ask))[1:]

    def options(self, model: DeviceModel, ask: Ask, usual: Share) -> list[Share]:
        quarter = -(-model.capacity[MEMORY] // PLACES)
        width = next(width for width in (1, 2, 4) if width * quarter >= usual.memory)
        if ask.exclusive:
            width = PLACES
        memory = min(width * quarter, model.capacity[MEMORY])
        base = {**usual.quantities, MEMORY: memory}
        return [
            Share(quantities={**base, **{f"place-{at + n}": 1 for n in range(width)}}, template=f"{width}p")
            for at in self.starts(width)
        ]

    def starts(self, width: int) -> list[int]:
        return [*range(0, PLACES - width + 1, width)]


class Changing(Places):
    """``other(share)`` in place of each alternative."""

    def other(self, share: Share) -> Share:
        raise NotImplementedError

    def alternatives(self, model, ask):
        return [self.other(share) for share in super().alternatives(model, ask)]


class DearerElsewhere(Changing):
    def other(self, share):
        return Share(quantities={**share.quantities, CORES: share.cores + 1}, template=share.template)


class AnotherTemplate(Changing):
    def other(self, share):
        return Share(quantities=share.quantities, template="other")


class TwiceTheSame(Places):
    def alternatives(self, model, ask):
        return [share for share in super().alternatives(model, ask) for _ in range(2)]


class PlaceTooMany(Changing):
    """The same places, said of one that is not there as well: 0 of it, which is nothing, but no name of the model."""

    def other(self, share):
        return Share(quantities={**share.quantities, "place-9": 0}, template=share.template)


class InTheWay(Places):
    """Begins with two places in the middle, beside which no other two find room."""

    def starts(self, width):
        return [1, 0, 2] if width == 2 else super().starts(width)


class Sets(FakeSplitting):
    """A chip that works in pairs of neighbours: one alone, or whole pairs."""

    def __init__(self) -> None:
        super().__init__("fake")

    def legal(self, devices: Any, count: int) -> bool:
        pairs = {device.index // 2 for device in devices}
        return count == 1 or (count % 2 == 0 and len(pairs) == count // 2)

    def sets(self, devices, ask):
        every = itertools.combinations(devices, ask.count)
        return [chosen for chosen in every if self.legal(chosen, ask.count)]


class TwiceTheSet(Sets):
    def sets(self, devices, ask):
        return [one for one in super().sets(devices, ask) for _ in range(2)]


class OneTooMany(Sets):
    def sets(self, devices, ask):
        return itertools.combinations(devices, ask.count + 1)


class NextToEachOther(Sets):
    """Goes by the order in which devices are offered."""

    def sets(self, devices, ask):
        return [tuple(devices[at : at + ask.count]) for at in range(len(devices) - ask.count + 1)]


class OnlyTheBest(Sets):
    """Gives the first three and thinks that this is enough."""

    def sets(self, devices, ask):
        return super().sets(devices, ask)[:3]


class NoneForNothing(Sets):
    def sets(self, devices, ask):
        return super().sets(devices, ask) if devices else None


class Jumps(FakeSplitting):
    """One MiB is given as half of a device, two as two."""

    def __init__(self) -> None:
        super().__init__("fake")

    def split(self, model, ask):
        answer = super().split(model, ask)
        memory = model.capacity[MEMORY] // 2 if ask.memory == 1 else None
        return _with_memory(answer, memory) if memory and isinstance(answer, Share) else answer


class Reserves(Jumps):
    """Adds a MiB for the driver each time."""

    def split(self, model, ask):
        answer = super(Jumps, self).split(model, ask)
        if isinstance(answer, Refusal):
            return answer
        return _with_memory(answer, min(model.capacity[MEMORY], answer.memory + 1))


def _with_memory(share: Share, memory: int) -> Share:
    return Share(quantities={**share.quantities, MEMORY: memory, SLOTS: share.quantities[SLOTS]})


class Pairs(Resources):
    """Counts devices, and gives them in pairs."""

    def problems(self, ask, amounts, request):
        yield from super().problems(ask, amounts, request)
        if ask.count % 2:
            said = request.limits.get(self.count)
            yield InvalidValue(self.field(request, self.count), said, "is odd; ask for a pair")


class AsksForMore(Resources):
    """Says one thing in ``ask`` and another in ``asks``."""

    def asks(self, request):
        return tuple(msgspec.structs.replace(ask, count=ask.count + 1) for ask in super().asks(request))


def splitting(part: FakeSplitting) -> Vendor:
    """The fake vendor that splits so."""
    return replace(fake_vendor(), splitting=part)


def reading(kind: type[Resources]) -> Vendor:
    """The fake vendor whose words are read so."""
    words = fake_resources()
    return replace(fake_vendor(), resources=(kind(**{name: getattr(words, name) for name in vars(words)}),))


class WholeOrNothing(FakeSplitting):
    """A chip that cannot be shared; who asks for all of its memory has all of it."""

    def __init__(self) -> None:
        super().__init__("fake")

    def split(self, model, ask):
        answer = super().split(model, ask)
        part = isinstance(answer, Share) and answer.memory < model.capacity[MEMORY]
        refusal = Refusal(
            reason=Reason.UNSUPPORTED, message="a device of this kind is given whole; leave out the memory"
        )
        return refusal if part else answer


SOUND = {
    "places": splitting(Places()),
    "sets": splitting(Sets()),
    "pairs": reading(Pairs),
    "whole": splitting(WholeOrNothing()),
}

BROKEN = {
    "dearer elsewhere": ("alternatives_are_the_same_elsewhere", splitting(DearerElsewhere())),
    "another template": ("alternatives_are_the_same_elsewhere", splitting(AnotherTemplate())),
    "an alternative twice": ("alternatives_differ", splitting(TwiceTheSame())),
    "a place too many": ("alternatives_stay_within_the_device", splitting(PlaceTooMany())),
    "in the way": ("equal_shares_fill_a_device", splitting(InTheWay())),
    "a set of devices twice": ("sets_are_of_what_is_offered", splitting(TwiceTheSet())),
    "sets of another size": ("sets_are_of_what_is_offered", splitting(OneTooMany())),
    "sets by their order": ("a_set_is_legal_whatever_else_is_offered", splitting(NextToEachOther())),
    "only some sets": ("a_set_is_legal_whatever_else_is_offered", splitting(OnlyTheBest())),
    "no rule for nothing": ("whether_sets_are_ruled_hangs_on_the_ask", splitting(NoneForNothing())),
    "less for more": ("more_is_never_less", splitting(Jumps())),
    "a reserve each time": ("rounding_is_done_once", splitting(Reserves())),
    "two answers": ("asks_are_what_is_asked", reading(AsksForMore)),
}
"""What is wrong to the rule that says so, and the vendor."""

PLACED = Places().model("Fake F1", 16384)
"""The model of those with places."""
