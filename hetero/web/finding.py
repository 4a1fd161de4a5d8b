"""Finding and sorting what a page shows: words that must all occur, orders, and the part of a list that is seen."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from hetero.placement.columns import Rows
from hetero.placement.standing import Shape
from hetero.web.known import Column
from hetero.web.scene import Mask, Numbers


class Search:
    """Words, each of which must occur in what is found, in any case.

    Args:
        text: Words between spaces; none finds everything.
        shape: The devices.
    """

    def __init__(self, text: str, shape: Shape) -> None:
        self.words = text.lower().split()
        self._shape = shape

    @cached_property
    def nodes(self) -> Mask:
        """Which nodes are found: by their name, or by identity, vendor or model of a card."""
        found = np.ones(len(self._shape.names), dtype=bool)
        for word in self.words:
            found &= self._named(word) | self._having(self._rows(word))
        return found

    @cached_property
    def rows(self) -> Mask:
        """Which devices are found: by their identity, vendor or model, or their node's name."""
        found = np.ones(len(self._shape.devices), dtype=bool)
        for word in self.words:
            found &= self._named(word)[self._shape.node_of] | self._rows(word)
        return found

    def text(self, *parts: str) -> bool:
        """Whether each word occurs in any of these."""
        if not self.words:
            return True
        whole = "\n".join(parts).lower()
        return all(word in whole for word in self.words)

    def _named(self, word: str) -> Mask:
        return _flags(word in name.lower() for name in self._shape.names)

    def _rows(self, word: str) -> Mask:
        models = _flags(word in f"{one.vendor}\n{one.name}".lower() for one in self._shape.models)
        found: Mask = models[self._shape.model_of] if models.size else np.zeros(len(self._shape.devices), dtype=bool)
        return found | _flags(word in one.uuid.lower() for one in self._shape.devices)

    def _having(self, rows: Mask) -> Mask:
        there = np.zeros(len(self._shape.names), dtype=bool)
        there[self._shape.node_of[rows]] = True
        return there


def _flags(values: Iterable[bool]) -> Mask:
    return np.array(list(values), dtype=bool)


def models(shape: Shape, *, vendor: str = "", model: str = "") -> Mask:
    """Which devices are of a vendor and a model; empty words mean any."""
    wanted = [vendor in ("", one.vendor) and model in ("", one.name) for one in shape.models]
    if not wanted:
        return np.zeros(len(shape.devices), dtype=bool)
    return _flags(wanted)[shape.model_of]


def page(
    chosen: Rows, key: Column | Numbers | None, *, falling: bool = False, offset: int = 0, limit: int = 50
) -> list[int]:
    """The part of a list that is looked at.

    Args:
        chosen: What is in the list, in its natural order, which decides between equals.
        key: By which it is sorted; what is not a number comes last, either way. None keeps the natural order.
        falling: The greatest first.
        offset: How many are before the page.
        limit: How many are on it at most.
    """
    if key is None:
        ordered = chosen[::-1] if falling else chosen
    else:
        values = np.asarray(key, dtype=np.float64)[chosen]
        ordered = chosen[np.argsort(-values if falling else values, kind="stable")]
    return ordered[offset : offset + limit].tolist()  # type: ignore[no-any-return]
