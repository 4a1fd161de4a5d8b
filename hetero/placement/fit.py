"""Which devices have room for an ask: split once per device model, then compared over many rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hetero import log
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel, Quantities
from hetero.model.share import Reason, Refusal, Share
from hetero.placement.columns import among
from hetero.placement.ledger import CORDONED, UNHEALTHY, Amounts, Ledger, Rows
from hetero.placement.rule import Rule
from hetero.placement.selection import wanted
from hetero.placement.ways import Ways, alternatives
from hetero.vendor import Vendor

_log = log.logger("placement")

_REMEMBERED = 512  # asks; each has a few tables of all models
_DIGITS = 9

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Which = slice | Rows

OPEN, FOREIGN = 0, -1
"""Codes of a device: nothing keeps the ask off an empty one, or it is of another vendor or family."""

REASONS: tuple[Reason, ...] = tuple(Reason)
CODE: dict[Reason, int] = {reason: code for code, reason in enumerate(REASONS, start=1)}
"""Codes of what keeps an ask off; from 1, in the order of :class:`Reason`."""

_LACKS = {
    SLOTS: Reason.SLOTS_EXHAUSTED,
    MEMORY: Reason.INSUFFICIENT_MEMORY,
    CORES: Reason.INSUFFICIENT_CORES,
}

NOTHING = np.int64(-(2**62))
"""What must be free where an ask takes nothing: less than nothing always is, also of a device that shrank."""


@dataclass(frozen=True)
class Need:
    """An ask in the terms of one catalogue.

    Attributes:
        ask: The ask.
        shares: For each device model the share, why there is none, or None for other families.
        amounts: The shares as columns of the catalogue's dimensions; zeros where there is none.
        ways: All shares where a model has alternatives, else None.
        least: What is taken whichever alternative it is: the amounts where there are none.
        idle: Only a device of which nothing is taken serves.
        floor: What must be free whichever alternative it is: the least, and a percent of compute where none is charged.
            A program without a limit must not go where all compute is promised to others. :data:`NOTHING` where nothing
            must be. All that the model has where only an idle device serves.
        codes: For each model :data:`OPEN`, :data:`FOREIGN`, or the reason why it never serves.
        flat: The one floor when it is the same for all models that serve, else None.
        first_lines: All dimensions in the order in which a lack of them is told.
        lacks: In that order, and for each model, the code of a lack.
        alike: For each model a number that models of which the ask takes the same have in common.
        uniform: The one share's amounts when all models that serve give the same, else None.
        use: The identities of the devices that may serve, as the ledger has them; empty for any.
        avoid: Those that must not.
        rule: Which sets the vendor allows; None for any.
        waste: For each model how much more a share of it takes than is asked, as part of the device; None when nothing.
    """

    ask: Ask
    shares: Sequence[Share | Refusal | None]
    amounts: Amounts
    ways: Ways | None
    least: Amounts
    idle: bool
    floor: Amounts
    codes: Codes
    flat: Amounts | None
    first_lines: Rows
    lacks: Codes
    alike: Rows
    uniform: Amounts | None
    use: npt.NDArray[np.int64]
    avoid: npt.NDArray[np.int64]
    rule: Rule | None
    waste: npt.NDArray[np.float64] | None

    def share(self, model: int, way: int = 0) -> Share:
        """The share of a model that serves; of several the one of this number."""
        share = self.ways.shares[model][way] if self.ways and way else self.shares[model]
        assert isinstance(share, Share)  # noqa: S101 — rows hold only models that serve
        return share

    def standing(self, ledger: Ledger, rows: Which, models: Rows | None = None) -> Codes:
        """What keeps the ask off each of the rows, whatever is taken of them: a code; :data:`OPEN` for nothing.

        Args:
            ledger: The devices.
            rows: Which of them.
            models: Their models, if they are at hand.
        """
        codes = self.codes[ledger.model_of[rows] if models is None else models]
        if self.use.size or self.avoid.size:
            wrong = among(ledger.identity[rows], self.avoid)
            if self.use.size:
                wrong |= ~among(ledger.identity[rows], self.use)
            codes[wrong & (codes != FOREIGN)] = CODE[Reason.DEVICE_MISMATCH]
        state = ledger.state[rows]
        if state.any():
            ours = codes != FOREIGN
            codes[ours & (state == CORDONED)] = CODE[Reason.CORDONED]
            codes[ours & (state == UNHEALTHY)] = CODE[Reason.UNHEALTHY]
        return codes

    def room(self, models: Rows, free: Amounts) -> Mask:
        """Which devices of these models have room when so much (line by line) is free of them."""
        floor = self.floor[:, models] if self.flat is None else self.flat
        room: Mask = np.logical_and.reduce(free >= floor, axis=0)
        return room if self.ways is None else room & self.ways.fit(models, free)

    def taken(self, models: Rows, free: Amounts, given: Amounts | None = None) -> tuple[Rows, Amounts]:
        """Which of its shares each device that has room gives, and what that takes.

        Args:
            models: The model of each device.
            free: What is free of it, line by line.
            given: What the pod has of it anyway, which is taken rather than other places.
        """
        if self.ways is None:
            return np.zeros(models.shape, dtype=np.intp), self.amounts[:, models]
        ways = self.ways.first(models, free, given)
        return ways, self.ways.amounts(models, ways)

    def amounts_of(self, models: Rows, ways: Rows) -> Amounts:
        """What devices of these models take that give these of their shares, line by line."""
        return self.amounts[:, models] if self.ways is None else self.ways.amounts(models, ways)

    def columns(self, model: int) -> list[tuple[int, ...]]:
        """What each of its shares takes of a device of a model that serves, line by line."""
        return [tuple(self.amounts[:, model].tolist())] if self.ways is None else self.ways.columns(model)


class Fit:
    """Turns asks into needs, and remembers how models are split.

    Args:
        ledger: The devices.
        vendors: By name.
    """

    def __init__(self, ledger: Ledger, vendors: Mapping[str, Vendor]) -> None:
        self._catalogue = ledger.catalogue
        self._vendors = vendors
        self._needs: dict[tuple[Ask, bool], Need] = {}
        self._models = 0

    @property
    def dimensions(self) -> Sequence[str]:
        """Names of the lines of all tables."""
        return self._catalogue.dimensions

    def need(self, ask: Ask, *, idle: bool = False) -> Need:
        """What an ask comes to on each model; with ``idle`` only devices serve of which nothing is taken."""
        if self._models != self._catalogue.size:
            self._needs.clear()  # another name among the models can change what a word for one of them means
            self._models = self._catalogue.size
        key = (ask, idle)
        if key not in self._needs:
            if len(self._needs) >= _REMEMBERED:
                self._needs.clear()
            self._needs[key] = self._need(ask, idle)
        return self._needs[key]

    def _need(self, ask: Ask, idle: bool) -> Need:
        catalogue = self._catalogue
        selected = wanted(ask.selection, {model.name for model in catalogue.models if model.vendor == ask.vendor})
        shares = [self._split(model, ask) for model in catalogue.models]
        amounts = self._amounts(shares)
        ways = self._ways(ask, shares)
        least = amounts if ways is None else ways.least
        codes = np.array(
            [_code(share, model.name in selected) for share, model in zip(shares, catalogue.models, strict=True)],
            dtype=np.int8,
        )
        floor = np.where(catalogue.capacity > 0, catalogue.capacity, NOTHING) if idle else self._floor(least, codes)
        return Need(
            ask=ask,
            shares=shares,
            amounts=amounts,
            ways=ways,
            least=least,
            idle=idle,
            floor=floor,
            codes=codes,
            flat=_flat(floor[:, codes == OPEN]),
            first_lines=self._first_lines(),
            lacks=self._lacks(ask, amounts, idle),
            alike=_alike(amounts),
            uniform=_uniform(amounts[:, codes == OPEN]),
            use=_identities(ask.selection.use_devices),
            avoid=_identities(ask.selection.avoid_devices),
            rule=Rule.of(self._vendors.get(ask.vendor), ask),
            waste=self._waste(ask, shares),
        )

    def _waste(self, ask: Ask, shares: Sequence[Share | Refusal | None]) -> npt.NDArray[np.float64] | None:
        parts = [
            _wasted(ask, model.capacity, share) if isinstance(share, Share) else 0.0
            for model, share in zip(self._catalogue.models, shares, strict=True)
        ]
        return np.array(parts) if any(parts) else None

    def _amounts(self, shares: Sequence[Share | Refusal | None]) -> Amounts:
        amounts = np.zeros((len(self._catalogue.dimensions), len(shares)), dtype=np.int64)
        for model, share in enumerate(shares):
            if isinstance(share, Share):
                amounts[:, model] = self._catalogue.vector(share.quantities)
        return amounts

    def _ways(self, ask: Ask, shares: Sequence[Share | Refusal | None]) -> Ways | None:
        found = [
            self._alternatives(model, share, ask) if isinstance(share, Share) else ()
            for model, share in zip(self._catalogue.models, shares, strict=True)
        ]
        return Ways(found, self._catalogue) if any(len(one) > 1 for one in found) else None

    def _alternatives(self, model: DeviceModel, share: Share, ask: Ask) -> tuple[Share, ...]:
        try:
            return alternatives(model, share, self._vendors[model.vendor].splitting.alternatives(model, ask))
        except Exception as error:
            _log.error("alternatives failed", vendor=model.vendor, model=model.name, reason=str(error))
            return (share,)

    def _floor(self, amounts: Amounts, codes: Codes) -> Amounts:
        floor = np.where(amounts > 0, amounts, NOTHING)
        cores = self._catalogue.columns.get(CORES)
        if cores is not None:
            unlimited = (codes == OPEN) & (amounts[cores] == 0) & (self._catalogue.capacity[cores] > 0)
            floor[cores, unlimited] = 1
        return floor

    def _first_lines(self) -> Rows:
        dimensions = self._catalogue.dimensions
        return np.array(sorted(range(len(dimensions)), key=lambda line: _rank(dimensions[line])), dtype=np.intp)

    def _lacks(self, ask: Ask, amounts: Amounts, idle: bool) -> Codes:
        """The code of a lack, dimension by dimension and model by model."""
        lacks = np.full(amounts.shape, CODE[Reason.EXCLUSIVE_CONFLICT if idle else Reason.UNSUPPORTED], dtype=np.int8)
        for name, reason in _LACKS.items():
            line = self._catalogue.columns.get(name)
            if line is not None and not idle:
                lacks[line] = CODE[Reason.EXCLUSIVE_CONFLICT if name == SLOTS and ask.exclusive else reason]
                if name == CORES:
                    lacks[line, amounts[line] == 0] = CODE[Reason.CORES_EXHAUSTED]
        return lacks[self._first_lines()]

    def _split(self, model: DeviceModel, ask: Ask) -> Share | Refusal | None:
        if (model.vendor, model.family) != (ask.vendor, ask.family):
            return None
        vendor = self._vendors.get(model.vendor)
        if vendor is None:
            return Refusal(reason=Reason.UNSUPPORTED, message=f"vendor {model.vendor!r} is not installed")
        try:
            return _sound(model, vendor.splitting.split(model, ask))
        except Exception as error:
            _log.error("split failed", vendor=model.vendor, model=model.name, reason=str(error))
            return Refusal(
                reason=Reason.UNSUPPORTED, message=f"vendor {model.vendor!r} failed on {model.name}: {error}"
            )


def _rank(dimension: str) -> int:
    """Where a lack of it stands when a device lacks several things: what is left to vendors comes last."""
    return list(_LACKS).index(dimension) if dimension in _LACKS else len(_LACKS)


def _code(share: Share | Refusal | None, selected: bool) -> int:
    if share is None:
        return FOREIGN
    if not selected:
        return CODE[Reason.MODEL_MISMATCH]
    return CODE[share.reason] if isinstance(share, Refusal) else OPEN


def _wasted(ask: Ask, capacity: Quantities, share: Share) -> float:
    """What rounding adds to the memory or the compute that is asked, whichever is the greater part of the device."""
    memory, cores = capacity.get(MEMORY, 0), capacity.get(CORES, 0)
    more = (share.memory - ask.memory_on(memory)) / memory if memory else 0.0
    busier = (share.cores - ask.cores) / cores if cores and ask.cores else 0.0
    return round(max(more, busier, 0.0), _DIGITS)


def _uniform(amounts: Amounts) -> Amounts | None:
    """The one column that all are like; None when they differ or there is none."""
    if not amounts.shape[1] or (amounts != amounts[:, :1]).any():
        return None
    return amounts[:, 0]


def _flat(floor: Amounts) -> Amounts | None:
    column = _uniform(floor)
    return None if column is None else column[:, np.newaxis]


def _alike(amounts: Amounts) -> Rows:
    numbers: dict[tuple[int, ...], int] = {}
    columns = map(tuple, amounts.T.tolist())
    return np.array([numbers.setdefault(column, len(numbers)) for column in columns], dtype=np.intp)


def _identities(uuids: Sequence[str]) -> npt.NDArray[np.int64]:
    return np.array(sorted(map(hash, uuids)), dtype=np.int64)


def _sound(model: DeviceModel, answer: Share | Refusal) -> Share | Refusal:
    """Hold a vendor to its word: amounts within the capacity, in dimensions that the model has."""
    if isinstance(answer, Share):
        for name, amount in answer.quantities.items():
            if not 0 <= amount <= model.capacity.get(name, -1):
                raise ValueError(f"a share of {amount} {name} is outside what the model has")
    return answer
