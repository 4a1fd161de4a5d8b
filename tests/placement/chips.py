"""Chips that do not exist, for what real ones need of the planner: rings, places on a device, and sets that must be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.testing.fake import FakeSplitting, fake_vendor
from hetero.vendor import Vendor


class Ringed(FakeSplitting):
    """A chip with a limited number of rings: a share takes one for each started third of the memory."""

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        share = super().split(model, ask)
        if isinstance(share, Refusal):
            return share
        rings = max(1, 3 * share.memory // model.capacity[MEMORY])
        return Share(quantities={**share.quantities, "rings": rings}, template=f"rings-{rings}")

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        usual = super().model(name, memory, mode)
        capacity = {SLOTS: 4, MEMORY: memory, CORES: 100, "rings": 3}
        return DeviceModel(vendor=usual.vendor, name=name, capacity=capacity)


class Placed(FakeSplitting):
    """A chip of several places: a share takes 1, 2, 4 and so on that lie side by side, where that many may begin.

    As on cards that the hardware divides, the last place is of no use to the smallest share.
    """

    def __init__(self, vendor: str, places: int = 8) -> None:
        super().__init__(vendor)
        self.places = places

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Places are dimensions of capacity 1."""
        usual = super().model(name, memory, mode)
        capacity = {SLOTS: self.places - 1, MEMORY: memory, **{f"place-{place}": 1 for place in range(self.places)}}
        return DeviceModel(vendor=usual.vendor, name=name, capacity=capacity)

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """At the first place of those where it may be."""
        usual = super().split(model, ask)
        if isinstance(usual, Refusal):
            return usual
        if ask.template:
            return Refusal(reason=Reason.UNSUPPORTED, message=f"{model.name} has no template {ask.template}")
        return self._at(model, self._size(model, ask), 0)

    def alternatives(self, model: DeviceModel, ask: Ask) -> Sequence[Share]:
        """At all other places, from the last one down."""
        size = self._size(model, ask)
        starts = range(size, self.places - (size == 1), size)
        return [self._at(model, size, start) for start in reversed(starts)]

    def _size(self, model: DeviceModel, ask: Ask) -> int:
        size = 1
        while size < self.places and model.capacity[MEMORY] * size // self.places < ask.memory_on(
            model.capacity[MEMORY]
        ):
            size *= 2
        return size

    def _at(self, model: DeviceModel, size: int, start: int) -> Share:
        taken = {f"place-{place}": 1 for place in range(start, start + size)}
        memory = model.capacity[MEMORY] * size // self.places
        return Share(quantities={SLOTS: 1, MEMORY: memory, **taken}, template=f"{size}-of-{self.places}")


class Paired(FakeSplitting):
    """A chip that is wired in pairs: only whole pairs serve, and of single ones only the first of a pair.

    An ask in percent may have any set.
    """

    def sets(self, devices: Sequence[Device], ask: Ask) -> Iterable[tuple[Device, ...]] | None:
        """Pairs of an even index and the next."""
        return None if ask.memory_percentage is not None else self._sets(devices, ask.count)

    def _sets(self, devices: Sequence[Device], count: int) -> Iterator[tuple[Device, ...]]:
        by_index = {device.index: device for device in devices}
        if count == 1:
            yield from ((device,) for device in devices if device.index % 2 == 0)
        elif count % 2 == 0:
            pairs = [
                (one, by_index[one.index + 1]) for one in devices if one.index % 2 == 0 and one.index + 1 in by_index
            ]
            for some in combinations(pairs, count // 2):
                yield tuple(device for pair in some for device in pair)


def chips() -> dict[str, Vendor]:
    """A vendor of each."""
    kinds = {"ringed": Ringed("ringed"), "placed": Placed("placed", 4), "paired": Paired("paired")}
    return {name: fake_vendor(name, splitting=splitting) for name, splitting in kinds.items()}
