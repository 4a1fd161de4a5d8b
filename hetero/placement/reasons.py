"""Why a node does not serve an ask, in words with figures, for the person whose pod waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, Device
from hetero.model.share import Reason, Refusal
from hetero.placement.fit import CODE, OPEN, REASONS, Need
from hetero.placement.ledger import Amounts, Ledger
from hetero.placement.verdict import exhausted

_UNITS = {MEMORY: " MiB", CORES: " percent"}

_WORDS = {
    Reason.UNHEALTHY: "unhealthy: {}",
    Reason.CORDONED: "cordoned: {}",
    Reason.MODEL_MISMATCH: "not of the models asked: {}",
    Reason.DEVICE_MISMATCH: "not among the devices asked: {}",
    Reason.SLOTS_EXHAUSTED: "shared by as many programs as may be: {}",
    Reason.CORES_EXHAUSTED: "all compute promised to programs with a limit: {}",
    Reason.EXCLUSIVE_CONFLICT: "a whole device was asked, already in use: {}",
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
        free: What is free of each of those rows, line by line, after earlier asks of the same pod.
        fitting: How many devices have room.
    """

    ledger: Ledger
    rows: slice
    need: Need
    free: Amounts
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
            return Reason.NO_DEVICES, f"the node has {none_of(ask)}{self._only()}"
        if ask.count > len(family):
            return Reason.TOO_FEW_DEVICES, f"asked {ask.count} devices, the node has {len(family)}"
        if self.fitting >= ask.count:
            return self._no_set()
        found = self._found(family)
        sentences = [self._sentence(finding, rows, len(family)) for finding, rows in found]
        room = [f"room on {_counted(self.fitting)}, asked {ask.count}"] if self.fitting else []
        return _reason(found[0][0]), "; ".join(room + sentences)

    def _only(self) -> str:
        """What the node has of the vendor, where none of it is of the family that is asked."""
        models = (self._device(row).model for row in range(self.rows.start, self.rows.stop))
        others = sorted({model.family or model.name for model in models if model.vendor == self.need.ask.vendor})
        return f", only {', '.join(others)}" if others else ""

    def _no_set(self) -> tuple[Reason, str]:
        """There are enough devices, and no set of them that serves."""
        ask = self.need.ask
        standing = self.need.standing(self.ledger, self.rows) == OPEN
        room = np.flatnonzero(standing & self.need.room(self.ledger.model_of[self.rows], self.free))
        numa = Counter(self.ledger.numa[self.rows][room].tolist())
        where = " on one NUMA node" if ask.selection.same_numa else ""
        if self.need.rule is None or (where and max(numa.values(), default=0) < ask.count):
            together = f"no NUMA node has {ask.count} devices with room"
            return Reason.NUMA_MISMATCH, f"{together}; all of them have {self.fitting}"
        indices = _listed(str(self._device(self.rows.start + place).index) for place in room.tolist())
        what = "none of them may be given alone" if ask.count == 1 else f"no {ask.count} of them may be given together"
        return Reason.TOPOLOGY, f"room on {_counted(self.fitting)} (index {indices}), but {what}{where}"

    def _found(self, family: Iterable[int]) -> list[tuple[Finding, list[int]]]:
        """Each finding with its rows, those of the most common reason first, ties in the order of :class:`Reason`."""
        found: dict[Finding, list[int]] = {}
        for row in family:
            finding = self._finding(row)
            if finding is not None:
                found.setdefault(finding, []).append(row)
        common: Counter[Reason] = Counter()
        for finding, rows in found.items():
            common[_reason(finding)] += len(rows)
        return sorted(found.items(), key=lambda entry: (-common[_reason(entry[0])], CODE[_reason(entry[0])]))

    def _family(self) -> list[int]:
        """The rows of the node that asks for this vendor and family are about."""
        shares = self.need.shares
        return [row for row in range(self.rows.start, self.rows.stop) if shares[self._model(row)] is not None]

    def _finding(self, row: int) -> Finding | None:
        """The first thing that keeps the ask off one device; None when it has room."""
        code = int(self.need.standing(self.ledger, slice(row, row + 1))[0])
        if code == OPEN:
            return self._exhausted(row)
        share = self.need.shares[self._model(row)]
        if code == self.need.codes[self._model(row)] and isinstance(share, Refusal) and CODE[share.reason] == code:
            return share  # the vendor has a sentence of its own for a model that it refuses
        return REASONS[code - 1]

    def _exhausted(self, row: int) -> Reason | None:
        place = slice(row - self.rows.start, row - self.rows.start + 1)
        models, free = self.ledger.model_of[row : row + 1], self.free[:, place]
        if self.need.room(models, free)[0]:
            return None
        return REASONS[int(exhausted(self.need, models, free)[0]) - 1]

    def _sentence(self, finding: Finding, rows: Sequence[int], family: int) -> str:
        """What a finding means for its devices; ``family`` is how many the node has."""
        if isinstance(finding, Refusal):
            return finding.message
        if finding is Reason.INSUFFICIENT_MEMORY:
            return self._amounts("memory", MEMORY, rows, family)
        if finding is Reason.INSUFFICIENT_CORES:
            return self._amounts("compute", CORES, rows, family)
        if finding is Reason.UNSUPPORTED:
            return self._lacking(rows, family)
        return _WORDS[finding].format(_counted(len(rows))) + self._details(finding, rows)

    def _lacking(self, rows: Sequence[int], family: int) -> str:
        """What devices lack of the vendor's own dimensions, or that no place is left of those that would serve."""
        found: dict[str, list[int]] = {}
        for row in rows:
            found.setdefault(self._lack(row), []).append(row)
        return "; ".join(
            self._amounts(name, name, some, family) if name else f"no place left for the share: {_counted(len(some))}"
            for name, some in sorted(found.items())
        )

    def _lack(self, row: int) -> str:
        """The first dimension of which a device has too little; empty when it is a place."""
        model, names = self._model(row), self.ledger.catalogue.dimensions
        lacking = [
            names[line]
            for line in self.need.first_lines.tolist()
            if self.free[line, row - self.rows.start] < self.need.floor[line, model]
        ]
        return lacking[0] if lacking and self.ledger.catalogue.models[model].capacity[lacking[0]] > 1 else ""

    def _details(self, reason: Reason, rows: Iterable[int]) -> str:
        if reason is Reason.UNHEALTHY:
            return f" ({_listed(self._device(row).health.reason for row in rows)})"
        if reason is Reason.MODEL_MISMATCH:
            return f" ({_listed(self._device(row).model.name for row in rows)})"
        return ""

    def _amounts(self, word: str, name: str, rows: Sequence[int], family: int) -> str:
        free, asked = (max(of(row, name) for row in rows) for of in (self._free, self._asked))
        unit = _UNITS.get(name, "")
        where = "any device" if len(rows) == family else _counted(len(rows))
        return f"not enough {word} on {where} (largest free {max(free, 0)}{unit}, asked {asked}{unit})"

    def _asked(self, row: int, name: str) -> int:
        return max(int(self.need.floor[self.ledger.catalogue.columns[name], self._model(row)]), 0)

    def _free(self, row: int, name: str) -> int:
        return int(self.free[self.ledger.catalogue.columns[name], row - self.rows.start])

    def _device(self, row: int) -> Device:
        device = self.ledger.devices[row]
        assert device is not None  # noqa: S101 — rows of a node have devices
        return device

    def _model(self, row: int) -> int:
        return int(self.ledger.model_of[row])


def none_of(ask: Ask) -> str:
    """That there is no device which an ask is about, in the words that it names them by."""
    return f"no {ask.vendor} device" + (f" of family {ask.family}" if ask.family else "")


def _reason(finding: Finding) -> Reason:
    return finding.reason if isinstance(finding, Refusal) else finding


def _counted(devices: int) -> str:
    return f"{devices} device{'' if devices == 1 else 's'}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word or "no reason given" for word in words))
