"""What the rules are applied to: a vendor, its package, and the questions that are put to it."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import MEMORY, Device, DeviceModel, Link, LinkKind
from hetero.model.share import Refusal, Share
from hetero.testing.probe import Answer
from hetero.vendor import Vendor

E = TypeVar("E", bound=Exception)

Check = Callable[[DeviceModel, Ask], None]


class Subject:
    """The vendor under test.

    Attributes:
        vendor: The vendor.
        package: What its entry point names, usually the package; fresh interpreters import it.
        models: Device models that it splits, at least one for each resource family. Without any, those of the
            devices of this machine.
        examples: How many asks are made up beyond those at the limits.
        surroundings: Environment variables with which there are devices, e.g. those of a simulated driver.
    """

    vendor: ClassVar[Vendor]
    package: ClassVar[str]
    models: ClassVar[Sequence[DeviceModel]] = ()
    examples: ClassVar[int] = 60
    surroundings: ClassVar[Mapping[str, str]] = {}

    def driver_libraries(self) -> list[str]:
        """Beginnings of the names of libraries that no import may open. Override it if ``words`` has not all."""
        words = [word for word in self.vendor.words if word.startswith("lib")]
        try:
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
        with mock.patch.dict(os.environ, self.surroundings):
            try:
                return list(self.vendor.discovery.devices())
            except HeteroError:
                return []

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The vendor's answer."""
        return self.vendor.splitting.split(model, ask)

    def asks(self) -> Iterator[tuple[DeviceModel, Ask]]:
        """Asks at and around every limit."""
        for model in self.all_models():
            total = model.capacity.get(MEMORY, 1)
            sizes = sorted({1, 2, total // 3, total // 2, total - 1, total, total + 1, 2 * total} - {0})
            amounts: list[dict[str, int]] = [{}, *({"memory": size} for size in sizes)]
            amounts += [{"memory_percentage": percent} for percent in (1, 33, 50, 99, 100)]
            for amount, cores in itertools.product(amounts, (0, 1, 30, 50, 99, 100)):
                yield model, ask_of(model, cores=cores, **amount)

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
        for other, ask in self.asks():
            answer = self.split(model, ask) if other == model else None
            if isinstance(answer, Share):
                yield ask, answer

    def slices(self) -> Generator[Slice, None, None]:
        """Slices as the core makes them: of one device and of two, with directories of their own."""
        for model, count in itertools.product(self.all_models(), (1, 2)):
            share = next((share for _, share in self.shares(model)), None)
            if share is None:
                continue  # such a device is not split at all
            with tempfile.TemporaryDirectory() as directory:
                grants = tuple(Grant(device=device, share=share) for device in devices_of(model, count))
                held = Slice(id=f"conformance-{count}", grants=grants, directory=directory, priority=1)
                yield with_region(held) if self.vendor.enforcement.region else held

    def elsewhere(self) -> Elsewhere:
        """What the package does in a process of its own; asked once."""
        kind = type(self)
        if kind not in _ELSEWHERE:
            _ELSEWHERE[kind] = _elsewhere(self)
        return _ELSEWHERE[kind]


@dataclass(frozen=True)
class Elsewhere:
    """A slice as another process prepared it, and as this one does.

    Attributes:
        answer: What was seen of the other process.
        directory: The slice's.
        here: The result of this process, after the other's; None when the package cannot be used.
    """

    answer: Answer
    directory: Path
    here: ContainerEdits | None


_ELSEWHERE: dict[type[Subject], Elsewhere] = {}


def _elsewhere(subject: Subject) -> Elsewhere:
    with contextlib.closing(subject.slices()) as slices, tempfile.TemporaryDirectory() as aside:
        held = next(slices)
        answer = _probed(subject, held, Path(aside, "answer"))
        here = subject.vendor.enforcement.prepare(held) if answer.whole else None
        subject.vendor.enforcement.release(held)
        return Elsewhere(answer, Path(held.directory), here)


def _probed(subject: Subject, held: Slice, answer: Path) -> Answer:
    command = [sys.executable, "-B", "-m", "hetero.testing.probe", subject.package, subject.vendor.name, str(answer)]
    environment = {**os.environ, **subject.surroundings, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(command, env=environment, input=wire.encode(held), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return msgspec.json.decode(answer.read_bytes(), type=Answer)


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
