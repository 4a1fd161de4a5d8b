"""The rules about where on a device, and on which devices, a share may be: positions and sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import msgspec

from hetero.model.ask import Ask
from hetero.model.device import SLOTS, Device, DeviceModel
from hetero.model.share import Share
from hetero.testing.subject import Subject, devices_of, fits, left_after

MOST = 64
"""Alternatives or sets of one question, at most: each is tried on each device."""

MOST_SETS = 4096

Options = tuple[Share, ...]


class PositionRules(Subject):
    """Shares that serve as well elsewhere, and sets that may not be others."""

    def test_alternatives_are_the_same_elsewhere(self) -> None:
        """Each differs from the share of ``split`` in which places it takes (dimensions of 1), and in nothing else."""
        for model, ask, share in self._questions():
            for other in self._alternatives(model, ask):
                places = {name for name, capacity in model.capacity.items() if capacity == 1}
                assert other.template == share.template, (ask, other)
                assert _without(other, places) == _without(share, places), (ask, other)
                assert _taken(other, places) == _taken(share, places), (ask, other)

    def test_alternatives_differ(self) -> None:
        """A share that is given twice is tried twice, by every node."""
        for model, ask, share in self._questions():
            options = [share, *self._alternatives(model, ask)]
            assert len(options) <= MOST, ask
            amounts = [tuple(sorted(_charged(one).items())) for one in options]
            assert len(set(amounts)) == len(amounts), ask

    def test_alternatives_stay_within_the_device(self) -> None:
        """Every quantity is one that the model has, not negative, and at most what one device has."""
        for model, ask, _ in self._questions():
            for other in self._alternatives(model, ask):
                assert set(other.quantities) <= set(model.capacity), (ask, other)
                assert all(amount >= 0 for amount in other.quantities.values()), (ask, other)
                assert fits(other, model.capacity), (ask, other)

    def test_equal_shares_fill_a_device(self) -> None:
        """Taken one after another where they first fit, as many find room as can: no order of places wastes one."""
        for model, ask, share in self._questions():
            options = (share, *self._alternatives(model, ask))
            if len(options) > 1:
                assert _greedy(options, dict(model.capacity)) == _most(options, dict(model.capacity)), ask

    def test_sets_are_of_what_is_offered(self) -> None:
        """Each has the count that was asked, no device twice, and none that was not offered; no set comes twice."""
        for offered, ask in self._ruled():
            sets = self._legal(offered, ask)
            for chosen in sets or ():
                assert len({device.uuid for device in chosen}) == len(chosen) == ask.count
                assert all(device in offered for device in chosen)
            assert len(set(map(_names, sets or ()))) == len(sets or ()), ask

    def test_a_set_is_legal_whatever_else_is_offered(self) -> None:
        """All legal sets are given: those of a few devices are just those of all devices that lie within the few."""
        for offered, ask in self._ruled():
            every = self._legal(offered, ask)
            for few in (offered[::2], offered[1:], offered[: ask.count]):
                within = {one for one in map(_names, every or ()) if one <= _names(few)}
                assert set(map(_names, self._legal(few, ask) or ())) == within, (ask, sorted(_names(few)))

    def test_whether_sets_are_ruled_hangs_on_the_ask(self) -> None:
        """``None`` for some devices is ``None`` for all, and for none: the planner asks once."""
        for offered, ask in self._ruled():
            told = {self._legal(some, ask) is None for some in (offered, offered[:1], [])}
            assert len(told) == 1, ask

    def _questions(self) -> Iterator[tuple[DeviceModel, Ask, Share]]:
        for model in self.all_models():
            yield from ((model, ask, share) for ask, share in self.shares(model))

    def _alternatives(self, model: DeviceModel, ask: Ask) -> Sequence[Share]:
        return self.vendor.splitting.alternatives(model, ask)

    def _ruled(self) -> Iterator[tuple[list[Device], Ask]]:
        """Eight devices of a model, linked and not; those of the machine; each with asks for 1 to 8 of them."""
        for model in self.all_models():
            wired = devices_of(model, 8)
            bare = [msgspec.structs.replace(device, links=()) for device in wired]
            here = [device for device in self.here() if device.model == model][:8]
            typical = next((ask for ask, _ in self.shares(model)), None)
            asks = [*([typical] if typical else []), *self.own_asks(model)]
            for offered, ask, count in itertools.product((wired, bare, here), asks, range(1, 9)):
                yield offered, msgspec.structs.replace(ask, count=count)

    def _legal(self, offered: Sequence[Device], ask: Ask) -> list[tuple[Device, ...]] | None:
        given = self.vendor.splitting.sets(list(offered), ask)
        return None if given is None else list(itertools.islice(given, MOST_SETS))


def _names(devices: Sequence[Device]) -> frozenset[str]:
    return frozenset(device.uuid for device in devices)


def _charged(share: Share) -> dict[str, int]:
    return {name: amount for name, amount in share.quantities.items() if amount}


def _without(share: Share, places: set[str]) -> dict[str, int]:
    return {name: amount for name, amount in _charged(share).items() if name not in places}


def _taken(share: Share, places: set[str]) -> int:
    return sum(amount for name, amount in share.quantities.items() if name in places)


def _greedy(options: Options, left: dict[str, int]) -> int:
    """How many shares find room, each taken at the first place that has some."""
    given, slots = 0, left.get(SLOTS, 0)
    while given < slots and (share := _first(options, left)) is not None:
        left = left_after(share, left)
        given += 1
    return given


def _first(options: Options, left: dict[str, int]) -> Share | None:
    return next((share for share in options if fits(share, left)), None)


def _most(options: Options, left: dict[str, int]) -> int:
    """How many find room at best. Places are few, so each state is looked at once."""
    seen: dict[tuple[int, ...], int] = {}

    def most(left: dict[str, int]) -> int:
        key = tuple(left.values())
        if key not in seen:
            seen[key] = max((1 + most(left_after(share, left)) for share in options if fits(share, left)), default=0)
        return seen[key]

    return most(left)
