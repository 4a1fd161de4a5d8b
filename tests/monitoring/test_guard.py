"""A driver that does not come back: its questions fail in time and then at once, and nobody else notices."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import log
from hetero.errors import DriverFailed, DriverMissing, DriverTimeout, EnforcementError
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.model.device import Device, Sample
from hetero.model.share import Share
from hetero.monitoring import guard
from hetero.monitoring.guard import Guard, Guarded, GuardedEnforcement, guarded
from hetero.testing.fake import FakeDiscovery, FakeEnforcement, fake_device, fake_devices, fake_vendor
from hetero.vendor import Finding

AT_ONCE = 0.05
"""Seconds for what is meant to be late: nothing waits for longer than that in these tests."""

PATIENT = 60.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hanging driver waits for; opened at the end, so that no thread stays behind."""
    event = threading.Event()
    yield event
    event.set()


def hung(gate: threading.Event) -> Guard:
    """A guard whose driver hangs until the gate is opened."""
    watching, began = Guard(AT_ONCE), threading.Event()

    def hang() -> None:
        began.set()
        gate.wait()

    pending = watching.begin("devices", hang)
    assert began.wait(PATIENT)  # a busy machine takes its time, and a question that nobody began hangs nowhere
    with pytest.raises(DriverTimeout):
        pending.answer()
    return watching


def settled(watching: Guard) -> None:
    """Wait until the driver has come back."""
    idle = threading.Event()
    for _ in range(1000):
        if watching.late is None:
            return
        idle.wait(0.01)
    raise AssertionError("the driver did not come back")


@given(st.integers() | st.none() | st.text("ab"))
def test_an_answer_is_passed_on(answer: object) -> None:
    """Whatever it is."""
    assert Guard(PATIENT).ask("driver", lambda: answer) is answer


@pytest.mark.parametrize(
    "error", [DriverFailed("init", 3, "busy"), DriverMissing("libx.so", "get it"), ValueError("x"), TimeoutError("own")]
)
def test_an_error_is_passed_on(error: Exception) -> None:
    """The vendor's own TimeoutError, too, is no hanging driver: the next question is asked."""
    watching = Guard(PATIENT)

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        watching.ask("driver", fail)
    assert caught.value is error
    assert watching.ask("driver", lambda: 1) == 1


def test_a_package_that_ends_the_process_ends_nothing() -> None:
    """In a thread it would end the thread, and every later question would hang."""
    watching = Guard(PATIENT)
    with pytest.raises(RuntimeError, match="'driver' ended with SystemExit: 3"):
        watching.ask("driver", lambda: sys.exit(3))
    assert watching.ask("driver", lambda: 1) == 1


def test_a_driver_that_hangs_is_a_sentence(gate: threading.Event) -> None:
    """With what was asked and how long it had; it is an error of the driver like others."""
    with pytest.raises(DriverFailed) as caught:
        Guard(AT_ONCE).ask("devices", gate.wait)
    assert isinstance(caught.value, DriverTimeout)
    assert str(caught.value) == "the driver did not come back from 'devices' within 0.05 s"
    assert (caught.value.call, caught.value.code, caught.value.seconds) == ("devices", DriverTimeout.LATE, AT_ONCE)


def test_until_it_comes_back_nothing_is_asked(gate: threading.Event) -> None:
    """Each question fails at once, named after the one that hangs; the driver's other functions are not called."""
    watching = hung(gate)
    asked: list[int] = []
    for _ in range(3):
        with pytest.raises(DriverTimeout, match="'devices'"):
            watching.ask("sample", lambda: asked.append(1))
    assert asked == []
    assert watching.late is not None


def test_a_driver_that_comes_back_is_asked_again(gate: threading.Event) -> None:
    """What it answered then is dropped: nobody waits for it."""
    watching = hung(gate)
    gate.set()
    settled(watching)
    assert watching.ask("devices", lambda: "anew") == "anew"


