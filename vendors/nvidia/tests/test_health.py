"""When a GPU may be given to a program and when not."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from hetero_nvidia.health import HealthMonitor

from hetero.errors import DriverFailed
from hetero.model.device import Health


class Events:
    """Event sets that a test fills: what is reported on a GPU goes to each set that it was registered with."""

    def __init__(self, nvml: Any) -> None:
        self.sets: list[list[Any]] = []
        self.freed: list[Any] = []
        self._listeners: dict[Any, list[list[Any]]] = {}
        nvml.answers |= {
            "nvmlEventSetCreate": self._create,
            "nvmlEventSetFree": self.freed.append,
            "nvmlEventSetWait_v2": self._wait,
            "nvmlDeviceRegisterEvents": self._register,
        }

    def report(self, handle: int, xid: int) -> None:
        """Have a GPU report an error."""
        for events in self._listeners.get(handle, []):
            events.append(SimpleNamespace(device=handle, eventData=xid))

    def _create(self) -> list[Any]:
        self.sets.append([])
        return self.sets[-1]

    def _register(self, handle: int, kinds: int, events: list[Any]) -> None:
        assert kinds == pynvml.nvmlEventTypeXidCriticalError
        self._listeners.setdefault(handle, []).append(events)

    def _wait(self, events: list[Any], milliseconds: int) -> Any:
        assert milliseconds == 0, "a question about health must not wait"
        if not events:
            raise DriverFailed("nvmlEventSetWait_v2", pynvml.NVML_ERROR_TIMEOUT, "Timeout")
        return events.pop(0)


@pytest.fixture
def events(nvml: Any) -> Events:
    """The event sets of the fake driver."""
    return Events(nvml)


@pytest.fixture
def monitor(nvml: Any, events: Events) -> Iterator[HealthMonitor]:
    """A monitor that listens to GPU 0 and 1, both well."""
    watching = HealthMonitor(nvml)
    assert [watching.health(f"GPU-{index}", index) for index in (0, 1)] == [Health(), Health()]
    yield watching
    assert len(events.sets) == 2, "one event set for each GPU, however often it is asked"


def test_a_critical_error_makes_its_gpu_unhealthy(monitor: HealthMonitor, events: Events) -> None:
    """Only the one that reported it, and with the number that NVIDIA's table explains."""
    events.report(1, 79)
    assert monitor.health("GPU-1", 1) == Health(ok=False, reason="Xid 79")
    assert monitor.health("GPU-0", 0) == Health()


def test_a_critical_error_is_remembered(monitor: HealthMonitor, events: Events) -> None:
    """NVML reports it once; the card does not recover by being asked again."""
    events.report(0, 48)
    assert [monitor.health("GPU-0", 0).reason for _ in range(3)] == ["Xid 48"] * 3


def field(action: int, result: int = 0) -> list[SimpleNamespace]:
    """The answer to what is to be done about a GPU."""
    return [SimpleNamespace(nvmlReturn=result, value=SimpleNamespace(uiVal=action))]


def test_a_gpu_is_healthy_again_when_nothing_is_to_be_done(monitor: HealthMonitor, events: Events, nvml: Any) -> None:
    """The driver knows whether it wants a reset; after one, the error is over, and the next one counts anew."""
    nvml.answers["nvmlDeviceGetFieldValues"] = lambda handle, fields: field(1)
    events.report(0, 79)
    assert monitor.health("GPU-0", 0) == Health(ok=False, reason="Xid 79")
    nvml.answers["nvmlDeviceGetFieldValues"] = lambda handle, fields: field(0)
    assert monitor.health("GPU-0", 0) == Health()
    nvml.answers["nvmlDeviceGetFieldValues"] = lambda handle, fields: field(2)
    assert monitor.health("GPU-0", 0) == Health()  # asked only of a GPU that had an error
    events.report(0, 48)
    assert monitor.health("GPU-0", 0).reason == "Xid 48"


def test_a_driver_that_does_not_know_what_to_do_changes_nothing(
    monitor: HealthMonitor, events: Events, nvml: Any
) -> None:
    """The question is answered, the field is not known: the error stands."""
    nvml.answers["nvmlDeviceGetFieldValues"] = lambda handle, fields: field(0, pynvml.NVML_ERROR_NOT_SUPPORTED)
    events.report(0, 79)
    assert monitor.health("GPU-0", 0).reason == "Xid 79"


