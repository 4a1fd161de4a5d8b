"""The questions that are put to faulty drivers: how each may end, and what is said of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hetero.errors import DriverFailed, DriverMissing, HeteroError
from hetero.model.device import Health
from hetero.testing import fake_device, fake_vendor, questions
from hetero.testing.questions import Interview, Told
from hetero.vendor import Vendor

PATIENCE_S = 60.0


def interview(vendor: Vendor, seconds: float = PATIENCE_S) -> list[Told]:
    """What is told of a vendor's driver."""
    return list(questions._interviewed(vendor, seconds))


def fails_with(error: BaseException) -> Vendor:
    """A vendor whose devices cannot be had."""

    def devices() -> Any:
        raise error

    vendor = fake_vendor()
    vendor.discovery.devices = devices  # type: ignore[method-assign]
    return vendor


def test_a_sound_driver_answers_everything() -> None:
    """In the order in which the core asks, and nothing is amiss."""
    told = interview(fake_vendor(devices=[fake_device()]))
    assert told == [Told(question=name) for name in ("driver", "devices", "sample")]
    assert not any(one.amiss for one in told)


def test_a_missing_driver_says_what_to_install() -> None:
    """The sentence is the error's, and no fault."""
    told = interview(fake_vendor(devices=None))
    assert {one.error for one in told} == {str(DriverMissing("libfake.so.1", "install the fake driver"))}
    assert all(one.amiss and not one.faults for one in told)


def test_an_ill_device_is_amiss() -> None:
    """In the list and in the samples, with its reason."""
    _, devices, sample = interview(fake_vendor(devices=[fake_device(health=Health(ok=False, reason="lost"))]))
    assert devices.unhealthy == sample.unhealthy == ("lost",)
    assert devices.amiss
    assert devices.faults == ()


@pytest.mark.parametrize(
    "error",
    [KeyError("count"), SystemExit(3), RecursionError(), HeteroError(""), DriverFailed("fakeCount", 3, "a\nb")],
    ids=["another", "exit", "depth", "no words", "two lines"],
)
def test_what_is_no_sentence_is_a_fault(error: BaseException) -> None:
    """Whoever asks gets one of hetero's errors, in one line that can be read."""
    _, devices, _ = interview(fails_with(error))
    assert devices.faults
    assert devices.error


def test_nonsense_is_a_fault() -> None:
    """A device that cannot be is worse than none."""
    _, devices, _ = interview(fake_vendor(devices=[fake_device(numa=-9)]))
    assert devices.faults == ("'fake-0': there is no NUMA node -9",)
    assert devices.amiss


def test_nothing_is_asked_while_a_question_is_out() -> None:
    """As the core does: one call at a time, and none behind one that does not come back."""
    release, began, asked = threading.Event(), threading.Event(), []
    vendor = fake_vendor()

    def hang(name: str) -> Callable[[], Any]:
        return lambda: (asked.append(name), began.set(), release.wait(PATIENCE_S))

    vendor.discovery.driver, vendor.discovery.devices = hang("driver"), hang("devices")  # type: ignore[method-assign]
    told = interview(vendor, seconds=0.05)
    assert began.wait(PATIENCE_S)
    release.set()
    assert [(one.question, one.silent) for one in told] == [("driver", True), ("devices", True), ("sample", True)]
    assert asked == ["driver"]


def test_an_interview_is_read_as_it_was_written() -> None:
    """It goes through a file between two processes."""
    given = Interview(told=(Told(question="driver", error="e", faults=("f",), unhealthy=("u",), silent=True),))
    assert msgspec.json.decode(msgspec.json.encode(given), type=Interview) == given
