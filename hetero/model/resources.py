"""The words of one resource family and what they mean: container → :class:`Ask`.

Most vendors are data here: the names of their resources and annotations. One with rules of its own (only
pairs, only whole cards) subclasses :class:`Resources` and overrides :meth:`Resources.problems`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from hetero.errors import InvalidRequest, InvalidValue
from hetero.model.ask import Ask, Selection
from hetero.model.device import SLOTS, DeviceModel
from hetero.model.quantity import parse_count


class ContainerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod says for one container, as far as vendors may read it.

    Attributes:
        path: Where the container stands in its manifest, for errors (``spec.containers[0]``).
        limits: ``resources.limits`` with ``resources.requests`` filled in where a limit is missing.
        annotations: The pod's annotations.
    """

    path: str
    limits: Mapping[str, Any]
    annotations: Mapping[str, str] = {}


class ResourceName(msgspec.Struct, frozen=True, kw_only=True):
    """One resource name as ``hetero vendors`` lists it."""

    name: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Resources:
    """A family of resource names. Pure.

    Attributes:
        vendor: Name of the vendor.
        count: Name of the resource that counts devices (``acme.com/npu``).
        memory: Name of the memory resource, or empty when the chip cannot split memory.
        memory_percentage: Name of the percentage of memory, or empty.
        cores: Name of the percentage of compute, or empty.
        priority: Name of the priority, or empty.
        family: See :attr:`Ask.family`.
        memory_unit: MiB that one unit of :attr:`memory` stands for.
        default_count: Devices when memory or compute is asked and the count is not named.
        use_models: Annotation with words of models that may serve, separated by commas; empty when there is none.
        avoid_models: Annotation with words of models that must not.
        use_devices: Annotation with identities of devices that may serve.
        avoid_devices: Annotation with identities that must not.
        same_numa: Annotation that asks for one NUMA node with ``"true"``.
        further_annotations: Those that the family reads by itself, beside the above; one that is nearly such a one is
            told to be misspelt.
    """

    vendor: str
    count: str
    memory: str = ""
    memory_percentage: str = ""
    cores: str = ""
    priority: str = ""
    family: str = ""
    memory_unit: int = 1
    default_count: int = 1
    use_models: str = ""
    avoid_models: str = ""
    use_devices: str = ""
    avoid_devices: str = ""
    same_numa: str = ""
    further_annotations: tuple[str, ...] = ()

    def names(self) -> tuple[ResourceName, ...]:
        """The resource names with their meaning, those that the family has."""
        meanings = (
            (self.count, "devices, each sharing the amounts below"),
            (self.memory, f"device memory, in units of {self.memory_unit} MiB"),
            (self.memory_percentage, "device memory, in percent of one device"),
            (self.cores, "compute, in percent of one device; 100 takes the device for itself"),
            (self.priority, "priority; 0 is the highest"),
        )
        return tuple(ResourceName(name=name, meaning=meaning) for name, meaning in meanings if name)

    def counted(self, model: DeviceModel) -> Mapping[str, int]:
        """The names that a node's kubelet counts, and how many programs one device of a model adds to each.

        A container that asks one of them gets its devices through the kubelet. What fits where is the planner's
        business: the kubelet needs a number that is never too small. Override it where instances of a chip have names
        of their own.

        Args:
            model: A model of this family.
        """
        return {self.count: model.capacity.get(SLOTS, 1)}

    def annotations(self) -> tuple[str, ...]:
        """The annotation names that the family reads to narrow the choice of devices."""
        keys = (self.use_models, self.avoid_models, self.use_devices, self.avoid_devices, self.same_numa)
        return tuple(key for key in keys if key)

    def ask(self, request: ContainerRequest) -> Ask | None:
        """Read what a container asks of this family.

        A container that names memory or compute but no count gets :attr:`default_count`; one that names
        neither memory nor compute takes the device whole and for itself, as it would without sharing.

        Returns:
            The ask; None when the container names none of the family's resources, or counts 0 devices.

        Raises:
            InvalidRequest: With every problem found.
        """
        named = {name.name: request.limits[name.name] for name in self.names() if name.name in request.limits}
        if not set(named) - {self.priority}:
            return None
        problems: list[InvalidValue] = []
        amounts = {name: self._amount(name, value, request, problems) for name, value in named.items()}
        if problems:
            raise InvalidRequest(problems)
        ask = self._assemble(amounts, request)
        problems = list(self.problems(ask, amounts, request))
        if problems:
            raise InvalidRequest(problems)
        return ask if ask.count else None

    def asks(self, request: ContainerRequest) -> tuple[Ask, ...]:
        """All that a container asks of this family: what the stages work with.

        Override it where one container may ask several things of a family, e.g. instances of several sizes; asks of
        one container may be served by one device.

        Raises:
            InvalidRequest: As :meth:`ask`.
        """
        ask = self.ask(request)
        return () if ask is None else (ask,)

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """What is wrong with amounts that are each well-formed. Override to add the chip's own rules.

        Args:
            ask: What the amounts come to.
            amounts: Resource name to amount, those that the container names.
            request: The request, for field names.
        """
        if amounts.get(self.memory) and amounts.get(self.memory_percentage):
            yield InvalidValue(
                self.field(request, self.memory_percentage),
                request.limits[self.memory_percentage],
                f"cannot be combined with {self.memory}; keep one of the two",
            )
        if ask.count == 0 and any(amounts.get(name) for name in (self.memory, self.memory_percentage, self.cores)):
            yield InvalidValue(
                self.field(request, self.count), request.limits[self.count], "asks for no device; write 1 or more"
            )

    def field(self, request: ContainerRequest, name: str) -> str:
        """Where a resource stands in the manifest."""
        return f"{request.path}.resources.limits[{name}]"

    def _amount(self, name: str, value: object, request: ContainerRequest, problems: list[InvalidValue]) -> int:
        high = 100 if name in (self.cores, self.memory_percentage) else 2**31 - 1
        try:
            return parse_count(value, self.field(request, name), high=high)
        except InvalidValue as problem:
            problems.append(problem)
            return 0

    def _assemble(self, amounts: Mapping[str, int], request: ContainerRequest) -> Ask:
        # 0 of memory means "not asked", as the peer has it: manifests that write it exist.
        memory = amounts.get(self.memory, 0) * self.memory_unit or None
        percentage = amounts.get(self.memory_percentage, 0) or None
        whole = memory is None and percentage in (None, 100) and self.cores not in amounts
        return Ask(
            vendor=self.vendor,
            family=self.family,
            count=amounts.get(self.count, self.default_count),
            memory=memory,
            memory_percentage=percentage,
            cores=100 if whole else amounts.get(self.cores, 0),
            priority=amounts.get(self.priority),
            selection=self._selection(request.annotations),
        )

    def _selection(self, annotations: Mapping[str, str]) -> Selection:
        return Selection(
            use_models=_words(annotations, self.use_models),
            avoid_models=_words(annotations, self.avoid_models),
            use_devices=_words(annotations, self.use_devices),
            avoid_devices=_words(annotations, self.avoid_devices),
            same_numa=annotations.get(self.same_numa, "").strip().lower() == "true" if self.same_numa else False,
        )


def _words(annotations: Mapping[str, str], key: str) -> tuple[str, ...]:
    text: Iterable[str] = annotations.get(key, "").split(",") if key else ()
    return tuple(word.strip() for word in text if word.strip())
