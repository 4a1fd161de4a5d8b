"""Which names kube-scheduler sends, and in which order.

It looks at nodes from where it stopped the last time, by 16 workers that take chunks of them and write into one list,
until it has found enough that serve: so the names of one request are hardly ever in the order of the last, and on more
than a hundred nodes they are a window that moves on.
Source: Kubernetes 1.36, pkg/scheduler/schedule_one.go, findNodesThatPassFilters and numFeasibleNodesToFind;
framework/parallelize.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

WORKERS = 16
JITTER = 0.3
LEAST_SAMPLE = 100
LEAST_PERCENT = 5


def sample(nodes: int) -> int:
    """How many nodes that serve it looks for, where nothing is configured."""
    if nodes < LEAST_SAMPLE:
        return nodes
    percent = max(50 - nodes // 125, LEAST_PERCENT)
    return max(nodes * percent // 100, LEAST_SAMPLE)


class Names:
    """The lists of names, one for each pod.

    Args:
        names: Of all nodes.
        count: How many of them each pod is looked at with.
        random_: Where the order comes from.
    """

    def __init__(self, names: Sequence[str], count: int, random_: random.Random) -> None:
        self._names, self._count, self._random = list(names), count, random_
        self._start = 0
        self._chunk = max(1, min(math.isqrt(len(names)), len(names) // WORKERS + 1))

    def next(self) -> list[str]:
        """The names for the next pod."""
        turned = self._names[self._start :] + self._names[: self._start]
        self._start = (self._start + self._count) % len(self._names)
        window = turned[: self._count]
        order = sorted(range(len(window)), key=self._when)
        return [window[index] for index in order]

    def _when(self, index: int) -> float:
        """About when a worker comes to it, in chunks."""
        chunk, within = divmod(index, self._chunk)
        return chunk // WORKERS + within / self._chunk + self._random.random() * JITTER
