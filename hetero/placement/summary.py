"""Why a pod waits, in one sentence about all nodes: how many fail for what, with the figures that decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hetero.model.ask import PodAsk
from hetero.model.device import CORES, MEMORY
from hetero.model.share import Reason, Refusal
from hetero.placement.columns import distinct
from hetero.placement.fit import CODE, FOREIGN, OPEN, Mask, Need
from hetero.placement.judge import Alone
from hetero.placement.options import SHORT
from hetero.placement.reasons import none_of
from hetero.placement.search import MOST_ASKS
from hetero.placement.verdict import TOGETHER, findings, reasons
from hetero.placement.view import View

_FIGURES = {
    CODE[Reason.INSUFFICIENT_MEMORY]: ("memory", MEMORY, " MiB"),
    CODE[Reason.INSUFFICIENT_CORES]: ("compute", CORES, " percent"),
}
_LISTED = 3  # sentences of a vendor about its models


@dataclass(frozen=True)
class Group:
    """Nodes that fail for the same.

    Attributes:
        nodes: How many.
        sentence: Why.
        code: Under which word that is counted.
    """

    nodes: int
    sentence: str
    code: int

    def told(self, total: int) -> str:
        """The group among ``total`` nodes."""
        return f"{self.nodes}/{total} nodes: {self.sentence} [{SHORT[self.code].partition(':')[0]}]"


def summary(groups: Iterable[Group], total: int) -> str:
    """The sentence about nodes that fail, the largest group first; empty when there are none.

    Args:
        groups: The nodes.
        total: How many nodes were looked at, those that serve included.
    """
    ordered = sorted((group for group in groups if group.nodes), key=lambda group: -group.nodes)
    return "; ".join(group.told(total) for group in ordered)


def groups(pod: PodAsk, needs: Sequence[Need], view: View) -> Iterator[Group]:
    """The nodes of a view, which all fail, by why.

    Args:
        pod: The pod.
        needs: Its asks in the order of its containers and then its init containers.
        view: The nodes.
    """
    names = [one.name for one in (*pod.containers, *pod.init_containers) for _ in one.asks]
    left = np.ones(view.size, dtype=bool)
    if len(names) > MOST_ASKS:
        yield Group(view.size, f"devices are asked for more than {MOST_ASKS} times", TOGETHER)
        return
    for container, need in zip(names, needs, strict=True):
        alone = Alone(view, need)
        failing = np.flatnonzero(left & ~alone.fits)
        if failing.size:
            prefix = f"container {container}: " if len(names) > 1 else ""
            yield from _of_ask(prefix, alone.need, view.part(failing))
        left &= alone.fits
    yield Group(int(np.count_nonzero(left)), "each container fits, but not all at the same time", TOGETHER)


def _of_ask(prefix: str, need: Need, view: View) -> Iterator[Group]:
    codes = reasons(view, need, findings(view, need, need.standing(view.ledger, view.rows)))
    for code in distinct(codes):
        nodes = np.flatnonzero(codes == code)
        sentence = _sentence(code, need, view.part(nodes))
        yield Group(nodes.size, prefix + sentence, code)


def _sentence(code: int, need: Need, view: View) -> str:
    standing = need.standing(view.ledger, view.rows)
    found = findings(view, need, standing)
    refused = _refusals(need, view, (found == code) & (standing == code))
    lacking = (found == code) & (standing == OPEN)
    if lacking.any() and code in _FIGURES:
        return "; ".join([_figures(_FIGURES[code], need, view, lacking), *refused])
    if lacking.any() and code == CODE[Reason.UNSUPPORTED]:
        return "; ".join([*_of_the_vendors_own(need, view, lacking), *refused])
    if code == CODE[Reason.NO_DEVICES]:
        return none_of(need.ask)
    if code == CODE[Reason.TOO_FEW_DEVICES]:
        most = int(view.count(standing != FOREIGN).max())
        return f"fewer devices than asked (most on a node {most}, asked {need.ask.count})"
    return "; ".join(refused) or SHORT[code].partition(": ")[2]


def _figures(what: tuple[str, str, str], need: Need, view: View, lacking: Mask) -> str:
    word, name, unit = what
    line = view.ledger.catalogue.columns[name]
    free = max(int(view.free[line][lacking].max()), 0)
    asked = int(need.floor[line][view.models[lacking]].max())
    return f"not enough {word} on any card (largest free {free}{unit}, asked {asked}{unit})"


def _of_the_vendors_own(need: Need, view: View, lacking: Mask) -> Iterator[str]:
    """What devices lack that only their chip has; places on a device are not told one by one."""
    short = (view.free < need.floor[:, view.models]) & lacking & (view.capacity > 1)
    for line in np.flatnonzero(short.any(axis=1)).tolist():
        name = view.ledger.catalogue.dimensions[line]
        yield _figures((name, name, ""), need, view, short[line])
    if (lacking & ~short.any(axis=0)).any():
        yield "no place left for the share on any card"


def _refusals(need: Need, view: View, rows: Mask) -> list[str]:
    """The vendor's sentences about the models of these rows, each once, a few at most."""
    shares = (need.shares[model] for model in distinct(view.models[rows]))
    refused = [share for share in shares if isinstance(share, Refusal)]
    told = list(dict.fromkeys(one.message for one in refused))
    return told if len(told) <= _LISTED else [*told[:_LISTED], f"{len(told) - _LISTED} more models"]
