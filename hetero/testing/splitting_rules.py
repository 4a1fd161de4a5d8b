"""The rules of :class:`hetero.vendor.Splitting` as tests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import msgspec

from hetero.errors import InvalidValue
from hetero.model import wire
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.testing.subject import Subject, devices_of, raises


class SplittingRules(Subject):
    """How much of a device an ask takes."""

    def test_every_family_has_a_model(self) -> None:
        """The suite's models cover the vendor's resource families."""
        assert {one.family for one in self.vendor.resources} == {model.family for model in self.all_models()}

    def test_every_family_can_be_had(self) -> None:
        """In each family there is a model of which a device can be given, or nothing below would be tested."""
        served = {model.family for model in self.all_models() if any(self.shares(model))}
        assert served >= {one.family for one in self.vendor.resources}

    def test_models_are_the_vendors_own(self) -> None:
        """A model carries the vendor's name and has room for at least one program."""
        for model in self.all_models():
            assert model.vendor == self.vendor.name
            assert all(amount > 0 for amount in model.capacity.values())
            assert SLOTS in model.capacity

    def test_models_can_be_described(self) -> None:
        """A device described by its name and memory is the model that discovery reports."""
        for model in self.all_models():
            described = self.vendor.splitting.model(model.name, model.capacity.get(MEMORY, 1), model.mode)
            assert described == model

    def test_ill_descriptions_are_refused(self) -> None:
        """No memory, or a mode that the chip does not have: one of our errors, with the field."""
        model = self.all_models()[0]
        for memory, mode, field in (
            (0, "", MEMORY),
            (-5, "", MEMORY),
            (model.capacity.get(MEMORY, 1), "no such mode", "mode"),
        ):
            error = raises(InvalidValue, self.vendor.splitting.model, model.name, memory, mode)
            assert error.field == field

    def test_splitting_keeps_no_state(self) -> None:
        """The same question has the same answer, whatever was asked before, and asking changes nothing."""
        questions = list(self.asks())
        before = [wire.encode(model) for model, _ in questions]
        first = [self.split(model, ask) for model, ask in questions]
        again = [self.split(model, ask) for model, ask in reversed(questions)]
        assert again[::-1] == first
        assert [wire.encode(model) for model, _ in questions] == before

    def test_splitting_answers_every_ask(self) -> None:
        """An ask that cannot be served is refused with a reason and a sentence; nothing is raised."""

        def check(model: DeviceModel, ask: Ask) -> None:
            try:
                answer = self.split(model, ask)
            except Exception as error:
                raise AssertionError(
                    f"{ask} of {model.name} raised {error!r} instead of returning a Refusal"
                ) from error
            assert isinstance(answer, Share) or (isinstance(answer, Refusal) and answer.message.strip())

        self.for_any_ask(check)

    def test_shares_stay_within_the_device(self) -> None:
        """Every quantity is one that the model has, not negative, and at most what one device has."""

        def check(model: DeviceModel, ask: Ask) -> None:
            for name, amount in self._quantities(model, ask).items():
                assert name in model.capacity, f"{name} is nothing that {model.name} has"
                assert 0 <= amount <= model.capacity[name], (name, amount, ask)

        self.for_any_ask(check)

    def test_no_share_gives_less_than_asked(self) -> None:
        """Rounding goes up, and what is given is charged: memory to the MiB, compute to the percent.

        Who names a template and no memory asks for what the template has.
        """

        def check(model: DeviceModel, ask: Ask) -> None:
            given = self._quantities(model, ask)
            unnamed = ask.template and ask.memory is None and ask.memory_percentage is None
            memory = 0 if unnamed else ask.memory_on(model.capacity.get(MEMORY, 0))
            wanted = {MEMORY: memory, CORES: ask.cores}
            for name, asked in wanted.items():
                if given and name in model.capacity:
                    assert given.get(name, 0) >= asked, (name, given, ask)

        self.for_any_ask(check)

    def test_more_is_never_less(self) -> None:
        """Who asks for more memory, and for as much of all else, gets no less; what is too much stays too much."""
        for model, cores in itertools.product(self.all_models(), (0, 30, 100)):
            asks = [ask for ask in self.asks_for(model) if _plain(ask) and ask.cores == cores]
            told = [self._memory(model, ask) for ask in sorted(asks, key=lambda ask: ask.memory or 0)]
            given = [memory for memory in told if memory is not None]
            assert given == sorted(given), (model.name, cores)

    def test_rounding_is_done_once(self) -> None:
        """Whoever asks for just what a share gives gets it: nothing is added that is not there for rounding."""

        def check(model: DeviceModel, ask: Ask) -> None:
            answer = self.split(model, ask)
            if isinstance(answer, Share) and 0 < answer.memory <= model.capacity[MEMORY] and not ask.exclusive:
                again = msgspec.structs.replace(ask, memory=answer.memory, memory_percentage=None)
                assert self._memory(model, again) == answer.memory, ask

        self.for_any_ask(check)

    def test_every_share_takes_a_slot(self) -> None:
        """A program always counts, or a device would be shared by any number."""
        for model in self.all_models():
            for ask, share in self.shares(model):
                assert share.quantities.get(SLOTS, 0) >= 1, ask

    def test_a_whole_device_is_for_one_program(self) -> None:
        """Beside an exclusive share nothing fits, and beside any other share no exclusive one does."""
        for model in self.all_models():
            shares = list(self.shares(model))
            alone = [(ask, share) for ask, share in shares if ask.exclusive]
            for (ask, one), (other, two) in itertools.product(alone, shares):
                assert _collide(model, one, two), f"{ask} leaves room for {other} on {model.name}"

    def test_shares_can_be_stored(self) -> None:
        """A share is the same after it was written into an annotation and read again."""
        for model in self.all_models():
            assert wire.decode(wire.encode(model), DeviceModel) == model
            for _, share in self.shares(model):
                assert wire.decode(wire.encode(share), Share) == share

    def test_combinations_are_sets_of_what_is_offered(self) -> None:
        """Each has the count that was asked, no device twice, and none that was not offered.

        A device's links name peers that are not offered when those are taken, and none at all in a described cluster.
        """
        for offered, count in self._offers():
            for combination in itertools.islice(self.vendor.splitting.combinations(offered, count), 100):
                assert len({device.uuid for device in combination}) == len(combination) == count
                assert all(device in offered for device in combination)

    def test_combinations_come_in_one_order(self) -> None:
        """The same devices give the same sets, each once, and are left in the order in which they were offered."""
        for model, count in itertools.product(self.all_models(), range(1, 9)):
            offered = devices_of(model, 8)
            first = self._sets(offered, count)
            assert offered == devices_of(model, 8)
            assert self._sets(offered, count) == first
            assert len(set(first)) == len(first)

    def _offers(self) -> Iterator[tuple[list[Device], int]]:
        """Devices and how many of them are asked: all of a node, one of each pair, and some without links."""
        for model in self.all_models():
            whole = devices_of(model, 8)
            bare = [msgspec.structs.replace(device, links=()) for device in whole]
            for offered in (whole, whole[::2], bare):
                yield from ((offered, count) for count in range(1, len(offered) + 1))

    def _sets(self, offered: list[Device], count: int) -> list[frozenset[str]]:
        """The first sets that the vendor would try."""
        combinations = itertools.islice(self.vendor.splitting.combinations(offered, count), 100)
        return [frozenset(device.uuid for device in devices) for devices in combinations]

    def _memory(self, model: DeviceModel, ask: Ask) -> float | None:
        """MiB that are given; without end when that is too much, None when it is refused for another reason."""
        answer = self.split(model, ask)
        if isinstance(answer, Share):
            return answer.memory
        return math.inf if answer.reason == Reason.INSUFFICIENT_MEMORY else None

    def _quantities(self, model: DeviceModel, ask: Ask) -> dict[str, int]:
        """What is charged; nothing when the ask is refused."""
        answer = self.split(model, ask)
        return answer.quantities if isinstance(answer, Share) else {}


def _plain(ask: Ask) -> bool:
    """True for an ask by an amount of memory, in no word of the vendor's own."""
    return ask.memory is not None and not (ask.template or ask.mode or ask.sets)


def _collide(model: DeviceModel, one: Share, two: Share) -> bool:
    """True when the device lacks something for both."""
    return any(
        one.quantities.get(name, 0) + two.quantities.get(name, 0) > capacity
        for name, capacity in model.capacity.items()
    )
