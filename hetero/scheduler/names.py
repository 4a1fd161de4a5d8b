"""Lists of node names, as they come and go with every pod: without work for each name where that is possible."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from hetero.errors import InvalidValue
from hetero.scheduler.protocol import BEST

FEW = 32
"""Nodes that have a score at most."""

_KEPT = 8  # lists; kube-scheduler asks prioritize with the very list that filter answered
_MOST = 50_000  # names with prepared scores; the nodes of several large clusters

_read = msgspec.json.Decoder(list[str] | None).decode


class Names:
    """Reads lists of names; one that was read or answered lately is not read again. Not for several threads at once."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, list[str]] = OrderedDict()

    def read(self, raw: msgspec.Raw) -> list[str]:
        """The names; none for null.

        Raises:
            InvalidValue: It is no list of texts.
        """
        text = bytes(raw)
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        try:
            names = _read(text) or []
        except msgspec.MsgspecError as error:
            raise InvalidValue("NodeNames", text[:40].decode(errors="replace"), f"cannot be used: {error}") from error
        self.keep(text, names)
        return names

    def keep(self, text: bytes, names: list[str]) -> None:
        """Remember what a text reads as."""
        self._known[text] = names
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)


class Scores:
    """Writes ``HostPriorityList``: the places of pods in their order, 0 to 10. Not for several threads at once."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[str, ...]] = {}

    def write(self, names: Iterable[str], levels: Iterable[int]) -> bytes:
        """One entry for each node that has more than 0; kube-scheduler takes one that is missing for 0."""
        if len(self._written) > _MOST:
            self._written.clear()
        parts = [self._entries(name)[level] for name, level in zip(names, levels, strict=True) if level]
        return f"[{','.join(parts)}]".encode()

    def _entries(self, name: str) -> tuple[str, ...]:
        entries = self._written.get(name)
        if entries is None:
            host = msgspec.json.encode(name).decode()
            entries = tuple(f'{{"Host":{host},"Score":{level}}}' for level in range(BEST + 1))
            self._written[name] = entries
        return entries


def levels(names: Sequence[str], scores: Sequence[float], best: str | None) -> list[int]:
    """Scores as kube-scheduler takes them, which has 11 levels.

    The best node alone has 10, so that what is predicted is chosen where nothing else tells nodes apart. The next best
    have 1 to 8 in proportion, those that are alike the same. All others have 0, so that kube-scheduler's own opinions
    decide between them, and it has few entries to read.

    Args:
        names: Of nodes.
        scores: 0 to 1 for each; 0 where it does not fit.
        best: The planner's choice among them; None when there is none.
    """
    if best is None:
        return [0] * len(names)
    top = heapq.nlargest(FEW + 1, scores)
    low = next((score for score in reversed(top) if score > top[-1] or len(top) <= FEW), 2.0)
    low = max(low, 1e-9)
    scale = 7 / (top[0] - low) if top[0] > low else 0.0
    found = [int(1.5 + (score - low) * scale) if score >= low else 0 for score in scores]
    found[names.index(best)] = BEST
    return found
