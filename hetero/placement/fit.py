"""Which devices have room for an ask: split once per device model, then compared over all rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from hetero import log
from hetero.model.ask import Ask, Selection
from hetero.model.device import CORES, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.placement.ledger import Amounts, Ledger, Rows
from hetero.placement.selection import mismatch
from hetero.vendor import Vendor

_log = log.logger("placement")

_REMEMBERED = 256  # asks; each may keep a list of all devices

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Need:
    """An ask in the terms of one ledger.

    Attributes:
        ask: The ask.
        shares: For each device model of the ledger the share, why there is none, or None for other families.
        amounts: The shares as rows of the ledger's columns; zeros where there is none.
        floor: What must be free beyond nothing: the amounts, and a percent of compute where none is charged. A
            program without a limit must not go where all compute is promised to others.
        rows: The devices that could serve if they were empty.
    """

    ask: Ask
    shares: Sequence[Share | Refusal | None]
    amounts: Amounts
    floor: Amounts
    rows: Rows

    def share(self, model: int) -> Share:
        """The share of a model that serves."""
        share = self.shares[model]
        assert isinstance(share, Share)  # noqa: S101 — rows hold only models that serve
        return share


class Fit:
    """Turns asks into needs, and remembers how models are split.

    Args:
        ledger: The devices.
        vendors: By name.
    """

    def __init__(self, ledger: Ledger, vendors: Mapping[str, Vendor]) -> None:
        self._ledger = ledger
        self._vendors = vendors
        self._needs: dict[Ask, Need] = {}

    def need(self, ask: Ask) -> Need:
        """What an ask comes to on each model."""
        if ask not in self._needs:
            if len(self._needs) >= _REMEMBERED:
                self._needs.clear()
            self._needs[ask] = self._need(ask)
        return self._needs[ask]

    def room(self, need: Need, rows: Rows, used: Amounts) -> Mask:
        """Which of the rows have room when ``used`` (row by row) is taken of them."""
        models = self._ledger.model_of[rows]
        return cast("Mask", (used + need.floor[models] <= self._ledger.capacity[rows]).all(axis=1))

    def _need(self, ask: Ask) -> Need:
        ledger = self._ledger
        shares = [self._split(model, ask) for model in ledger.models]
        amounts = ledger.vectors(share.quantities if isinstance(share, Share) else {} for share in shares)
        serves = np.array([isinstance(share, Share) for share in shares], dtype=bool)
        rows = ledger.rows_of_family(ask.vendor, ask.family)
        rows = rows[serves[ledger.model_of[rows]] & ledger.healthy[rows]] if rows.size else rows
        if ask.selection != Selection():
            wanted = [mismatch(ask.selection, ledger.devices[row]) is None for row in rows]
            rows = rows[np.array(wanted, dtype=bool)]
        return Need(ask, shares, amounts, self._floor(amounts), rows)

    def _floor(self, amounts: Amounts) -> Amounts:
        cores = self._ledger.columns.get(CORES)
        floor = amounts.copy()
        if cores is not None:
            has_cores = np.array([model.capacity.get(CORES, 0) > 0 for model in self._ledger.models], dtype=bool)
            floor[:, cores] = np.where(has_cores, np.maximum(floor[:, cores], 1), floor[:, cores])
        return floor

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


def _sound(model: DeviceModel, answer: Share | Refusal) -> Share | Refusal:
    """Hold a vendor to its word: amounts within the capacity, in dimensions that the model has."""
    if isinstance(answer, Share):
        for name, amount in answer.quantities.items():
            if not 0 <= amount <= model.capacity.get(name, -1):
                raise ValueError(f"a share of {amount} {name} is outside what the model has")
    return answer
