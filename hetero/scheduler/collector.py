"""Keeps Python's garbage collector out of the way of answers.

At 5,000 nodes and 40,000 pods a full collection looks at 650,000 objects and stops every answer for a quarter of a
second, and finds nothing: what the ledger holds has no cycles and is freed by counting references.
"""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 50)
"""Objects made before a collection of the youngest, and how many of those before one of the older two generations.
Python's own (700, 10, 10) looks several times for each pod."""


def rarely() -> None:
    """Collect more rarely from now on."""
    gc.set_threshold(*THRESHOLDS)


def keep() -> None:
    """Collect once, and never look again at what is left: the cluster as it was read first."""
    gc.collect()
    gc.freeze()
