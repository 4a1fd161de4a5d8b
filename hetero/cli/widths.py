"""How wide the columns of a table are on a terminal that has no room for all of it: whole words before all else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

LONGEST = 24
"""Cells that a word may ask for before it is broken; slices fit, and devices and paths are longer."""

SHORTEST = 8
"""The same where the terminal has no room for that."""


@dataclass(frozen=True)
class Need:
    """What one column needs, in cells of the terminal; ``spare`` for one that is left out before words are broken."""

    least: int
    most: int
    spare: bool = False


def need(texts: Iterable[str], *, number: bool, spare: bool = False) -> Need:
    """What a column with these texts needs, its heading among them; a number is read in one piece."""
    from rich.cells import cell_len

    lines = [line for text in texts for line in text.split("\n")]
    most = max(map(cell_len, lines), default=0)
    if number:
        return Need(most, most, spare)
    word = max((cell_len(word) for line in lines for word in line.split()), default=0)
    return Need(min(word, LONGEST), most, spare)


def fitted(needs: Sequence[Need], room: int, gap: int) -> list[int | None]:
    """A width for each column so that all fit into the room, with a gap between two; None for one that is left out.

    Spare columns are left out, the widest first, for as long as a word of another would be broken. Of those that are
    kept, the widest gives way first. An empty list says that there is no room even for broken words.
    """
    broken = [replace(one, least=min(one.least, SHORTEST)) for one in needs]
    everything, needed = range(len(needs)), [index for index, one in enumerate(needs) if not one.spare]
    return _chosen(needs, everything, room, gap) or _chosen(broken, needed, room, gap)


def _chosen(needs: Sequence[Need], indices: Iterable[int], room: int, gap: int) -> list[int | None]:
    kept = list(indices)
    spare = sorted((index for index in kept if needs[index].spare), key=lambda index: needs[index].least)
    while kept:
        left = room - gap * (len(kept) - 1)
        if sum(needs[index].least for index in kept) <= left:
            widths = dict(zip(kept, _shared([needs[index] for index in kept], left), strict=True))
            return [widths.get(index) for index in range(len(needs))]
        if not spare:
            break
        kept.remove(spare.pop())
    return []


def _shared(needs: Sequence[Need], room: int) -> list[int]:
    widths = [max(one.least, min(one.most, room)) for one in needs]
    while sum(widths) > room:
        willing = [index for index, one in enumerate(needs) if widths[index] > one.least]
        widths[max(willing, key=widths.__getitem__)] -= 1
    return widths
