"""Devices are looked at again and again, and only a change is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from desk import Breakable
from structlog.testing import capture_logs

from hetero.agent import watching
from hetero.agent.watching import Watching
from hetero.errors import DriverFailed, DriverMissing
from hetero.model.device import Device
from hetero.monitoring.inventory import Inventory
from hetero.testing.fake import fake_device, fake_devices, fake_vendor


class Moody(Breakable):
    """Fails to list or to sample when it is told to."""

    def __init__(self, devices: list[Device]) -> None:
        super().__init__(devices)
        self.error: Exception | None = None
        self.sampled = threading.Semaphore(0)

    def devices(self) -> list[Device]:
        if self.error:
            raise self.error
        return super().devices()

    def sample(self) -> list[object]:  # type: ignore[override]
        self.sampled.release()
        return super().sample()  # type: ignore[return-value]


class Scene:
    """A watching thread, and how often it told of a change."""

    def __init__(self, devices: list[Device], remembered: Callable[[], list[Device]] = list) -> None:
        self.discovery = Moody(devices)
        self.told = threading.Condition()
        self.times = 0
        vendor = replace(fake_vendor("fake"), discovery=self.discovery)
        self.watching = Watching(Inventory({"fake": vendor}), 0.01, self._changed, remembered)

    def _changed(self) -> None:
        with self.told:
            self.times += 1
            self.told.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a change after which this holds."""
        with self.told:
            assert self.told.wait_for(condition, 20)

    def health(self) -> dict[str, str]:
        """By identity; empty is well."""
        return {uuid: device.health.reason for uuid, device in self.watching.devices.items()}


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Two devices; drivers that fail are asked again at once."""
    monkeypatch.setattr(watching, "FAILING", 0.0)
    made = Scene(fake_devices(2))
    yield made
    made.watching.stop()


def test_nothing_new_is_not_told(scene: Scene) -> None:
    """However often the devices are looked at."""
    assert scene.watching.machine is None
    scene.watching.start()
    scene.until(lambda: len(scene.watching.devices) == 2)
    for _ in range(20):
        assert scene.discovery.sampled.acquire(timeout=120)
    assert scene.times == 1


def test_a_device_that_fails_is_told_and_so_is_its_recovery(scene: Scene) -> None:
    """With the driver's reason."""
    scene.watching.start()
    scene.until(lambda: len(scene.watching.devices) == 2)
    scene.discovery.ill["fake-1"] = "too hot"
    scene.until(lambda: scene.health() == {"fake-0": "", "fake-1": "too hot"})
    scene.discovery.ill.clear()
    scene.until(lambda: scene.health() == {"fake-0": "", "fake-1": ""})


def test_a_driver_that_fails_makes_its_devices_ill_not_absent(scene: Scene) -> None:
    """Pods on them are still there; when the driver is well, so are they."""
    scene.watching.start()
    scene.until(lambda: len(scene.watching.devices) == 2)
    scene.discovery.error = DriverFailed("list", 9, "no")
    scene.until(lambda: all("list answered 9" in reason for reason in scene.health().values()))
    scene.discovery.error = None
    scene.until(lambda: scene.health() == {"fake-0": "", "fake-1": ""})


def test_devices_that_slices_hold_are_known_before_their_driver_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that starts while a driver hangs does not take its devices from those who have them."""
    monkeypatch.setattr(watching, "FAILING", 0.0)
    made = Scene([], lambda: [fake_device(5)])
    made.discovery.error = DriverFailed("list", 9, "no")
    made.watching.start()
    try:
        made.until(lambda: set(made.watching.devices) == {"fake-5"})
        assert "list answered 9" in made.health()["fake-5"]
    finally:
        made.watching.stop()


def test_a_defect_does_not_end_the_thread(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a look raises, the next one is made."""
    scene.watching.start()
    scene.until(lambda: len(scene.watching.devices) == 2)
    real, times = scene.watching._inventory.sample, []

    def broken() -> object:
        times.append(1)
        if len(times) < 3:
            raise ZeroDivisionError
        return real()

    monkeypatch.setattr(scene.watching._inventory, "sample", broken)
    scene.discovery.ill["fake-0"] = "too hot"
    scene.until(lambda: scene.health()["fake-0"] == "too hot")
    assert len(times) >= 3


@pytest.mark.parametrize(
    ("error", "found", "without"),
    [
        (None, {"fake": 2}, {}),
        (DriverMissing("libfake.so", "install it"), {}, {"fake": "libfake.so was not found: install it"}),
    ],
)
def test_what_was_found_at_first_is_said(error: Exception | None, found: object, without: object) -> None:
    """A node that is labelled and has no driver would look like an agent that does nothing."""
    scene = Scene(fake_devices(2))
    scene.discovery.error = error
    with capture_logs() as logs:
        scene.watching.start()
        scene.until(lambda: scene.watching.machine is not None)
        scene.watching.stop()
    [told] = [entry for entry in logs if entry["event"] == "devices were looked for"]
    assert (told["found"], told["without_driver"]) == (found, without)
