"""Why a node does not serve an ask, in words with figures, for the person whose pod waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hetero.model.device import CORES, MEMORY, SLOTS, Device
from hetero.model.share import Reason, Refusal, Share
from hetero.placement.fit import Need
from hetero.placement.ledger import Amounts, Ledger
from hetero.placement.selection import mismatch

_UNITS = {MEMORY: " MiB", CORES: " percent"}

# Looked at in this order: a device that lacks several things is counted under the first.
_REASON_OF = {SLOTS: Reason.SLOTS_EXHAUSTED, MEMORY: Reason.INSUFFICIENT_MEMORY, CORES: Reason.INSUFFICIENT_CORES}

_WORDS = {
    Reason.DEVICE_MISMATCH: "not among the devices asked: {}",
    Reason.SLOTS_EXHAUSTED: "shared by as many programs as may be: {}",
    Reason.CORES_EXHAUSTED: "all compute promised to programs with a limit: {}",
    Reason.EXCLUSIVE_CONFLICT: "a whole device was asked, already in use: {}",
    Reason.UNSUPPORTED: "the share cannot be made on: {}",
}


@dataclass(frozen=True)
class NoRoom:
    """An ask for which a node has too few devices.

    Attributes:
        ledger: The devices.
        rows: The node's rows.
        need: The ask.
        used: What is taken of each of those rows, by earlier asks of the same pod as well.
        fitting: How many devices have room.
    """

    ledger: Ledger
    rows: slice
    need: Need
    used: Amounts
    fitting: int

    def refusal(self, container: str) -> Refusal:
        """The reason that most of the devices have in common, said of the container that asks, if it has a name."""
        reason, sentence = self._said()
        return Refusal(reason=reason, message=f"container {container}: {sentence}" if container else sentence)

    def _said(self) -> tuple[Reason, str]:
        ask, family = self.need.ask, self._family()
        if not family:
            return Reason.TOO_FEW_DEVICES, f"the node has no {ask.vendor} device"
        if ask.count > len(family):
            return Reason.TOO_FEW_DEVICES, f"asked {ask.count} devices, the node has {len(family)}"
        if self.fitting >= ask.count:
            return Reason.NUMA_MISMATCH, f"no NUMA node has {ask.count} devices with room, only {self.fitting} in all"
        found = {row: self._reason(row) for row in family}
        reason, _ = Counter(one for one in found.values() if one is not None).most_common(1)[0]
        some = f"{self.fitting} of {ask.count} devices have room; " if self.fitting else ""
        return reason, some + self._sentence(reason, [row for row, one in found.items() if one is reason])

    def _family(self) -> list[int]:
        """The rows of the node that asks for this vendor and family are about."""
        ask = self.need.ask
        rows = self.ledger.rows_of_family(ask.vendor, ask.family)
        return [int(row) for row in rows if self.rows.start <= row < self.rows.stop]

    def _reason(self, row: int) -> Reason | None:
        """The first thing that keeps the ask off one device; None when it has room."""
        device = self._device(row)
        if not device.health.ok:
            return Reason.UNHEALTHY
        wrong = mismatch(self.need.ask.selection, device)
        if wrong is not None:
            return wrong
        refused = self._refused(row)
        return refused.reason if refused is not None else self._exhausted(row)

    def _exhausted(self, row: int) -> Reason | None:
        lacking = {name for name in self.ledger.dimensions if self._asked(row, name) > self._free(row, name)}
        if not lacking:
            return None
        if self.need.ask.exclusive and SLOTS in lacking:
            return Reason.EXCLUSIVE_CONFLICT
        if CORES in lacking and not self.need.share(self._model(row)).cores:
            return Reason.CORES_EXHAUSTED
        return next((reason for name, reason in _REASON_OF.items() if name in lacking), Reason.UNSUPPORTED)

    def _sentence(self, reason: Reason, rows: Sequence[int]) -> str:
        refusals = [refusal.message for refusal in map(self._refused, rows) if refusal is not None]
        if refusals:
            return "; ".join(dict.fromkeys(refusals))
        if reason is Reason.UNHEALTHY:
            return f"every device left is unhealthy ({_listed(self._device(row).health.reason for row in rows)})"
        if reason is Reason.MODEL_MISMATCH:
            return f"the models here are not the ones asked ({_listed(self._device(row).model.name for row in rows)})"
        if reason is Reason.INSUFFICIENT_MEMORY:
            return self._amounts("memory", MEMORY, rows)
        if reason is Reason.INSUFFICIENT_CORES:
            return self._amounts("compute", CORES, rows)
        return _WORDS[reason].format(f"{len(rows)} device{'s' if len(rows) > 1 else ''}")

    def _amounts(self, word: str, name: str, rows: Sequence[int]) -> str:
        free, asked = (max(of(row, name) for row in rows) for of in (self._free, self._asked))
        unit = _UNITS[name]
        where = "the others" if self.fitting else "any device"
        return f"not enough {word} on {where} (largest free {max(free, 0)}{unit}, asked {asked}{unit})"

    def _refused(self, row: int) -> Refusal | None:
        share = self.need.shares[self._model(row)]
        return None if isinstance(share, Share) else share

    def _asked(self, row: int, name: str) -> int:
        return int(self.need.floor[self._model(row), self.ledger.columns[name]])

    def _free(self, row: int, name: str) -> int:
        column = self.ledger.columns[name]
        return int(self.ledger.capacity[row, column] - self.used[row - self.rows.start, column])

    def _device(self, row: int) -> Device:
        return self.ledger.devices[row]

    def _model(self, row: int) -> int:
        return int(self.ledger.model_of[row])


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word or "no reason given" for word in words))