def test_a_question_whose_turn_never_came_is_never_asked(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ask at the same time, and the first hangs: the second fails in its own time and is forgotten."""
    now = [0.0]
    monkeypatch.setattr(guard, "time", SimpleNamespace(monotonic=lambda: now[0]))
    watching, asked = Guard(PATIENT), list[int]()
    first, second = watching.begin("devices", gate.wait), watching.begin("sample", lambda: asked.append(1))
    now[0] = PATIENT
    for pending, call in ((first, "devices"), (second, "sample")):
        with pytest.raises(DriverTimeout, match=f"'{call}'"):
            pending.answer()
    gate.set()
    settled(watching)
    assert watching.ask("driver", lambda: 1) == 1
    assert asked == []


def test_questions_are_asked_one_at_a_time() -> None:
    """From many threads, in the order of their coming; drivers need not bear more."""
    watching, running, most = Guard(PATIENT), list[int](), list[int]()

    def question() -> int:
        running.append(1)
        most.append(len(running))
        running.pop()
        return threading.get_ident()

    answers = [watching.begin("sample", question) for _ in range(50)]
    assert len({pending.answer() for pending in answers}) == 1
    assert set(most) == {1}
    assert threading.get_ident() not in {answers[0].answer()}


def test_log_lines_know_what_was_worked_on() -> None:
    """Although another thread writes them."""
    import structlog

    with log.bound(pod="team/a"):
        assert Guard(PATIENT).ask("sample", structlog.contextvars.get_contextvars) == {"pod": "team/a"}


def test_signals_are_left_to_the_main_thread() -> None:
    """One that this thread got could be handled after ``hetero run`` has handed its handlers back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    blocked = Guard(PATIENT).ask("driver", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    assert {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGWINCH} <= blocked
    assert signal.SIGSEGV not in blocked
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_guard_that_is_gone_leaves_no_thread() -> None:
    """Processes that make many, as tests do, must not end with thousands of threads."""
    watching = Guard(PATIENT)
    thread = watching.ask("driver", threading.current_thread)
    gone = weakref.ref(watching)
    del watching
    gc.collect()
    assert gone() is None
    thread.join(timeout=PATIENT)
    assert not thread.is_alive()


def test_a_process_knows_that_a_driver_hangs(gate: threading.Event) -> None:
    """Before the deadline as well: a user may have interrupted the waiting."""
    began = threading.Event()

    def hang() -> None:
        began.set()
        gate.wait()

    watching = Guard(PATIENT)
    pending = watching.begin("devices", hang)
    began.wait(PATIENT)
    assert guard.hanging()
    gate.set()
    pending.answer()
    assert not guard.hanging()


HANGS = """
import ctypes, sys
from hetero.cli import main
from hetero.errors import DriverTimeout
from hetero.monitoring.guard import Guard
libc = ctypes.CDLL(None)
libc.__cxa_atexit(libc.pause, None, None)  # the library's destructor waits for what holds the library
try:
    Guard(0.5).ask("devices", libc.pause)
except DriverTimeout as error:
    print(error, flush=True)
main._leave(3)
"""


def test_a_process_can_end_while_a_driver_hangs() -> None:
    """Within a call of C, where no signal and no exception reaches it, and whatever its destructors wait for."""
    answer = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=PATIENT, check=False)
    assert answer.stdout == "the driver did not come back from 'devices' within 0.5 s\n"
    assert (answer.returncode, answer.stderr) == (3, "")


class Slow(FakeDiscovery):
    """A list that is made while it is read, by a driver that stops in the middle."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__(())
        self.gate = gate

    def devices(self) -> Sequence[Device]:
        """One device, and then nothing any more."""

        def listed() -> Iterator[Device]:
            yield fake_device(0)
            self.gate.wait()

        return listed()  # type: ignore[return-value]


def test_a_discovery_is_guarded_in_all_three_questions() -> None:
    """Answers are those of the vendor."""
    own = FakeDiscovery(fake_devices(2))
    asked = Guarded("fake", own, PATIENT)
    assert (asked.driver(), list(asked.devices()), list(asked.sample())) == (
        own.driver(),
        list(own.devices()),
        list(own.sample()),
    )
    assert asked.vendor == "fake"


def test_a_list_that_hangs_while_it_is_read_is_late(gate: threading.Event) -> None:
    """Reading it is part of the question."""
    asked = Guarded("fake", Slow(gate), AT_ONCE)
    with pytest.raises(DriverTimeout, match="'devices'"):
        asked.devices()
    for question in (asked.driver, asked.sample):
        with pytest.raises(DriverTimeout, match="'devices'"):
            question()


class Hanging(FakeEnforcement):
    """Comes back when the gate is opened."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__("fake")
        self.gate = gate

    def prepare(self, held: Slice) -> ContainerEdits:
        self.gate.wait()
        return super().prepare(held)

    def check(self) -> Sequence[Finding]:
        self.gate.wait()
        return ()

    def release(self, held: Slice) -> None:
        self.gate.wait()
        super().release(held)


HELD = Slice(
    id="s1", grants=(Grant(device=fake_device(0), share=Share(quantities={"slots": 1, "memory": 1})),), directory="/d"
)


def test_enforcement_is_guarded_and_otherwise_the_same() -> None:
    """What it prepares, finds and releases is what the vendor's own does; whether it has a region, too."""
    own = FakeEnforcement("fake", region=True)
    asked = GuardedEnforcement(own, PATIENT, Guard(PATIENT))
    assert asked.region
    assert asked.prepare(HELD) == own.prepare(HELD)
    assert list(asked.check()) == list(own.check())
    asked.release(HELD)
    assert own.released == ["s1"]


def _calls(asked: GuardedEnforcement) -> list[Callable[[], Any]]:
    return [lambda: asked.prepare(HELD), asked.check]


def test_a_slice_that_is_not_made_in_time_is_an_error(gate: threading.Event) -> None:
    """And so is one that is not undone: whoever undoes it tries again later."""
    for position in range(2):
        asked = GuardedEnforcement(Hanging(gate), AT_ONCE, Guard(PATIENT))
        with pytest.raises(DriverTimeout):
            _calls(asked)[position]()
    asked = GuardedEnforcement(Hanging(gate), AT_ONCE, Guard(PATIENT))
    with pytest.raises(EnforcementError, match="slice s1: the driver did not come back from 'release' within"):
        asked.release(HELD)


def test_nothing_is_made_with_a_driver_that_hangs(gate: threading.Event) -> None:
    """Discovery found out; enforcement need not find out for itself, in its longer time."""
    own = FakeEnforcement("fake")
    asked = GuardedEnforcement(own, PATIENT, hung(gate))
    for call in _calls(asked):
        with pytest.raises(DriverTimeout, match="'devices'"):
            call()
    with pytest.raises(EnforcementError):
        asked.release(HELD)
    assert own.released == []


def test_what_takes_long_to_make_does_not_make_devices_late(gate: threading.Event) -> None:
    """An instance may take half a minute, and meanwhile the devices are well."""
    vendor = replace(fake_vendor(devices=fake_devices(1)), enforcement=Hanging(gate))
    asked = guarded({"fake": vendor}, PATIENT, AT_ONCE)["fake"]
    with pytest.raises(DriverTimeout):
        asked.enforcement.prepare(HELD)
    assert [sample.uuid for sample in asked.discovery.sample()] == ["fake-0"]


def test_one_vendor_that_hangs_is_not_another(gate: threading.Event) -> None:
    """Each has its own thread."""

    class Stuck(FakeDiscovery):
        def sample(self) -> Sequence[Sample]:
            gate.wait()
            return ()

    vendors = guarded({"a": replace(fake_vendor("a"), discovery=Stuck(())), "b": fake_vendor("b")}, AT_ONCE)
    with pytest.raises(DriverTimeout):
        vendors["a"].discovery.sample()
    patient = guarded({"b": fake_vendor("b")}, PATIENT)
    assert list(patient["b"].discovery.sample()) == []
    assert vendors["b"].discovery.guard.late is None  # type: ignore[attr-defined]


def test_vendors_are_guarded_once() -> None:
    """A second guard would wait for the first one's thread; everything else of a vendor stays as it is."""
    vendors = {"fake": fake_vendor(devices=fake_devices(1), region=True)}
    once = guarded(vendors, PATIENT)
    assert guarded(once) == once
    assert once["fake"].enforcement.region
    for name in ("name", "title", "resources", "splitting", "missing"):
        assert getattr(once["fake"], name) == getattr(vendors["fake"], name)
