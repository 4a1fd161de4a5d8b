"""What is decided for a pod on its way: where it fits, where it will probably go, and what it takes there.

Each function holds the cluster's lock from its first look to its last charge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hetero.model.ask import PodAsk
from hetero.model.placement import Placement
from hetero.model.share import Reason, Refusal
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.grants import Kind
from hetero.scheduler.names import FEW, levels
from hetero.scheduler.nominations import KEPT

_WORDS = frozenset(Reason)

UNDER_WAY = "the pod is being bound to another node"
"""Why a node does not serve a pod whose Binding is under way, or was sent and not answered."""


@dataclass(frozen=True)
class Verdict:
    """Where a pod fits.

    Attributes:
        fits: Names of nodes, in the order in which they were asked for.
        failed: Name to the reason why a node does not serve now.
        unresolvable: The same where removing pods does not help.
        summary: One sentence for all of them; empty when one fits.
    """

    fits: list[str]
    failed: dict[str, str]
    unresolvable: dict[str, str]
    summary: str = ""

    @property
    def reason(self) -> str:
        """Why no node serves, in a word: what holds for most of those that could, or else for most of all.

        Only nodes that have what is asked are of interest where there are some, in a cluster of several chips.
        """
        for said in (self.failed, self.unresolvable):
            counts = Counter(said.values()).most_common()
            words = [_word(sentence) for sentence, _ in counts]
            known = [word for word in words if word != Reason.NO_DEVICES]
            if known:
                return known[0]
        return Reason.NO_DEVICES


def fitting(cluster: Cluster, ask: PodAsk, priority: int, names: Sequence[str]) -> Verdict:
    """Where a pod fits among these nodes.

    Args:
        cluster: Where to.
        ask: What the pod asks.
        priority: The pod's.
        names: Nodes.

    Raises:
        InvalidValue: The pod names a policy that there is none of.
    """
    with cluster.lock:
        cluster.books.expire()
        pinned = _pinned(cluster, ask)
        if pinned:
            return _only(pinned, names)
        options = cluster.planner.options(ask)
        room, failed, unresolvable = options.split(names)
        kept = cluster.nominations.kept_from(ask, priority, room) if len(cluster.nominations) else None
        fits = [name for name in room if name not in kept] if kept else room
        if kept:
            failed.update((name, KEPT) for name in room if name in kept)
        summary = "" if fits else _summary(options.summary(names), len(room), len(names))
        return Verdict(fits, failed, unresolvable, summary)


def scored(cluster: Cluster, ask: PodAsk, names: Sequence[str]) -> tuple[dict[str, int], str | None]:
    """How good each node is, 0 to 10, those with 0 left out; and the best one, None when none serves.

    Raises:
        InvalidValue: The pod names a policy that there is none of.
    """
    with cluster.lock:
        best, scores = cluster.planner.options(ask).top(names, FEW + 1)
        return levels(best, scores), best[0] if best else None


def promise(cluster: Cluster, ask: PodAsk, node: str) -> None:
    """Keep a pod's place on a node for a while, unless it has been taken meanwhile or a Binding was sent."""
    with cluster.lock:
        if _pinned(cluster, ask):
            return
        placement = cluster.planner.place_on(ask, node)
        if isinstance(placement, Placement):
            cluster.books.grant(placement, Kind.TENTATIVE, ask.traits)


def take(cluster: Cluster, ask: PodAsk, node: str) -> Placement | Refusal:
    """Plan a pod on its node and charge it, for its Binding."""
    with cluster.lock:
        placement = cluster.planner.place_on(ask, node)
        if isinstance(placement, Placement):
            cluster.books.grant(placement, Kind.BINDING, ask.traits)
        return placement


def _word(sentence: str) -> str:
    word = sentence.partition(":")[0]
    return word if word in _WORDS else "other"


def _pinned(cluster: Cluster, ask: PodAsk) -> str:
    """The node of a pod whose Binding has been sent, or is about to be; empty when there is none.

    A Binding that was not answered may be carried out at any time yet. Tried again for the same node it is harmless;
    for another one, two nodes would have to be kept.
    """
    grant = cluster.books.grants.get(ask.key)
    return grant.placement.node if grant is not None and grant.kind is not Kind.TENTATIVE else ""


def _only(node: str, names: Sequence[str]) -> Verdict:
    fits = [name for name in names if name == node]
    return Verdict(fits, {name: UNDER_WAY for name in names if name != node}, {}, "" if fits else UNDER_WAY)


def _summary(sentence: str, kept: int, of: int) -> str:
    return "; ".join(filter(None, [sentence, f"{kept}/{of} nodes: {KEPT}" if kept else ""]))
