"""The rules of :mod:`hetero.vendor` as tests: a vendor's test file subclasses :class:`VendorConformance`.

::

    from hetero.testing import VendorConformance

    class TestAcme(VendorConformance):
        vendor = hetero_acme.acme
        package = "hetero_acme"
        models = (hetero_acme.acme.splitting.model("Acme A1", 16384),)

No driver and no device is needed: rules that only a driver can break are checked where there is one.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hetero.errors import DriverError, InvalidRequest, InvalidValue
from hetero.model import wire
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health
from hetero.model.resources import ContainerRequest, Resources
from hetero.model.share import Refusal, Share
from hetero.vendor import Discovery, Enforcement, Feature, Splitting, Vendor

E = TypeVar("E", bound=Exception)

_QUALIFIED = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")

_OPENED = "import sys; import {package}; print(open('/proc/self/maps').read())"


class VendorConformance:
    """What every vendor must hold. Each test names the rule in its docstring.

    Attributes:
        vendor: The vendor.
        package: Its package, to be imported by a fresh interpreter.
        models: Device models that it splits, at least one for each resource family.
    """

    vendor: ClassVar[Vendor]
    package: ClassVar[str]
    models: ClassVar[Sequence[DeviceModel]]

    # --- names ----------------------------------------------------------------------------------------------

    def test_parts_are_of_the_interface(self) -> None:
        """Each part implements its class of :mod:`hetero.vendor`."""
        assert isinstance(self.vendor.discovery, Discovery)
        assert isinstance(self.vendor.splitting, Splitting)
        assert isinstance(self.vendor.enforcement, Enforcement)

    def test_title_and_version_are_told(self) -> None:
        """``hetero vendors`` has something to show."""
        assert self.vendor.title
        assert self.vendor.version

    def test_resource_names_are_qualified(self) -> None:
        """A resource is ``domain/name``. Source: Kubernetes documentation, "Extended resources"."""
        for name in self._resource_names():
            assert _QUALIFIED.fullmatch(name), name

    def test_names_mean_one_thing(self) -> None:
        """No resource or annotation name stands for two things, within a family or across families."""
        for names in (self._resource_names(), [key for one in self.vendor.resources for key in one.annotations()]):
            assert sorted(names) == sorted(set(names))

    def test_families_belong_to_the_vendor(self) -> None:
        """Resource families carry the vendor's name, and their own names differ."""
        assert {one.vendor for one in self.vendor.resources} == {self.vendor.name}
        assert len({one.family for one in self.vendor.resources}) == len(self.vendor.resources)

    def test_a_feature_has_a_word_or_a_reason(self) -> None:
        """What a user cannot ask for is listed as missing, with a sentence."""
        words = {
            Feature.MEMORY: [one.memory for one in self.vendor.resources],
            Feature.MEMORY_PERCENTAGE: [one.memory_percentage for one in self.vendor.resources],
            Feature.CORES: [one.cores for one in self.vendor.resources],
            Feature.PRIORITY: [one.priority for one in self.vendor.resources],
        }
        for feature, names in words.items():
            assert any(names) or feature in self.vendor.missing, f"{feature} has neither a resource name nor a reason"
        assert all(reason.strip() for reason in self.vendor.missing.values())
        assert (self.vendor.simulation is None) == (Feature.SIMULATION in self.vendor.missing)

    # --- import ---------------------------------------------------------------------------------------------

    def test_import_opens_no_driver(self) -> None:
        """A fresh interpreter imports the package without mapping any library that the vendor calls its own."""
        command = [sys.executable, "-c", _OPENED.format(package=self.package)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        mapped = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert mapped.returncode == 0, mapped.stderr
        libraries = {Path(line.split()[-1]).name for line in mapped.stdout.splitlines() if "/" in line}
        own = [word for word in self.vendor.words if word.startswith("lib")] + self._driver_library()
        assert not [one for one in libraries for word in own if one.startswith(word)]

    # --- asking ---------------------------------------------------------------------------------------------

    def test_a_count_alone_takes_whole_devices(self) -> None:
        """A pod that names neither memory nor compute gets what it would get without sharing."""
        for family in self.vendor.resources:
            ask = family.ask(_request(**{family.count: 1}))
            assert ask == Ask(vendor=self.vendor.name, family=family.family, cores=100)

    def test_what_is_not_named_is_not_asked(self) -> None:
        """A container without the vendor's resources asks nothing of it."""
        for family in self.vendor.resources:
            assert family.ask(_request(cpu=2, **{"example.invalid/other": 1})) is None

    def test_two_ways_to_ask_for_memory_are_refused(self) -> None:
        """MiB and percent together: the sentence names both fields."""
        for family in self.vendor.resources:
            if family.memory and family.memory_percentage:
                limits = {family.count: 1, family.memory: 1024, family.memory_percentage: 10}
                problems = _problems(family, limits)
                assert any(family.memory in one and family.memory_percentage in one for one in problems)

    def test_malformed_amounts_name_their_field(self) -> None:
        """Negative, fractional and other amounts are refused with the field and the value, all at once."""
        for family in self.vendor.resources:
            for value in (-1, "0.5", "many", 1.5):
                names = [name.name for name in family.names()]
                problems = _problems(family, dict.fromkeys(names, value))
                assert len(problems) == len(names)
                assert all(name in problem for name, problem in zip(names, problems, strict=True))

    # --- splitting ------------------------------------------------------------------------------------------

    def test_every_family_has_a_model(self) -> None:
        """The suite's models cover the vendor's resource families."""
        assert {one.family for one in self.vendor.resources} == {model.family for model in self.models}

    def test_models_are_the_vendors_own(self) -> None:
        """A model carries the vendor's name and has room for at least one program."""
        for model in self.models:
            assert model.vendor == self.vendor.name
            assert all(amount > 0 for amount in model.capacity.values())
            assert SLOTS in model.capacity

    def test_splitting_is_pure(self) -> None:
        """The same question has the same answer, and asking changes nothing."""
        for model, ask in self._asks():
            before = wire.encode(model)
            assert self._split(model, ask) == self._split(model, ask)
            assert wire.encode(model) == before

    def test_splitting_answers_every_ask(self) -> None:
        """An ask that cannot be served is refused with a reason and a sentence; nothing is raised."""
        for model, ask in self._asks():
            answer = self._split(model, ask)
            assert isinstance(answer, Share) or (isinstance(answer, Refusal) and answer.message.strip())

    def test_shares_stay_within_the_device(self) -> None:
        """Every quantity is one that the model has, not negative, and at most what one device has."""
        for model, _, share in self._shares():
            for name, amount in share.quantities.items():
                assert 0 <= amount <= model.capacity.get(name, -1), (name, amount)

    def test_every_share_takes_a_slot(self) -> None:
        """A program always counts, or a device would be shared by any number."""
        assert all(share.quantities.get(SLOTS, 0) >= 1 for _, _, share in self._shares())

    def test_no_share_gives_less_than_asked(self) -> None:
        """Rounding goes up, and what is given is charged: memory to the MiB, compute to the percent."""
        for model, ask, share in self._shares():
            if MEMORY in model.capacity:
                assert share.memory >= _memory_asked(model, ask)
            if CORES in model.capacity:
                assert share.cores >= ask.cores

    def test_a_whole_device_is_for_one_program(self) -> None:
        """Beside an exclusive share nothing fits, and beside any other share no exclusive one does."""
        for model in self.models:
            whole = self._split(model, _ask(model, cores=100))
            if isinstance(whole, Refusal):
                continue
            for other, _, share in self._shares():
                if other == model:
                    assert any(
                        whole.quantities.get(name, 0) + share.quantities.get(name, 0) > capacity
                        for name, capacity in model.capacity.items()
                    )

    def test_models_can_be_described(self) -> None:
        """A device described by its name and memory is the model that discovery reports."""
        for model in self.models:
            described = self.vendor.splitting.model(model.name, model.capacity[MEMORY], model.mode)
            assert described == model

    def test_ill_descriptions_are_refused(self) -> None:
        """No memory, or a mode that the chip does not have: one of our errors, with the field."""
        model = self.models[0]
        for memory, mode in ((0, ""), (-5, ""), (model.capacity[MEMORY], "no such mode")):
            _raises(InvalidValue, self.vendor.splitting.model, model.name, memory, mode)

    def test_combinations_are_sets_of_what_is_offered(self) -> None:
        """Each has the count that was asked, no device twice, and none that was not offered."""
        for model in self.models:
            offered = [_device(model, index) for index in range(8)]
            for count in range(1, 9):
                for combination in itertools.islice(self.vendor.splitting.combinations(offered, count), 100):
                    assert len({device.uuid for device in combination}) == len(combination) == count
                    assert all(device in offered for device in combination)

    # --- enforcement ----------------------------------------------------------------------------------------

    def test_preparing_twice_is_preparing_once(self) -> None:
        """After a crash, or when the kubelet asks again, the result is the same."""
        for held in self._slices():
            first = self.vendor.enforcement.prepare(held)
            assert self.vendor.enforcement.prepare(held) == first
            self.vendor.enforcement.release(held)

    def test_edits_are_text(self) -> None:
        """What a program finds around it can be written into its environment and into a CDI spec."""
        for held in self._slices():
            edits = self.vendor.enforcement.prepare(held)
            assert all(key and isinstance(value, str) and "\0" not in value for key, value in edits.env.items())
            assert wire.decode(wire.encode(edits), ContainerEdits) == edits
            self.vendor.enforcement.release(held)

    def test_release_may_come_any_time(self) -> None:
        """Releasing what was never prepared, or twice, does nothing."""
        for held in self._slices():
            self.vendor.enforcement.release(held)
            self.vendor.enforcement.prepare(held)
            self.vendor.enforcement.release(held)
            self.vendor.enforcement.release(held)

    def test_checks_find_something_to_say(self) -> None:
        """What ``hetero doctor`` shows has a subject, and a problem comes with advice."""
        for finding in self.vendor.enforcement.check():
            assert finding.subject
            assert finding.ok or finding.advice

    # --- discovery ------------------------------------------------------------------------------------------

    def test_discovery_is_in_order(self) -> None:
        """Devices have identities of their own and count from 0; samples come in the same order."""
        try:
            devices = self.vendor.discovery.devices()
            samples = self.vendor.discovery.sample()
        except DriverError:
            return  # no driver here, told as it must be told: by one of our errors
        assert len({device.uuid for device in devices}) == len(devices)
        assert all(device.uuid for device in devices)
        assert [device.index for device in devices] == sorted(device.index for device in devices)
        assert [sample.uuid for sample in samples] == [device.uuid for device in devices]
        assert all(device.health.ok or device.health.reason for device in devices)

    # --- what the tests work with ---------------------------------------------------------------------------

    def _resource_names(self) -> list[str]:
        return [name.name for family in self.vendor.resources for name in family.names()]

    def _driver_library(self) -> list[str]:
        try:
            return [Path(self.vendor.discovery.driver().library).name]
        except DriverError:
            return []

    def _split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        return self.vendor.splitting.split(model, ask)

    def _asks(self) -> Iterator[tuple[DeviceModel, Ask]]:
        """Asks at and around every limit."""
        for model in self.models:
            total = model.capacity.get(MEMORY, 1)
            sizes = sorted({1, 2, total // 3, total // 2, total - 1, total, total + 1, 2 * total} - {0})
            memories: list[dict[str, Any]] = [{"memory": size} for size in sizes]
            memories += [{"memory_percentage": percent} for percent in (1, 33, 50, 99, 100)]
            for memory, cores in itertools.product([{}, *memories], (0, 1, 30, 50, 99, 100)):
                yield model, _ask(model, cores=cores, **memory)

    def _shares(self) -> Iterator[tuple[DeviceModel, Ask, Share]]:
        for model, ask in self._asks():
            answer = self._split(model, ask)
            if isinstance(answer, Share):
                yield model, ask, answer

    def _slices(self) -> Iterator[Slice]:
        """A slice of one device and one of two, with directories of their own."""
        for model, count in itertools.product(self.models, (1, 2)):
            share = next((share for other, _, share in self._shares() if other == model), None)
            if share is None:
                continue  # such a device is not split at all
            with tempfile.TemporaryDirectory() as directory:
                grants = tuple(Grant(device=_device(model, index), share=share) for index in range(count))
                yield Slice(id=f"conformance-{count}", grants=grants, directory=directory)


def _ask(model: DeviceModel, **amounts: Any) -> Ask:
    return Ask(vendor=model.vendor, family=model.family, **amounts)


def _memory_asked(model: DeviceModel, ask: Ask) -> int:
    """MiB; a percentage may be rounded down to a MiB, so that two halves fit."""
    total = model.capacity[MEMORY]
    if ask.memory is not None:
        return ask.memory
    return total * ask.memory_percentage // 100 if ask.memory_percentage is not None else total


def _device(model: DeviceModel, index: int) -> Device:
    return Device(uuid=f"device-{index}", index=index, model=model, health=Health())


def _request(**limits: Any) -> ContainerRequest:
    return ContainerRequest(path="spec.containers[0]", limits=limits)


def _problems(family: Resources, limits: dict[str, Any]) -> list[str]:
    error = _raises(InvalidRequest, family.ask, _request(**limits))
    return [str(problem) for problem in error.problems]


def _raises(kind: type[E], action: Callable[..., Any], *arguments: Any) -> E:
    try:
        result = action(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"{arguments} gave {result!r} instead of {kind.__name__}")
