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
from hetero.model.resources import ContainerRequest
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

_OF_A_TYPE = re.compile(r"cambricon\.com/(mlu\d+)\.smlu\.(vmemory|vcore)")
"""Names with the card's type in them, as the vendor's plugin has them with ``--enable-device-type``."""


class MluResources(Resources):
    """The usual rules, and three of this chip's.

    * Memory without compute takes all of the compute, as existing schedulers have it.
    * ``cambricon.com/mlu370.smlu.vmemory`` and its like ask the same of cards of that type only.
    * :data:`POLICY` says which sets of devices may serve.
    """

    def ask(self, request: ContainerRequest) -> Ask | None:
        """Read what a container asks of this family."""
        limits, types = _without_types(request.limits)
        asked = super().ask(msgspec.structs.replace(request, limits=limits))
        if asked is None:
            return None
        if types and not asked.selection.use_models:
            asked = msgspec.structs.replace(
                asked, selection=msgspec.structs.replace(asked.selection, use_models=tuple(types))
            )
        if asked.memory is not None and self.cores not in limits:
            asked = msgspec.structs.replace(asked, cores=100)
        policy = request.annotations.get(POLICY, BEST_EFFORT).strip()
        return asked if policy == BEST_EFFORT else msgspec.structs.replace(asked, sets=policy)

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """What is wrong with amounts that are each well-formed."""
        yield from super().problems(ask, amounts, request)
        policy = request.annotations.get(POLICY, BEST_EFFORT).strip()
        if policy not in POLICIES:
            reason = f"is no policy; write {', '.join(POLICIES[:-1])} or {POLICIES[-1]}"
            yield InvalidValue(f"metadata.annotations[{POLICY}]", policy, reason)
        elif policy != BEST_EFFORT and ask.count and ask.count not in RING_SIZES:
            reason = f"is no size of a ring, which the policy {policy} asks for; write 1, 2, 4 or 8"
            yield InvalidValue(self.field(request, self.count), ask.count, reason)


def _without_types(limits: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """The limits by their usual names, and the types that their names told; the usual name goes before."""
    plain: dict[str, object] = {}
    types: dict[str, None] = {}
    for name, value in limits.items():
        told = _OF_A_TYPE.fullmatch(name)
        if told is None:
            plain[name] = value
            continue
        types[told[1].upper()] = None
        plain.setdefault(f"cambricon.com/mlu.smlu.{told[2]}", value)
    return {**plain, **{name: limits[name] for name in plain if name in limits}}, list(types)


RESOURCES = MluResources(
    vendor=VENDOR,
    count="cambricon.com/vmlu",
    memory="cambricon.com/mlu.smlu.vmemory",
    memory_unit=UNIT,
    cores="cambricon.com/mlu.smlu.vcore",
    use_models="cambricon.com/use-mlutype",
    avoid_models="cambricon.com/nouse-mlutype",
    use_devices="cambricon.com/use-gpuuuid",
    avoid_devices="cambricon.com/nouse-gpuuuid",
)

WORDS = ("cambricon", "libcndev", "cndev", "cnmon", "smlu", "mlulink")

VISIBLE = "CAMBRICON_VISIBLE_DEVICES"  # slots of whole cards, separated by commas
VIRTUAL = "VIRTUAL_DEVICES"  # device, ipcm and cap node of each slice; slices are separated by semicolons

PROFILE = "CAMBRICON_DSMLU_PROFILE"
"""Annotation that the vendor's own plugin reads: slot, percent of compute and units of memory, joined by ``_``."""

ASSIGNED = ("CAMBRICON_DSMLU_ASSIGHED", "CAMBRICON_DSMLU_ASSIGNED")
"""Annotation that tells it what is still to be given. Its v2.0.23 reads the first spelling, others the second."""
