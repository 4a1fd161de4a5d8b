"""Keeps what the cluster sees of this node in step with what is there: one thread, woken by whatever changes.

It offers the slots, publishes the inventory, touches pods that may start now, and clears up. It asks the API server for
nothing and writes only what has changed, so on a quiet node it does no request at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hetero import log
from hetero.agent.inventory import Publisher
from hetero.agent.node import Node, ThisNode
from hetero.agent.offering import Offering
from hetero.agent.reconcile import Reconciler
from hetero.agent.refusals import Refusals
from hetero.agent.runtime_check import judge
from hetero.agent.watching import Watching
from hetero.errors import ApiError
from hetero.kube.backoff import Backoff
from hetero.monitoring.inventory import Machine

_log = log.logger("agent")

SETTLE = 0.2
"""Seconds after a pod has gone until it is cleared up after: where one goes, often more do."""

LOOK = 1.0
"""Seconds between two looks while containers wait that were refused."""


@dataclass(frozen=True)
class Parts:
    """What the keeper keeps in step.

    Attributes:
        node: This node, as the API has it.
        watching: The devices.
        offering: The device plugins.
        publisher: Writes the inventory.
        refusals: Containers that wait.
        reconciler: Clears up.
        concern: Told of what is wrong with the container runtime, once for each sentence; by the keeper's thread.
    """

    node: ThisNode
    watching: Watching
    offering: Offering
    publisher: Publisher
    refusals: Refusals
    reconciler: Reconciler
    concern: Callable[[Node, str], None]


class Keeper:
    """The thread.

    Args:
        parts: See :class:`Parts`.
        every: Seconds between two sweeps.
    """

    def __init__(self, parts: Parts, every: float) -> None:
        self._parts = parts
        self._every = every
        self._changed = threading.Event()
        self._gone = threading.Event()
        self._stopping = threading.Event()
        self._backoff = Backoff(first=0.5, longest=30.0)
        self._published: tuple[Node, Machine | None] | None = None
        self._offered: Machine | None = None
        self._runtime = ""
        self._serves = False
        self._retry = 0.0
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until nothing is written any more."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def wake(self) -> None:
        """Something may have changed."""
        self._changed.set()

    def wake_to_clear(self) -> None:
        """A pod is over or gone."""
        self._gone.set()
        self._changed.set()

    @property
    def waiting(self) -> str:
        """What keeps containers with devices from being started here; empty when nothing does."""
        if self._parts.watching.machine is None:
            return "the devices"
        if not self._runtime:
            return "the node's container runtime"
        return "" if self._serves else f"a container runtime that serves, not {self._runtime}"

    def _run(self) -> None:
        swept = time.monotonic() - self._every  # what a crash has left is cleared up at once
        while not self._stopping.is_set():
            self._guarded(self._keep)
            now = time.monotonic()
            if now - swept >= self._every:
                swept = now
                self._guarded(self._parts.reconciler.sweep)
            elif self._gone.is_set():
                self._stopping.wait(SETTLE)
                self._gone.clear()
                self._guarded(self._clear)
            self._changed.wait(self._pause(swept + self._every))
            self._changed.clear()

    def _pause(self, sweep: float) -> float:
        """Seconds until there is something to do even if nothing changes."""
        now = time.monotonic()
        due = [sweep - now]
        if self._retry:
            due.append(self._retry - now)
        if len(self._parts.refusals):
            due.append(LOOK)
        return max(0.05, min(due))

    def _keep(self) -> None:
        parts = self._parts
        machine, shown = parts.watching.machine, parts.node.shown
        if shown is not None:
            self._look_at_runtime(shown)
        if machine is None:
            return
        loosened = self._offer(machine)
        if shown is not None and self._runtime:
            self._publish(shown, machine if self._serves else None)
        parts.refusals.look(loosened=loosened)

    def _look_at_runtime(self, shown: Node) -> None:
        if not shown.runtime or shown.runtime == self._runtime:
            return
        found = judge(shown.runtime)
        self._runtime, self._serves = shown.runtime, found.serves
        if found.concern:
            (_log.warning if found.serves else _log.error)("container runtime", concern=found.concern)
            self._parts.concern(shown, found.concern)
        if not found.serves:
            self._parts.offering.stop()
            self._offered = None

    def _offer(self, machine: Machine) -> bool:
        """Offer the slots; true when there may be more to give than at the last time."""
        if not self._serves or machine == self._offered:
            return False
        self._parts.offering.offer(machine.devices)
        self._offered = machine
        return True

    def _publish(self, shown: Node, machine: Machine | None) -> None:
        """Write once for each state of the node and of the devices: what was written is shown a moment later."""
        state = shown, machine
        now = time.monotonic()
        if state == self._published or now < self._retry:
            return
        try:
            self._parts.publisher.publish(shown, machine.devices if machine else ())
        except ApiError as error:
            delay = self._backoff.next(error.retry_after)
            self._retry = now + delay
            _log.warning("the inventory is not published yet", reason=str(error), retry_in=round(delay, 1))
            return
        self._published, self._retry = state, 0.0
        self._backoff.reset()

    def _clear(self) -> None:
        """Clear up after pods, and let those start that waited for it."""
        if self._parts.reconciler.clear():
            self._parts.refusals.look(loosened=True)
        self._parts.reconciler.sweep()

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception:  # a defect must not end the thread: the node would be seen as it once was
            _log.exception("an unexpected error", action=getattr(action, "__qualname__", ""))
