"""Which pods are placed, and what each was charged: the other side of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hetero.model.ask import Traits
from hetero.model.placement import Placement
from hetero.placement.charges import charges
from hetero.placement.lean import Shares
from hetero.placement.ledger import Ledger, refuse_wrong
from hetero.placement.quota import Accounts

_PLAIN = Traits()


class Books:
    """Pods by their key.

    Args:
        ledger: Where they are charged by device.
        accounts: Where they are charged by namespace.
    """

    def __init__(self, ledger: Ledger, accounts: Accounts) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._held: dict[str, Placement] = {}
        self._traits: dict[str, Traits] = {}  # of those that have any
        self._shares = Shares()

    def charge(self, placement: Placement, traits: Traits) -> None:
        """Account for a pod; again for the same key, it replaces what was charged.

        Raises:
            InvalidValue: An amount is none. Nothing is changed then.
        """
        if self._held.get(placement.key) == placement and self._traits.get(placement.key, _PLAIN) == traits:
            return  # the cluster tells of a placement as often as it likes
        for container in (*placement.containers, *placement.init_containers):
            for share in container.devices:  # each by itself: two that are wrong may add up to nothing
                refuse_wrong({share.device: share.share.quantities})
        self._ledger.add(placement.node, charges(placement))
        self.free(placement.key)
        held = self._held[placement.key] = self._shares.lean(placement)
        if traits != _PLAIN:
            self._traits[placement.key] = traits
        self._accounts.take(held, traits)

    def free(self, key: str) -> Placement | None:
        """Give back what was charged; None when nothing was."""
        held = self._held.pop(key, None)
        if held is not None:
            self._accounts.give(held, self._traits.pop(key, _PLAIN))
            self._ledger.add(held.node, charges(held), sign=-1)
        return held

    def get(self, key: str) -> Placement | None:
        """What is charged for a key."""
        return self._held.get(key)

    def all(self) -> dict[str, Placement]:
        """What is charged, by key; a copy."""
        return self._held.copy()

    @contextmanager
    def without(self, *keys: str) -> Iterator[None]:
        """The ledger and the accounts as if these pods were not there; those that are not charged do not matter."""
        held = [self._held[key] for key in dict.fromkeys(keys) if key in self._held]
        taken = [(placement, charges(placement)) for placement in held]
        limited = [placement for placement in held if self._accounts.limits(placement.namespace)]
        with self._ledger.tried():
            for placement, amounts in taken:
                self._ledger.add(placement.node, amounts, sign=-1)
            for placement in limited:
                self._accounts.give(placement, self._traits.get(placement.key, _PLAIN))
            try:
                yield
            finally:
                for placement, amounts in taken:
                    self._ledger.add(placement.node, amounts)
                for placement in limited:
                    self._accounts.take(placement, self._traits.get(placement.key, _PLAIN))
