"""What the rules are applied to: a vendor, its package, and the questions that are put to it."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from unittest import mock

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.enforcement import region
from hetero.enforcement.limits import limits_of
from hetero.errors import DriverMissing, HeteroError
from hetero.hookspecs import PROJECT
from hetero.model import wire
from hetero.model.allocation import Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import MEMORY, Device, DeviceModel, Link, LinkKind
from hetero.model.share import Refusal, Share
from hetero.vendor import Vendor

E = TypeVar("E", bound=Exception)

Check = Callable[[DeviceModel, Ask], None]


class Subject:
    """The vendor under test. All but the first three are for vendors with a stand-in for their driver.

    Attributes:
        vendor: The vendor.
        package: What its entry point names, usually the package; fresh interpreters import it.
        models: Device models that it splits, at least one for each resource family. Without any, those of the
            devices of this machine.
        examples: How many asks are made up beyond those at the limits.
        surroundings: Environment variables with which there are devices, e.g. those of a simulated driver. Every rule
            is then tried with them: slices are of devices that are there.
        identities: What :attr:`~hetero.model.device.Device.uuid` of the devices in the surroundings must be, in their
            order; empty when that is not known beforehand.
        faults: Name of a fault of the driver (``missing``, ``old``, ``errors``, ``garbage``, ``hangs``, whatever can
            be had) to the variables that bring it about, on top of the surroundings. In the one named ``hangs``, and
            in no other, calls may not come back.
        places: Directories of the machine, beside the slice's own, in which preparing may leave files, as the machine
            names them; ``{vendor}`` stands for the vendor's name.
    """

    vendor: ClassVar[Vendor]
    package: ClassVar[str]
    models: ClassVar[Sequence[DeviceModel]] = ()
    examples: ClassVar[int] = 60
    surroundings: ClassVar[Mapping[str, str]] = {}
    identities: ClassVar[Sequence[str]] = ()
    faults: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    places: ClassVar[Sequence[str]] = ("/run/hetero/{vendor}",)

    def hardware(self) -> object:
        """What instances the chips have now, e.g. a sorted list; override it where enforcement makes some.

        It is compared by its ``repr`` with what there was before: nothing in it may be made up anew each time.
        """
        return None

    def illness(self) -> AbstractContextManager[object] | None:
        """Something that, while it is entered, makes at least one healthy device of the surroundings unhealthy."""
        return None

    def own_asks(self, model: DeviceModel) -> Iterable[Ask]:
        """Asks in the vendor's own words (templates, modes, sets), which join those that every vendor is asked."""
        del model
        return ()

    @contextmanager
    def surrounded(self) -> Iterator[None]:
        """With the surroundings in the environment of this process."""
        with mock.patch.dict(os.environ, self.surroundings):
            yield

    def driver_libraries(self) -> list[str]:
        """Beginnings of the names of libraries that no import may open. Override it if ``words`` has not all."""
        words = [word for word in self.vendor.words if word.startswith("lib")]
        try:
            with self.surrounded():
                driver = self.vendor.discovery.driver().library
        except DriverMissing as error:
            driver = error.library
        except HeteroError:
            driver = ""
        return [*words, Path(driver).name] if driver else words

    def resource_names(self) -> list[str]:
        """Of all families."""
        return [name.name for family in self.vendor.resources for name in family.names()]

    def all_models(self) -> list[DeviceModel]:
        """The models that were named, or those that are here."""
        here = [] if self.models else self.devices()
        return list({wire.encode(model): model for model in (*self.models, *(one.model for one in here))}.values())

    def devices(self) -> list[Device]:
        """The devices of this machine; none where there is no driver, which is then told by one of our errors."""
        with self.surrounded():
            try:
                return list(self.vendor.discovery.devices())
            except HeteroError:
                return []

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The vendor's answer."""
        return self.vendor.splitting.split(model, ask)

    def asks(self) -> Iterator[tuple[DeviceModel, Ask]]:
        """Asks at and around every limit, of each model."""
        for model in self.all_models():
            yield from ((model, ask) for ask in self.asks_for(model))

    def asks_for(self, model: DeviceModel) -> Iterator[Ask]:
        """Asks at and around every limit of a model, and those in the vendor's own words."""
        total = model.capacity.get(MEMORY, 1)
        sizes = sorted({1, 2, total // 3, total // 2, total - 1, total, total + 1, 2 * total} - {0})
        amounts: list[dict[str, int]] = [{}, *({"memory": size} for size in sizes)]
        amounts += [{"memory_percentage": percent} for percent in (1, 33, 50, 99, 100)]
        for amount, cores in itertools.product(amounts, (0, 1, 30, 50, 99, 100)):
            yield ask_of(model, cores=cores, **amount)
        yield from self.own_asks(model)

    def for_any_ask(self, check: Check) -> None:
        """Check the asks at the limits, and then others; the same ones each time."""
        for model, ask in self.asks():
            check(model, ask)
        models = st.sampled_from(self.all_models())

        @settings(max_examples=self.examples, deadline=None, database=None, derandomize=True)
        @given(models.flatmap(lambda model: st.tuples(st.just(model), any_ask(model))))
        def check_any(question: tuple[DeviceModel, Ask]) -> None:
            check(*question)

        check_any()

    def shares(self, model: DeviceModel) -> Iterator[tuple[Ask, Share]]:
        """What the asks at the limits get of a model."""
        for ask in self.asks_for(model):
            answer = self.split(model, ask)
            if isinstance(answer, Share):
                yield ask, answer

    def slices(self, name: str = "conformance") -> Generator[Slice, None, None]:
        """Slices as the core makes them, with directories of their own. Use them in :meth:`surrounded`."""
        for number, grants in enumerate(self.holdings(), start=1):
            with tempfile.TemporaryDirectory() as directory:
                yield self.slice_of(f"{name}-{number}", grants, directory)

    def slice_of(self, name: str, grants: tuple[Grant, ...], directory: str) -> Slice:
        """One slice, with the region that the vendor wants."""
        held = Slice(id=name, grants=grants, directory=directory, priority=1)
        return with_region(held) if self.vendor.enforcement.region else held

    def holdings(self) -> list[tuple[Grant, ...]]:
        """What slices are made of: for each model a part of one device and of two, and a whole one."""
        here = self.here()
        models = {wire.encode(device.model): device.model for device in here}.values() if here else self.all_models()
        return [grants for model in models for grants in self._holdings(model, here)]

    def here(self) -> list[Device]:
        """Devices of the surroundings that may be taken.

        Without surroundings slices are of made-up ones: nothing is done to a card that happens to be in this machine.
        """
        return [device for device in self.devices() if device.health.ok] if self.surroundings else []

    def _holdings(self, model: DeviceModel, here: Sequence[Device]) -> Iterator[tuple[Grant, ...]]:
        devices = [device for device in here if device.model == model] or devices_of(model, 2)
        shares = list(self.shares(model))
        part = next((one for one in shares if _is_part(model, *one)), None) or next(iter(shares), None)
        whole = next((one for one in shares if one[0].exclusive), None)
        if part is not None:
            yield from ((Grant(device=device, share=part[1]),) for device in devices[:1])
            yield from self._pair(devices, part[0])
        if whole is not None and whole != part:
            yield (Grant(device=devices[0], share=whole[1]),)

    def _pair(self, devices: Sequence[Device], ask: Ask) -> Iterator[tuple[Grant, ...]]:
        """The same of two devices, if a chip serves such an ask."""
        share = self.split(devices[0].model, msgspec.structs.replace(ask, count=2))
        if len(devices) > 1 and isinstance(share, Share):
            yield tuple(Grant(device=device, share=share) for device in devices[:2])


def _is_part(model: DeviceModel, ask: Ask, share: Share) -> bool:
    """True when a share is of the kind that chips make instances for: it leaves something to others."""
    return not ask.exclusive and share.memory < model.capacity.get(MEMORY, 0)


def with_region(held: Slice) -> Slice:
    """The slice with its region's file written."""
    path = Path(held.directory, "region")
    region.create(path, limits_of(held))
    return msgspec.structs.replace(held, region=str(path))


def ask_of(model: DeviceModel, **amounts: Any) -> Ask:
    """An ask for devices of a model."""
    return Ask(vendor=model.vendor, family=model.family, **amounts)


def any_ask(model: DeviceModel) -> st.SearchStrategy[Ask]:
    """Every ask that a container can come to, sizes near the device's more often."""
    sizes = st.integers(1, 2 * model.capacity.get(MEMORY, 1)) | st.integers(1, 2**31 - 1)
    nothing: st.SearchStrategy[dict[str, int]] = st.just({})
    amounts = (
        nothing
        | sizes.map(lambda size: {"memory": size})
        | st.integers(1, 100).map(lambda percent: {"memory_percentage": percent})
    )
    return st.builds(
        lambda amount, **others: ask_of(model, **amount, **others),
        amounts,
        count=st.integers(1, 16),
        cores=st.integers(0, 100),
        priority=st.none() | st.integers(0, 9),
    )


def devices_of(model: DeviceModel, count: int) -> list[Device]:
    """Devices of one model, linked in pairs."""
    return [
        Device(uuid=f"device-{index}", index=index, model=model, links=_links(index, count)) for index in range(count)
    ]


def _links(index: int, count: int) -> tuple[Link, ...]:
    partner = index ^ 1
    return tuple(
        Link(
            peer=f"device-{peer}",
            kind=LinkKind.DIRECT if peer == partner else LinkKind.SYSTEM,
            lanes=int(peer == partner),
        )
        for peer in range(count)
        if peer != index
    )


def fits(share: Share, left: Mapping[str, int]) -> bool:
    """True when a device that has so much left can give the share."""
    return all(amount <= left.get(name, 0) for name, amount in share.quantities.items())


def left_after(share: Share, left: Mapping[str, int]) -> dict[str, int]:
    """What a device has left beside a share."""
    return {name: amount - share.quantities.get(name, 0) for name, amount in left.items()}


def raises(kind: type[E], action: Callable[..., Any], *arguments: Any) -> E:
    """The error that an action must end in."""
    try:
        result = action(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"{arguments} gave {result!r} instead of {kind.__name__}")


def entry_point(subject: Subject) -> EntryPoint:
    """The vendor's package as an installed plugin."""
    return EntryPoint(name=subject.vendor.name, value=subject.package, group=PROJECT)
