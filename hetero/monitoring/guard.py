"""Keeps a driver that does not come back from taking this process with it.

A library that hangs, in a call of C that no signal ends, would hang every command and the agent of its node. So each
vendor is asked by a thread of its own, which whoever asks waits for only so long. A driver that is late is left alone:
until it comes back, whatever else it is asked fails at once. The other vendors have their own threads.
"""

from __future__ import annotations

import contextlib
import contextvars
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from hetero import metrics
from hetero.errors import DriverTimeout, EnforcementError
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.device import Device, Sample
from hetero.vendor import Discovery, Driver, Enforcement, Finding, Vendor

T = TypeVar("T")

DEADLINE_S = 10.0
"""Seconds for a question where nobody says; see :class:`hetero.config.DriverSettings`."""


class Pending(Generic[T]):
    """A question on its way.

    Args:
        call: What is asked, for people.
        action: Asks it.
        seconds: How long it may take, waiting for its turn included.
    """

    def __init__(self, call: str, action: Callable[[], T], seconds: float) -> None:
        self.call = call
        self.seconds = seconds
        self._due = time.monotonic() + seconds
        self._action = action
        self._context = contextvars.copy_context()  # so that log lines carry what the asker is working on
        self._future: Future[T] = Future()

    @property
    def open(self) -> bool:
        """True while it has not been answered."""
        return not self._future.done()

    @property
    def late(self) -> bool:
        """True when it should have been answered by now."""
        return self.open and time.monotonic() >= self._due

    def refuse(self, error: Exception) -> None:
        """Answer it with an error, without asking."""
        self._future.set_exception(error)

    def carry_out(self) -> None:
        """Ask; in the thread that does so. One that nobody waits for any more is not asked."""
        if not self._future.set_running_or_notify_cancel():
            return
        try:
            answer = self._context.run(self._action)
        except Exception as error:
            self._future.set_exception(error)
        except BaseException as error:  # a package that ends the process does not end this one
            self._future.set_exception(RuntimeError(f"'{self.call}' ended with {type(error).__name__}: {error}"))
        else:
            self._future.set_result(answer)

    def answer(self) -> T:
        """Wait for the answer.

        Raises:
            DriverTimeout: It did not come in time.
            Exception: Whatever the vendor raises.
        """
        try:
            return self._future.result(max(0.0, self._due - time.monotonic()))
        except TimeoutError as error:
            if self._future.cancel() or self.open:
                raise DriverTimeout(self.call, self.seconds) from error
            return self._future.result()  # it came just now, or is a TimeoutError of the vendor's own


_OF_A_THREAD = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP}
"""Signals that a thread brings upon itself."""


class _Line:
    """The questions of one thread. What the thread knows of its guard: it must not keep that one alive."""

    def __init__(self) -> None:
        self.waiting: SimpleQueue[Pending[Any] | None] = SimpleQueue()
        self.running: Pending[Any] | None = None

    def serve(self) -> None:
        """Ask one after the other until there is no guard any more."""
        while (pending := self.waiting.get()) is not None:
            self.running = pending
            pending.carry_out()
            self.running = None
            del pending


_LINES: weakref.WeakSet[_Line] = weakref.WeakSet()


