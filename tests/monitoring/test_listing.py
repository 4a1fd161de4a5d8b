"""What vendors list is a device or refused by name: negative memory, doubles, and whatever else a driver may say."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hetero.model.device import Device, Health, Link, LinkKind, Process, Sample
from hetero.monitoring import listing
from hetero.testing.fake import fake_device, fake_devices

GOOD = replace(
    fake_device(0, numa=1),
    links=(Link(peer="fake-1", kind=LinkKind.DIRECT, lanes=2),),
    health=Health(ok=False, reason="too hot"),
    paths=("/dev/fake0",),
)


def _capacity(**amounts: Any) -> Device:
    return replace(GOOD, model=replace(GOOD.model, capacity={**GOOD.model.capacity, **amounts}))


def test_good_devices_pass_as_they_are() -> None:
    """With all that they have, in their order, unhealthy ones included; a vendor may list none."""
    found = [fake_device(1), GOOD]
    assert listing.devices("fake", iter(found), ()) == tuple(found)
    assert listing.devices("fake", (), {"x"}) == ()


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (_capacity(memory=-1), "it lists 'fake-0', which cannot be used: its memory is -1"),
        (_capacity(slots=-5), "it lists 'fake-0', which cannot be used: its slots is -5"),
        (_capacity(memory=1.5), "Expected `int`, got `float`"),
        (_capacity(memory=None), "Expected `int`, got `null`"),
        (replace(GOOD, uuid=""), "it has no identity"),
        (replace(GOOD, uuid=7), "Expected `str`, got `int` - at `$.uuid`"),
        (replace(GOOD, index=-1), "its index is -1 and its NUMA node 1"),
        (replace(GOOD, numa=-2), "its index is 0 and its NUMA node -2"),
        (replace(GOOD, paths="/dev/fake0"), "at `$.paths`"),
        (replace(GOOD, health=None), "at `$.health`"),
        (replace(GOOD, links=(Link(peer="p", kind="near"),)), "at `$.links[0].kind`"),  # type: ignore[arg-type]
        (replace(GOOD, model=object()), "unsupported"),
        (replace(GOOD, model=replace(GOOD.model, vendor="other")), "its vendor is 'other'"),
    ],
)
def test_a_device_that_cannot_be_is_refused(device: Device, reason: str) -> None:
    """The sentence has the device and what is wrong: the planner would fail later, and for everybody."""
    with pytest.raises(ValueError, match="cannot be used") as caught:
        listing.devices("fake", [fake_device(1), device], ())
    assert reason in str(caught.value)


@pytest.mark.parametrize("stranger", [None, "fake-0", {"uuid": "fake-0"}, 3])
def test_what_is_no_device_is_refused(stranger: object) -> None:
    """By its own look."""
    with pytest.raises(TypeError, match="which is no device"):
        listing.devices("fake", [stranger], ())


def test_an_identity_belongs_to_one_device() -> None:
    """Of the vendor's own list, and of the other vendors'."""
    with pytest.raises(ValueError, match="'fake-0', which is listed already"):
        listing.devices("fake", [GOOD, GOOD], ())
    with pytest.raises(ValueError, match="'fake-0', which is listed already"):
        listing.devices("fake", [GOOD], {"fake-0"})


KNOWN = fake_devices(2)
SAMPLE = Sample(
    uuid="fake-0",
    memory_used=512,
    utilization=40,
    processes=(Process(pid=7, memory=512),),
    temperature=41,
    power=120.5,
)


def test_good_samples_pass() -> None:
    """By identity; a device without a sample is none's fault."""
    assert listing.samples([SAMPLE], KNOWN) == ({"fake-0": SAMPLE}, [])
    bare = Sample(uuid="fake-1", memory_used=0)
    assert listing.samples([bare, SAMPLE], KNOWN) == ({"fake-0": SAMPLE, "fake-1": bare}, [])


@pytest.mark.parametrize(
    ("sample", "word"),
    [
        (None, "None is no sample"),
        (replace(SAMPLE, memory_used=-1), "cannot be"),
        (replace(SAMPLE, utilization=101), "cannot be"),
        (replace(SAMPLE, utilization=-2), "cannot be"),
        (replace(SAMPLE, temperature=32767), "cannot be"),
        (replace(SAMPLE, power=math.nan), "cannot be"),
        (replace(SAMPLE, power=math.inf), "cannot be"),
        (replace(SAMPLE, power=1e9), "cannot be"),
        (replace(SAMPLE, memory_used="much"), "`$.memory_used`"),
        (replace(SAMPLE, uuid="fake-9"), "'fake-9' is none of its devices"),
    ],
)
def test_a_sample_that_cannot_be_does_not_count(sample: Sample, word: str) -> None:
    """It is told, and those of the other devices count."""
    other = replace(SAMPLE, uuid="fake-1")
    good, [bad] = listing.samples([sample, other], KNOWN)
    assert good == {"fake-1": other}
    assert word in bad


@given(
    memory=st.integers(-10, 2**40),
    utilization=st.integers(-10, 200),
    temperature=st.none() | st.integers(-500, 2000),
    power=st.none() | st.floats(),
)
def test_a_sample_counts_just_when_each_figure_can_be(
    memory: int, utilization: int, temperature: int | None, power: float | None
) -> None:
    """Whatever a driver says, what is shown is a figure or nothing."""
    sample = Sample(uuid="fake-0", memory_used=memory, utilization=utilization, temperature=temperature, power=power)
    good, bad = listing.samples([sample], KNOWN)
    possible = memory >= 0 and -1 <= utilization <= 100
    possible = possible and (temperature is None or -300 < temperature <= 1000)
    possible = possible and (power is None or (math.isfinite(power) and -300 < power <= 100_000))
    assert (list(good) == ["fake-0"]) is possible
    assert bool(bad) is not possible
