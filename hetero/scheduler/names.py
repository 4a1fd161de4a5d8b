"""Lists of node names, as they come and go with every pod: without work for each name where that is possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from hetero.errors import InvalidValue
from hetero.scheduler.protocol import BEST

FEW = 32
"""Nodes that have a score at most."""

_KEPT = 8  # lists; kube-scheduler asks prioritize with the very list that filter answered
_MOST = 50_000  # names with prepared scores; the nodes of several large clusters

_read = msgspec.json.Decoder(list[str] | None).decode


class Names:
    """Reads lists of names; one that was read or answered lately is not read again. Not for several threads at once.

    A list that is known again is the same object, by which the planner knows where its nodes are.
    """

    def __init__(self) -> None:
        self._known: deque[tuple[bytes, list[str]]] = deque(maxlen=_KEPT)

    def read(self, raw: msgspec.Raw) -> list[str]:
        """The names; none for null.

        Raises:
            InvalidValue: It is no list of texts.
        """
        text = bytes(raw)
        # Compared, not hashed: texts of other lists differ early or in their length.
        for known, names in self._known:
            if known == text:
                return names
        try:
            names = _read(text) or []
        except msgspec.MsgspecError as error:
            raise InvalidValue("NodeNames", text[:40].decode(errors="replace"), f"cannot be used: {error}") from error
        self.keep(text, names)
        return names

    def keep(self, text: bytes, names: list[str]) -> None:
        """Remember what a text reads as, before what it was known as."""
        self._known.appendleft((text, names))


class Scores:
    """Writes ``HostPriorityList``. Not for several threads at once."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[str, ...]] = {}

    def write(self, levels: Mapping[str, int]) -> bytes:
        """One entry for each node that has more than 0; kube-scheduler takes one that is missing for 0.

        Args:
            levels: Name to 0 to 10.
        """
        if len(self._written) > _MOST:
            self._written.clear()
        parts = [self._entries(name)[level] for name, level in levels.items() if level]
        return f"[{','.join(parts)}]".encode()

    def _entries(self, name: str) -> tuple[str, ...]:
        entries = self._written.get(name)
        if entries is None:
            host = msgspec.json.encode(name).decode()
            entries = tuple(f'{{"Host":{host},"Score":{level}}}' for level in range(BEST + 1))
            self._written[name] = entries
        return entries


def levels(best: Sequence[str], scores: Sequence[float]) -> dict[str, int]:
    """Scores as kube-scheduler takes them, which has 11 levels.

    The best node alone has 10, so that what is predicted is chosen where nothing else tells nodes apart. The next best
    have 1 to 8 in proportion, those that are alike the same. All others have 0, so that kube-scheduler's own opinions
    decide between them, and it has few entries to read.

    Args:
        best: The best nodes, the best first: one more than :data:`FEW` where there are so many.
        scores: 0 to 1 for each, falling.

    Returns:
        Name to level, without those that have 0.
    """
    edge = scores[FEW] if len(scores) > FEW else -1.0  # those that are alike beyond it are left out with it
    kept = [(name, score) for name, score in zip(best, scores, strict=True) if score > edge]
    low, high = (kept[-1][1], kept[0][1]) if kept else (0.0, 0.0)
    scale = 7 / (high - low) if high > low else 0.0
    found = {name: int(1.5 + (score - low) * scale) for name, score in kept}
    if best:
        found[best[0]] = BEST
    return found