@pytest.mark.parametrize("xid", [13, 31, 43, 45, 68, 109])
def test_an_error_of_a_program_is_not_the_gpus(monitor: HealthMonitor, events: Events, xid: int) -> None:
    """A segmentation fault on the card must not take the card away from everybody else."""
    events.report(0, xid)
    assert monitor.health("GPU-0", 0) == Health()


def test_a_critical_error_behind_a_programs_is_seen(monitor: HealthMonitor, events: Events) -> None:
    """All that waits is taken, not just the first."""
    for xid in (13, 31, 79):
        events.report(0, xid)
    assert monitor.health("GPU-0", 0).reason == "Xid 79"


def test_a_lost_gpu_hides_no_errors_of_others(monitor: HealthMonitor, events: Events, nvml: Any) -> None:
    """A set with a lost GPU in it answers nothing but that; so each GPU has a set of its own."""
    nvml.fail("nvmlEventSetWait_v2", pynvml.NVML_ERROR_GPU_IS_LOST, on=events.sets[0])
    events.report(1, 79)
    assert monitor.health("GPU-0", 0) == Health()  # its queries, not its events, tell that it is lost
    assert monitor.health("GPU-1", 1).reason == "Xid 79"


def test_events_without_end_are_not_waited_for(monitor: HealthMonitor, nvml: Any) -> None:
    """A broken library that always has one more is asked again the next time."""
    nvml.answers["nvmlEventSetWait_v2"] = SimpleNamespace(device=0, eventData=79)
    assert monitor.health("GPU-0", 0).reason == "Xid 79"


@pytest.mark.parametrize(("rows", "health"), [((1, 2, 1, 0), Health()), ((0, 0, 0, 1), "row remapping failed")])
def test_memory_that_cannot_be_repaired_is_unhealthy(nvml: Any, rows: tuple[int, ...], health: Any) -> None:
    """Rows that were remapped, or will be, are the repair at work; only a failure of it is one."""
    nvml.answers["nvmlDeviceGetRemappedRows"] = rows
    expected = health if isinstance(health, Health) else Health(ok=False, reason=health)
    assert HealthMonitor(nvml).health("GPU-0", 0) == expected


def test_a_driver_without_events_is_judged_by_its_queries(nvml: Any) -> None:
    """The fake has neither event sets nor rows: nothing forbids use."""
    assert HealthMonitor(nvml).health("GPU-0", 0) == Health()


def test_a_gpu_without_events_is_judged_by_its_queries(nvml: Any, events: Events) -> None:
    """Sets exist, but this card reports nothing to them."""
    nvml.fail("nvmlDeviceRegisterEvents", pynvml.NVML_ERROR_NOT_SUPPORTED)
    nvml.answers["nvmlDeviceGetRemappedRows"] = (0, 0, 0, 0)
    assert HealthMonitor(nvml).health("GPU-0", 0) == Health()


def test_listening_is_tried_again_and_leaves_nothing_behind(nvml: Any, events: Events) -> None:
    """A card that could not be listened to once must not stay deaf for ever, nor leak a set with each try."""
    works = nvml.answers["nvmlDeviceRegisterEvents"]
    nvml.fail("nvmlDeviceRegisterEvents", pynvml.NVML_ERROR_UNKNOWN)
    monitor = HealthMonitor(nvml)
    for _ in range(2):
        with pytest.raises(DriverFailed):
            monitor.health("GPU-0", 0)
    assert events.freed == events.sets == [[], []]
    nvml.answers["nvmlDeviceRegisterEvents"] = works
    monitor.health("GPU-0", 0)
    events.report(0, 79)
    assert monitor.health("GPU-0", 0).reason == "Xid 79"


def test_a_gpu_that_cannot_be_asked_is_a_failure(nvml: Any) -> None:
    """Who asks decides what a lost card is; a failure must not pass for health."""
    nvml.fail("nvmlDeviceGetRemappedRows", pynvml.NVML_ERROR_GPU_IS_LOST)
    with pytest.raises(DriverFailed, match="nvmlDeviceGetRemappedRows"):
        HealthMonitor(nvml).health("GPU-0", 0)
