"""The vendor device interface: what a package implements to add a chip.

A vendor is one :class:`Vendor` object with four parts, each with one duty and one place where it runs:

=================  ======================  =====  ==========================================================
part               runs in                 pure   duty
=================  ======================  =====  ==========================================================
``resources``      scheduler, webhook      yes    the words that users write; container → :class:`Ask`
``discovery``      node                    no     which devices there are, and what they are doing
``splitting``      scheduler, node         yes    (model, ask) → :class:`Share`, or the reason why not
``enforcement``    node                    no     share → what the program's surroundings must contain
=================  ======================  =====  ==========================================================

and, if the vendor has it, ``simulation``: a stand-in for the driver, so that everything above it can be tried
on a machine without the chip.

Rules that hold for all parts:

* Importing the package touches no driver and starts nothing: it is imported on machines without the chip.
* Pure methods return the same for the same arguments, do no I/O, read no clock and keep no state. They are called
  from several threads, ``split`` once per device model and ask, i.e. thousands of times per second.
* No method gets an API client or a Pod: what a vendor decides is in its return value.
* A method that cannot do its work raises one of :mod:`hetero.errors`; anything else is treated as a defect of
  the vendor, logged with its name, and never stops the other vendors.
* A new need of the core becomes a field with a default in a record, or an optional method with a default
  here. Methods do not gain arguments.

:class:`hetero.testing.VendorConformance` checks these rules for a package of yours.
"""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from hetero.errors import InvalidValue
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import Device, DeviceModel, Sample
from hetero.model.machine import Card, Machine
from hetero.model.resources import Resources
from hetero.model.share import Refusal, Share

__all__ = [
    "Discovery",
    "Driver",
    "Enforcement",
    "Feature",
    "Finding",
    "Resources",
    "Simulation",
    "Splitting",
    "Vendor",
]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


class Feature(enum.StrEnum):
    """What a chip or a vendor package may lack; see :attr:`Vendor.missing`."""

    MEMORY = "memory"  # a share of the memory, in MiB
    MEMORY_PERCENTAGE = "memory-percentage"
    CORES = "cores"  # a share of the compute, in percent
    EXCLUSIVE = "exclusive"  # a whole device for one program
    PRIORITY = "priority"
    PARTITION = "partition"  # instances that the hardware keeps apart
    NUMA = "numa"
    LINKS = "links"
    HEALTH = "health"
    PROCESSES = "processes"  # which process uses how much
    SIMULATION = "simulation"


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor's driver as found on this machine.

    Attributes:
        version: Of the driver, in the vendor's spelling.
        library: The file that was loaded.
        api: Highest version of the programming interface that it serves; empty when it does not say.
    """

    version: str
    library: str
    api: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that ``hetero doctor`` looked at.

    Attributes:
        subject: What was looked at, in a few words.
        ok: True when nothing needs to be done.
        detail: What was found.
        advice: What to do about it; empty when ok.
    """

    subject: str
    ok: bool
    detail: str
    advice: str = ""


class Discovery(ABC):
    """Finds the devices of this node and says what they are doing.

    The driver library is opened on first use and kept. Calls may block on the driver for as long as the driver does;
    the core calls them from a thread of their own, one call at a time per vendor.
    """

    @abstractmethod
    def driver(self) -> Driver:
        """The driver of this machine. Called at start and by ``hetero doctor``.

        Raises:
            DriverMissing: The library is not installed.
            DriverFailed: The library cannot be used, e.g. the kernel module is not loaded.
        """

    @abstractmethod
    def devices(self) -> Sequence[Device]:
        """All devices, in the order of the driver, unhealthy ones included. Called at start and when something changed.

        A device that the driver lists but cannot describe is returned with :attr:`Device.health` not ok and
        whatever is known; one broken card never hides the others.

        Raises:
            DriverMissing: The library is not installed.
            DriverFailed: The list itself cannot be had.
        """

    @abstractmethod
    def sample(self) -> Sequence[Sample]:
        """What each device does now, in the order of :meth:`devices`. Called every few seconds.

        Raises:
            DriverMissing: The library is not installed.
            DriverFailed: No device can be asked.
        """


