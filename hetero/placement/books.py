"""Which pods are placed, and what each was charged: the other side of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hetero.model.placement import Placement
from hetero.placement.charges import charges
from hetero.placement.lean import Shares
from hetero.placement.ledger import Ledger


class Books:
    """Pods by their key.

    Args:
        ledger: Where they are charged.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[str, Placement] = {}
        self._shares = Shares()

    def charge(self, placement: Placement) -> None:
        """Account for a pod; again for the same key, it replaces what was charged.

        Raises:
            InvalidValue: An amount is none. Nothing is changed then.
        """
        self._ledger.add(placement.node, charges(placement))
        self.free(placement.key)
        self._held[placement.key] = self._shares.lean(placement)

    def free(self, key: str) -> Placement | None:
        """Give back what was charged; None when nothing was."""
        held = self._held.pop(key, None)
        if held is not None:
            self._ledger.add(held.node, charges(held), sign=-1)
        return held

    def get(self, key: str) -> Placement | None:
        """What is charged for a key."""
        return self._held.get(key)

    @contextmanager
    def without(self, *keys: str) -> Iterator[None]:
        """The ledger as if these pods were not there; those that are not charged do not matter."""
        held = [self._held[key] for key in dict.fromkeys(keys) if key in self._held]
        with self._ledger.tried():
            for placement in held:
                self._ledger.add(placement.node, charges(placement), sign=-1)
            try:
                yield
            finally:
                for placement in held:
                    self._ledger.add(placement.node, charges(placement))
