"""The slots of a resource: how many there are, which may be given out, and who is told so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence

from hetero.allocation.held import Slot


def numbered(total: int, healthy: int, held: Collection[str] = ()) -> tuple[Slot, ...]:
    """``total`` slots, of which ``healthy`` may be given out. Pure.

    A slot stands for no device, so which ones are withdrawn is free: those that nobody holds first, the last ones
    before the first. A slot that is held and withdrawn would be shown as a failure of a pod that may be well.

    Args:
        total: All slots of the devices that there are, well or not.
        healthy: Those of the devices that are well; at most ``total``.
        held: Ids that containers hold.
    """
    ids = [f"slot-{number:04}" for number in range(total)]
    order = sorted(ids, key=lambda one: (one not in held, one), reverse=True)
    withdrawn = set(order[: max(0, total - healthy)])
    return tuple(Slot(one, one not in withdrawn) for one in ids)


class Offered:
    """What is offered now, and those who follow it.

    Args:
        changed: Called when a follower came or went.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._condition = threading.Condition()
        self._slots: tuple[Slot, ...] | None = None
        self._version = 0
        self._followers = 0
        self._over = False

    @property
    def known(self) -> bool:
        """True once something was offered, nothing at all included."""
        return self._slots is not None

    @property
    def followers(self) -> int:
        """How many follow now."""
        return self._followers

    def put(self, slots: Sequence[Slot]) -> bool:
        """Offer these from now on; False when they are the same as before, and nobody is told."""
        with self._condition:
            if self._slots == (new := tuple(slots)):
                return False
            self._slots = new
            self._version += 1
            self._condition.notify_all()
        self._changed()
        return True

    def follow(self, when_over: Callable[[Callable[[], None]], bool]) -> Iterator[tuple[Slot, ...]]:
        """What is offered, and again after each change, until the follower is gone or all are sent away.

        Args:
            when_over: Takes a function to call when the follower is gone; False when it is so already.
        """
        gone = threading.Event()

        def leave() -> None:
            gone.set()
            with self._condition:
                self._condition.notify_all()

        if not when_over(leave):
            return
        self._count(1)
        try:
            yield from self._versions(gone)
        finally:
            self._count(-1)

    def end(self) -> None:
        """Send all followers away, those who come later too."""
        with self._condition:
            self._over = True
            self._condition.notify_all()

    def _versions(self, gone: threading.Event) -> Iterator[tuple[Slot, ...]]:
        last = 0
        while (found := self._after(last, gone)) is not None:
            last, slots = found
            yield slots

    def _after(self, last: int, gone: threading.Event) -> tuple[int, tuple[Slot, ...]] | None:
        """Wait for a version after ``last``; None when there is nobody to tell it to."""
        with self._condition:
            self._condition.wait_for(lambda: self._over or gone.is_set() or self._version > last)
            return None if self._over or gone.is_set() else (self._version, self._slots or ())

    def _count(self, change: int) -> None:
        with self._condition:
            self._followers += change
        self._changed()
