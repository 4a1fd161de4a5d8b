"""The words of this vendor: resources, annotations and environment names that pods already use.

Source: the chart of Project-HAMi/HAMi v2.10 for the names of resources and of the annotations about devices;
cambricon-k8s-device-plugin v2.0.23 for ``CAMBRICON_...``, ``VIRTUAL_DEVICES`` and the policies of sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest, ResourceName
from hetero.vendor import Resources

VENDOR = "cambricon"

UNIT = 256
"""MiB that memory is given in, and that one unit of the memory resource stands for."""

POLICY = "cambricon.com/mlulink-policy"
"""Annotation about the sets of devices that may serve: one of :data:`POLICIES`."""

BEST_EFFORT = "best-effort"
RESTRICTED = "restricted"
GUARANTEED = "guaranteed"
POLICIES = (BEST_EFFORT, RESTRICTED, GUARANTEED)

RING_SIZES = (1, 2, 4, 8)
"""How many devices a container may ask for under the two stricter policies."""

TYPES = ("mlu220", "mlu270", "mlu290", "mlu365", "mlu370", "mlu570", "mlu580", "mlu585", "mlu590")
"""Types of cards that resource names may have in them, as the vendor's plugin has it with ``--enable-device-type``."""

_MEMORY, _CORES = "vmemory", "vcore"


class MluResources(Resources):
    """The usual rules, and three of this chip's.

    * Memory without compute takes all of the compute, as existing schedulers have it.
    * ``cambricon.com/mlu370.smlu.vmemory`` and its like ask the same of cards of that type only.
    * :data:`POLICY` says which sets of devices may serve.
    """

    def names(self) -> tuple[ResourceName, ...]:
        """The resource names with their meaning, those with a type in them after the others."""
        typed = [
            ResourceName(name=_typed(type_, what), meaning=f"{meaning}, of a card whose name contains {type_.upper()}")
            for type_ in TYPES
            for what, meaning in ((_MEMORY, f"memory in units of {UNIT} MiB"), (_CORES, "percent of compute"))
        ]
        return (*super().names(), *typed)

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """What is wrong with amounts that are each well-formed."""
        yield from super().problems(ask, amounts, request)
        yield from self._clashes(amounts, request)
        policy = request.annotations.get(POLICY, BEST_EFFORT).strip()
        if policy not in POLICIES:
            reason = f"is no policy; write {', '.join(POLICIES[:-1])} or {POLICIES[-1]}"
            yield InvalidValue(f"metadata.annotations[{POLICY}]", policy, reason)
        elif policy != BEST_EFFORT and ask.count and ask.count not in RING_SIZES:
            reason = f"is no size of a ring, which the policy {policy} asks for; write 1, 2, 4 or 8"
            yield InvalidValue(self.field(request, self.count), ask.count, reason)

    def _assemble(self, amounts: Mapping[str, int], request: ContainerRequest) -> Ask:
        types = [type_ for type_ in TYPES if any(_typed(type_, what) in amounts for what in (_MEMORY, _CORES))]
        plain = {_untyped(name): amount for name, amount in amounts.items()}
        asked = super()._assemble(plain, request)
        cores = asked.cores if asked.memory is None or self.cores in plain else 100
        selection = asked.selection
        if types and not selection.use_models:
            selection = msgspec.structs.replace(selection, use_models=tuple(type_.upper() for type_ in types))
        policy = request.annotations.get(POLICY, BEST_EFFORT).strip()
        return msgspec.structs.replace(
            asked, cores=cores, selection=selection, sets="" if policy == BEST_EFFORT else policy
        )

    def _clashes(self, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """One amount by several names, or an amount of a type that is none."""
        firsts: dict[str, str] = {}
        typed = [name for name in amounts if _type(name)]
        for name, amount in amounts.items():
            first = firsts.setdefault(_untyped(name), name)
            if first != name:
                reason = f"{_relation(first, name)} {first}; keep one of the two"
                yield InvalidValue(self.field(request, name), request.limits[name], reason)
            elif name in typed and _type(name) != _type(typed[0]):
                reason = f"is of another type of card than {typed[0]}; name one type"
                yield InvalidValue(self.field(request, name), request.limits[name], reason)
            elif name != self.cores and _untyped(name) == self.cores and amount > 100:
                reason = "is more than all of a card's compute; write at most 100"
                yield InvalidValue(self.field(request, name), request.limits[name], reason)


def _typed(type_: str, what: str) -> str:
    return f"cambricon.com/{type_}.smlu.{what}"


def _relation(first: str, second: str) -> str:
    """How two names of one amount stand to each other: no card is of two types."""
    return "is the same as" if _untyped(first) in (first, second) else "is of another type of card than"


def _type(name: str) -> str:
    """The type of card that a name has in it; empty when it has none."""
    found = re.match(r"cambricon\.com/(mlu\d+)\.smlu\.", name)
    return found[1] if found else ""


def _untyped(name: str) -> str:
    """The usual name of an amount."""
    return re.sub(r"^cambricon\.com/mlu\d+\.smlu\.", "cambricon.com/mlu.smlu.", name)


RESOURCES = MluResources(
    vendor=VENDOR,
    count="cambricon.com/vmlu",
    memory="cambricon.com/mlu.smlu.vmemory",
    memory_unit=UNIT,
    cores="cambricon.com/mlu.smlu.vcore",
    use_models="cambricon.com/use-mlutype",
    avoid_models="cambricon.com/nouse-mlutype",
    use_devices="cambricon.com/use-gpuuuid",
    further_annotations=(POLICY,),
    avoid_devices="cambricon.com/nouse-gpuuuid",
)

WORDS = ("cambricon", "libcndev", "cndev", "cnmon", "smlu", "mlulink")

VISIBLE = "CAMBRICON_VISIBLE_DEVICES"  # slots of whole cards, separated by commas
VIRTUAL = "VIRTUAL_DEVICES"  # device, ipcm and cap node of each slice; slices are separated by semicolons

PROFILE = "CAMBRICON_DSMLU_PROFILE"
"""Annotation that the vendor's own plugin reads: slot, percent of compute and units of memory, joined by ``_``."""

ASSIGNED = ("CAMBRICON_DSMLU_ASSIGHED", "CAMBRICON_DSMLU_ASSIGNED")
"""Annotation that tells it what is still to be given. Its v2.0.23 reads the first spelling, others the second."""
