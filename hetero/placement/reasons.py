"""Why a node does not serve an ask, in words with figures, for the person whose pod waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hetero.model.device import CORES, MEMORY, SLOTS, Device
from hetero.model.share import Reason, Refusal
from hetero.placement.fit import Need
from hetero.placement.ledger import Amounts, Ledger
from hetero.placement.selection import mismatch

_UNITS = {MEMORY: " MiB", CORES: " percent"}

# Looked at in this order: a device that lacks several things is counted under the first.
_REASON_OF = {SLOTS: Reason.SLOTS_EXHAUSTED, MEMORY: Reason.INSUFFICIENT_MEMORY, CORES: Reason.INSUFFICIENT_CORES}

_WORDS = {
    Reason.UNHEALTHY: "unhealthy: {}",
    Reason.MODEL_MISMATCH: "not of the models asked: {}",
    Reason.DEVICE_MISMATCH: "not among the devices asked: {}",
    Reason.SLOTS_EXHAUSTED: "shared by as many programs as may be: {}",
    Reason.CORES_EXHAUSTED: "all compute promised to programs with a limit: {}",
    Reason.EXCLUSIVE_CONFLICT: "a whole device was asked, already in use: {}",
    Reason.UNSUPPORTED: "the share cannot be made on: {}",
}

Finding = Reason | Refusal
"""What keeps an ask off a device: the planner's own reason, or the vendor's refusal of the whole model."""


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
        """All reasons, the one that most devices have in common first, said of the container that asks.

        A container without a name, as on a single machine, is not mentioned.
        """
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
        found = self._found(family)
        sentences = [self._sentence(finding, rows, len(family)) for finding, rows in found]
        room = [f"room on {_counted(self.fitting)}, asked {ask.count}"] if self.fitting else []
        return _reason(found[0][0]), "; ".join(room + sentences)

    def _found(self, family: Iterable[int]) -> list[tuple[Finding, list[int]]]:
        """Each finding with its rows, those of the most common reason first, ties in the order of the devices."""
        found: dict[Finding, list[int]] = {}
        for row in family:
            finding = self._finding(row)
            if finding is not None:
                found.setdefault(finding, []).append(row)
        common: Counter[Reason] = Counter()
        for finding, rows in found.items():
            common[_reason(finding)] += len(rows)
        return sorted(found.items(), key=lambda entry: -common[_reason(entry[0])])

    def _family(self) -> list[int]:
        """The rows of the node that asks for this vendor and family are about."""
        ask = self.need.ask
        rows = self.ledger.rows_of_family(ask.vendor, ask.family)
        return [int(row) for row in rows if self.rows.start <= row < self.rows.stop]

    def _finding(self, row: int) -> Finding | None:
        """The first thing that keeps the ask off one device; None when it has room."""
        device = self._device(row)
        if not device.health.ok:
            return Reason.UNHEALTHY
        share = self.need.shares[self._model(row)]
        wrong = mismatch(self.need.ask.selection, device)
        return wrong or (share if isinstance(share, Refusal) else self._exhausted(row))

    def _exhausted(self, row: int) -> Reason | None:
        lacking = {name for name in self.ledger.dimensions if self._asked(row, name) > self._free(row, name)}
        if not lacking:
            return None
        if self.need.ask.exclusive and SLOTS in lacking:
            return Reason.EXCLUSIVE_CONFLICT
        reason = next((reason for name, reason in _REASON_OF.items() if name in lacking), Reason.UNSUPPORTED)
        unlimited = not self.need.share(self._model(row)).cores
        return Reason.CORES_EXHAUSTED if reason is Reason.INSUFFICIENT_CORES and unlimited else reason

    def _sentence(self, finding: Finding, rows: Sequence[int], family: int) -> str:
        """What a finding means for its devices; ``family`` is how many the node has."""
        if isinstance(finding, Refusal):
            return finding.message
        if finding is Reason.INSUFFICIENT_MEMORY:
            return self._amounts("memory", MEMORY, rows, family)
        if finding is Reason.INSUFFICIENT_CORES:
            return self._amounts("compute", CORES, rows, family)
        return _WORDS[finding].format(_counted(len(rows))) + self._details(finding, rows)

    def _details(self, reason: Reason, rows: Iterable[int]) -> str:
        if reason is Reason.UNHEALTHY:
            return f" ({_listed(self._device(row).health.reason for row in rows)})"
        if reason is Reason.MODEL_MISMATCH:
            return f" ({_listed(self._device(row).model.name for row in rows)})"
        return ""

    def _amounts(self, word: str, name: str, rows: Sequence[int], family: int) -> str:
        free, asked = (max(of(row, name) for row in rows) for of in (self._free, self._asked))
        unit = _UNITS[name]
        where = "any device" if len(rows) == family else _counted(len(rows))
        return f"not enough {word} on {where} (largest free {max(free, 0)}{unit}, asked {asked}{unit})"

    def _asked(self, row: int, name: str) -> int:
        return int(self.need.floor[self._model(row), self.ledger.columns[name]])

    def _free(self, row: int, name: str) -> int:
        column = self.ledger.columns[name]
        return int(self.ledger.capacity[row, column] - self.used[row - self.rows.start, column])

    def _device(self, row: int) -> Device:
        return self.ledger.devices[row]

    def _model(self, row: int) -> int:
        return int(self.ledger.model_of[row])


def _reason(finding: Finding) -> Reason:
    return finding.reason if isinstance(finding, Refusal) else finding


def _counted(devices: int) -> str:
    return f"{devices} device{'' if devices == 1 else 's'}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word or "no reason given" for word in words))
