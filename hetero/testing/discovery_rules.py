"""The rules of :class:`hetero.vendor.Discovery` as tests. Most need devices: see :attr:`Subject.surroundings`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hetero.errors import DriverFailed, DriverMissing
from hetero.model import wire
from hetero.model.device import MEMORY, Device, Sample
from hetero.testing.elsewhere import elsewhere
from hetero.testing.subject import Subject


class DiscoveryRules(Subject):
    """Which devices there are, and what they are doing."""

    def test_a_driver_works_or_says_why_not(self) -> None:
        """Without a driver each question ends in one of our two errors, which name the library and what to do."""
        with self.surrounded():
            for question in (self.vendor.discovery.driver, self.vendor.discovery.devices, self.vendor.discovery.sample):
                assert _refusal(question) != "", f"{question.__name__} gave no reason"

    def test_all_that_is_there_is_found(self) -> None:
        """The devices of the surroundings, in the driver's order, unhealthy ones included."""
        if self.identities:
            assert [device.uuid for device in self.devices()] == list(self.identities)

    def test_devices_are_the_same_for_every_process(self) -> None:
        """Identity, place, model and paths come from the card, not from who asks: no number of this process's own."""
        assert elsewhere(self).answer.devices == tuple(self.devices())

    def test_a_device_recovers(self) -> None:
        """One that falls ill stays in its place with a reason, in list and samples, and is well again later."""
        illness, before = self.illness(), self.devices()
        if illness is None:
            return
        with illness:
            during, samples = self.devices(), self._samples()
        assert [device.uuid for device in during] == [device.uuid for device in before]
        ill = [now.uuid for was, now in zip(before, during, strict=True) if was.health.ok and not now.health.ok]
        assert ill
        assert [sample.uuid for sample in samples if not sample.health.ok and sample.uuid in ill] == ill
        assert self.devices() == before
        assert [sample.health for sample in self._samples()] == [device.health for device in before]

    def test_devices_have_identities(self) -> None:
        """Each device has one of its own, and the index is its place in the list."""
        devices = self.devices()
        assert all(device.uuid for device in devices)
        assert len({device.uuid for device in devices}) == len(devices)
        assert [device.index for device in devices] == list(range(len(devices)))

    def test_devices_are_of_models_that_can_be_described(self) -> None:
        """What discovery reports is what splitting describes: a cluster in a file is like the real one."""
        for device in self._healthy():
            model = device.model
            assert model == self.vendor.splitting.model(model.name, model.capacity.get(MEMORY, 1), model.mode)

    def test_unusable_devices_say_why(self) -> None:
        """A device is healthy, or there is a reason that people can read."""
        assert all(device.health.ok != bool(device.health.reason) for device in self.devices())

    def test_links_lead_to_other_devices(self) -> None:
        """A link's peer is another device of this node."""
        devices = self.devices()
        for device in devices:
            peers = {other.uuid for other in devices} - {device.uuid}
            assert peers >= {link.peer for link in device.links}, device.uuid

    def test_devices_can_be_stored(self) -> None:
        """A device is the same after it was written into an annotation and read again."""
        for device in self.devices():
            assert wire.decode(wire.encode(device), Device) == device

    def test_samples_are_in_order(self) -> None:
        """There is one for each device, in the same order."""
        devices = [device.uuid for device in self.devices()]
        if devices:
            with self.surrounded():
                assert [sample.uuid for sample in self.vendor.discovery.sample()] == devices

    def test_samples_are_amounts(self) -> None:
        """Memory is not negative; a utilization is a percentage, or -1 when the driver does not say."""
        if self.devices():
            with self.surrounded():
                samples = self.vendor.discovery.sample()
            assert all(sample.memory_used >= 0 for sample in samples)
            busy = [one.utilization for one in samples]
            busy += [process.utilization for one in samples for process in one.processes]
            assert all(-1 <= percent <= 100 for percent in busy)

    def _samples(self) -> list[Sample]:
        with self.surrounded():
            return list(self.vendor.discovery.sample())

    def _healthy(self) -> list[Device]:
        """The devices of which all is known."""
        return [device for device in self.devices() if device.health.ok]


def _refusal(question: Callable[[], Any]) -> str | None:
    """Why a question cannot be answered; None when it can."""
    try:
        question()
    except DriverMissing as error:
        return error.library and error.advice
    except DriverFailed as error:
        return error.text
    return None