def hanging() -> bool:
    """True when some driver has not come back: then a process had better end without its destructors."""
    return any(line.running is not None and line.running.open for line in list(_LINES))


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """What is started within gets no signals meant for the process: they are the main thread's, which handles them.

    Of one that another thread gets, the main thread may hear when it has handed its handler back already.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _OF_A_THREAD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Guard:
    """A thread that asks one vendor's driver, one question after the other. For several threads.

    Args:
        deadline_s: Seconds that a question may take, > 0.
        behind: Another guard of the same driver: when that one hangs, this one asks nothing.
    """

    def __init__(self, deadline_s: float = DEADLINE_S, behind: Guard | None = None) -> None:
        self._deadline_s = deadline_s
        self._behind = behind
        self._line = _Line()
        self._lock = threading.Lock()
        self._started = False

    @property
    def late(self) -> Pending[Any] | None:
        """The question from which the driver should have come back by now; None while all is well."""
        running = self._line.running
        if running is not None and running.late:
            return running
        return self._behind.late if self._behind else None

    def begin(self, call: str, action: Callable[[], T]) -> Pending[T]:
        """Put a question without waiting for its answer."""
        pending = Pending(call, action, self._deadline_s)
        late = self.late
        if late is not None:
            pending.refuse(DriverTimeout(late.call, late.seconds))
            return pending
        self._start()
        self._line.waiting.put(pending)
        return pending

    def ask(self, call: str, action: Callable[[], T]) -> T:
        """Put a question and wait for its answer, as :meth:`Pending.answer`."""
        return self.begin(call, action).answer()

    def _start(self) -> None:
        with self._lock:
            if not self._started:
                self._started = True
                _LINES.add(self._line)
                with _signals_blocked():
                    # A thread that hangs must not keep the process from its end, so it is a daemon.
                    threading.Thread(target=self._line.serve, name="driver", daemon=True).start()
                weakref.finalize(self, self._line.waiting.put, None).atexit = False


class Guarded(Discovery):
    """A vendor's discovery, asked by a guard.

    Args:
        vendor: Name of the vendor.
        discovery: The vendor's own.
        deadline_s: Seconds that a question may take.
    """

    def __init__(self, vendor: str, discovery: Discovery, deadline_s: float = DEADLINE_S) -> None:
        self.vendor = vendor
        self.guard = Guard(deadline_s)
        self._discovery = discovery

    def driver(self) -> Driver:
        """As the vendor's, or :class:`~hetero.errors.DriverTimeout`."""
        return self.guard.ask("driver", self._discovery.driver)

    def devices(self) -> Sequence[Device]:
        """As the vendor's, or :class:`~hetero.errors.DriverTimeout`."""
        return self.begin_devices().answer()

    def sample(self) -> Sequence[Sample]:
        """As the vendor's, or :class:`~hetero.errors.DriverTimeout`."""
        return self.begin_sample().answer()

    def begin_devices(self) -> Pending[Sequence[Device]]:
        """Ask for the devices without waiting. A list that is made while it is read is read by the thread."""
        return self.guard.begin("devices", lambda: tuple(self._discovery.devices()))

    def begin_sample(self) -> Pending[Sequence[Sample]]:
        """Ask what the devices do without waiting."""
        return self.guard.begin("sample", self._sample)

    def _sample(self) -> Sequence[Sample]:
        began = time.perf_counter()
        try:
            return tuple(self._discovery.sample())
        finally:
            metrics.sample_seconds.observe(time.perf_counter() - began, self.vendor)


class GuardedEnforcement(Enforcement):
    """A vendor's enforcement, asked by a guard of its own: what takes long here does not make its devices unhealthy.

    Args:
        enforcement: The vendor's own.
        deadline_s: Seconds that each call may take.
        behind: The guard of the same vendor's discovery.
    """

    def __init__(self, enforcement: Enforcement, deadline_s: float, behind: Guard) -> None:
        self.region = enforcement.region
        self._enforcement = enforcement
        self._guard = Guard(deadline_s, behind)

    def prepare(self, held: Slice) -> ContainerEdits:
        """As the vendor's, or :class:`~hetero.errors.DriverTimeout`."""
        return self._guard.ask("prepare", lambda: self._enforcement.prepare(held))

    def check(self) -> Iterable[Finding]:
        """As the vendor's, or :class:`~hetero.errors.DriverTimeout`."""
        return self._guard.ask("check", lambda: tuple(self._enforcement.check()))

    def release(self, held: Slice) -> None:
        """As the vendor's; what is not undone in time is tried again later.

        Raises:
            EnforcementError: It was not undone.
        """
        try:
            self._guard.ask("release", lambda: self._enforcement.release(held))
        except DriverTimeout as error:
            raise EnforcementError(f"slice {held.id}: {error}") from error


def guarded(
    vendors: Mapping[str, Vendor], deadline_s: float = DEADLINE_S, prepare_s: float = 60.0
) -> Mapping[str, Vendor]:
    """The vendors with their parts of the node guarded; those that are so already stay as they are.

    Args:
        vendors: By name.
        deadline_s: Seconds for a question.
        prepare_s: Seconds for making, checking and undoing a slice.
    """
    return {name: _guarded(vendor, deadline_s, prepare_s) for name, vendor in vendors.items()}


def _guarded(vendor: Vendor, deadline_s: float, prepare_s: float) -> Vendor:
    if isinstance(vendor.discovery, Guarded):
        return vendor
    discovery = Guarded(vendor.name, vendor.discovery, deadline_s)
    enforcement = GuardedEnforcement(vendor.enforcement, prepare_s, discovery.guard)
    return replace(vendor, discovery=discovery, enforcement=enforcement)