class Splitting(ABC):
    """The vendor's allocator: how much of a device an ask takes. Pure."""

    @abstractmethod
    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Describe a device by its product name, e.g. for a cluster that exists only in a file.

        Args:
            name: The product as the driver spells it.
            memory: MiB, > 0.
            mode: See :attr:`DeviceModel.mode`.

        Returns:
            The very model that discovery reports for such a card.

        Raises:
            InvalidValue: There is no such product, memory or mode.
        """

    @abstractmethod
    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The share that serves the ask on an *empty* device of this model, in every dimension that it costs.

        Round up to what the chip can do, and charge what is really taken: nothing may be lost to rounding without being
        charged. Each quantity is ≥ 0, named in ``model.capacity`` and at most that capacity. Whether so much
        is still free on a certain device is the planner's business.

        Args:
            model: A model of this vendor.
            ask: An ask for this vendor and the model's family.

        Returns:
            The share, or why no device of this model can ever serve the ask.
        """

    def alternatives(self, model: DeviceModel, ask: Ask) -> Sequence[Share]:
        """Shares that serve the ask as well as that of :meth:`split`, for chips on which a share has a position.

        Such a chip has a dimension for each of its places, with a capacity of 1, so that what is taken says which
        places are free. Alternatives differ from the share of :meth:`split` in nothing but which of such places they
        take: of everything else, and in all, they take as much.

        Args:
            model: A model of this vendor.
            ask: An ask that :meth:`split` answers with a share.

        Returns:
            The others, in the order in which they are to be tried after that of :meth:`split`; nothing by default.
        """
        del model, ask
        return ()

    def sets(self, devices: Sequence[Device], ask: Ask) -> Iterable[tuple[Device, ...]] | None:
        """The only sets that may serve the ask, best first, for chips that do not work, or may not be given, in others.

        Unlike :meth:`combinations`, which states a preference, this is a rule: a node without such a set does not
        serve. All of them must be given, each of ``ask.count`` devices, and soon: it is called for each node, and as
        long as a set is refused by the rest of the pod, for the next.

        Args:
            devices: Devices of one node that can each give the share, in the planner's order of preference; maybe
                fewer than are asked, or none. Their links may lead to devices that are not among them.
            ask: The ask.

        Returns:
            None when any set may serve (the default), which must hang on the ask alone.
        """
        del devices, ask
        return None

    def combinations(self, devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
        """Sets of ``count`` devices worth trying, best first, for chips that are wired in rings, pairs or islands.

        Args:
            devices: Devices of one node that can each give the share, in the planner's order of preference. Their links
                may lead to devices that are not among them; devices of a described cluster have no links.
            count: How many are asked, 1 ≤ count ≤ len(devices). One is asked about where a pod's policy is
                ``topology-aware``: then best is what leaves the best sets whole.

        Returns:
            Nothing when any set is as good as another (the default): then the planner takes its own order.
        """
        del devices, count
        return ()

    def annotations(self, containers: Mapping[str, Sequence[Grant]]) -> Mapping[str, str]:
        """What the vendor's own device plugin reads of a pod, for nodes where that one serves instead of hetero.

        The scheduler adds them to a pod's Binding where the configuration names the vendor in ``vendors.foreign``.

        Args:
            containers: Name of each container that holds devices of this vendor to what it holds, in the pod's order.

        Returns:
            Annotations of the pod; nothing by default.
        """
        del containers
        return {}


class Enforcement(ABC):
    """The vendor's hook: makes a slice real on this node.

    Attributes:
        region: True when the limits are enforced by a preload library that keeps a shared region; the core then
            creates the region's file with the limits before :meth:`prepare` and gives its path in the slice.
    """

    region: bool = False

    @abstractmethod
    def prepare(self, held: Slice) -> ContainerEdits:
        """Make the slice and say what its program needs. Called for each start of a container.

        Idempotent: called again for the same slice, also after a crash between two lines of it or in another
        process, it leaves the same state and returns an equal result. May write below ``held.directory``; may block on
        the driver while it creates a hardware instance.

        Raises:
            EnforcementError: The slice cannot be made; the sentence says why and what to do.
            DriverError: The driver refused.
        """

    def check(self) -> Iterable[Finding]:
        """Look at what enforcement needs of this machine. Called by ``hetero doctor``; changes nothing.

        Returns:
            Findings, good ones included; nothing by default.
        """
        return ()

    def release(self, held: Slice) -> None:
        """Undo :meth:`prepare`. Called once the program is gone; may be called for a slice never prepared.

        Idempotent. The default does nothing: the core removes the directory and the region itself.

        Raises:
            EnforcementError: Something could not be undone; the core tries again later.
        """
        del held


class Simulation(ABC):
    """A stand-in for the driver: shared objects with the vendor's own ABI, for machines without the chip."""

    @abstractmethod
    def card(self, settings: Mapping[str, Any], field: str) -> Card:
        """Check one card of a machine file and complete it with defaults. Called for each card of the file. Pure.

        Args:
            settings: The keys of the card as written, without ``vendor`` and ``count``.
            field: Where it stands in the file, for errors (``cards[0]``).

        Raises:
            InvalidValue: A key is unknown, or a value cannot be used.
        """

    @abstractmethod
    def prepare(self, machine: Machine, directory: Path) -> ContainerEdits:
        """Build the simulated machine's state in ``directory`` and say what a program on it needs.

        Args:
            machine: The machine with this vendor's cards only.
            directory: A directory of this vendor alone, kept until the command of ``hetero sim run`` has ended, or for
                good with ``--state``. It is empty unless the machine is joined while it is running.

        Returns:
            Where the stand-in is found: what a program's surroundings must contain.

        Raises:
            EnforcementError: The simulated driver is not installed.
        """


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor of devices, as a plugin registers it.

    Attributes:
        name: Short name: lower-case letters, digits and ``-``; unique among the installed vendors.
        title: Name for people.
        version: Version of the package.
        resources: One per resource family; most vendors have one.
        discovery: Part of the node.
        splitting: Part of the scheduler.
        enforcement: Part of the node.
        simulation: None when the vendor has no simulated driver.
        missing: Features that this package or chip lacks, each with the reason in one sentence for users.
        words: Words that belong to this vendor alone (product and library names), beyond those that the resources
            declare. The core must not contain them; a test checks it.
    """

    name: str
    title: str
    version: str
    resources: tuple[Resources, ...]
    discovery: Discovery
    splitting: Splitting
    enforcement: Enforcement
    simulation: Simulation | None = None
    missing: Mapping[Feature, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not work, when the plugin is loaded rather than when a pod comes.

        Raises:
            InvalidValue: The name is malformed, or there are no resources.
        """
        if not _NAME.fullmatch(self.name):
            raise InvalidValue("name", self.name, "is no vendor name; use lower-case letters, digits and '-'")
        if not self.resources:
            raise InvalidValue("resources", self.resources, "is empty; a vendor has at least one resource family")

    @property
    def features(self) -> tuple[Feature, ...]:
        """What works, in the order of :class:`Feature`."""
        return tuple(feature for feature in Feature if feature not in self.missing)
