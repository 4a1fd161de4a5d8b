"""What an ask comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.ask import Ask, ContainerAsk, PodAsk

ONE = Ask(vendor="fake", memory=1024)


@pytest.mark.parametrize(
    ("ask", "mib"),
    [
        (Ask(vendor="v"), 1001),
        (Ask(vendor="v", memory=5), 5),
        (Ask(vendor="v", memory=5000), 5000),
        (Ask(vendor="v", memory_percentage=100), 1001),
        (Ask(vendor="v", memory_percentage=50), 500),
    ],
)
def test_memory_on_a_device(ask: Ask, mib: int) -> None:
    """MiB as asked, a percentage of what there is, or all of it."""
    assert ask.memory_on(1001) == mib


@given(st.integers(2, 2**20), st.integers(1, 99))
def test_parts_of_a_device_fit_into_it(total: int, percent: int) -> None:
    """A part and its rest never come to more than the device, and no part is nothing."""
    part = Ask(vendor="v", memory_percentage=percent).memory_on(total)
    rest = Ask(vendor="v", memory_percentage=100 - percent).memory_on(total)
    assert 1 <= part <= total
    assert part + rest <= total


def test_asks_can_be_compared_and_remembered() -> None:
    """Equal asks are one key: the planner remembers what an ask comes to."""
    assert {ONE: "remembered"}[Ask(vendor="fake", memory=1024)] == "remembered"
    assert Ask(vendor="fake", memory=1025) != ONE


@pytest.mark.parametrize("place", ["containers", "init_containers"])
def test_a_pod_asks_devices_when_any_container_does(place: str) -> None:
    """A container that runs before the others counts, too."""
    idle = ContainerAsk(name="idle")
    assert not PodAsk(name="p", containers=(idle,)).asks_devices
    assert PodAsk(name="p", **{place: (idle, ContainerAsk(name="busy", asks=(ONE,)))}).asks_devices
