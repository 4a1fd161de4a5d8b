"""The words of this vendor: resources and annotations that pods already use, and environment names.

Sources: Project-HAMi/HAMi v2.10 (charts/hami, pkg/device/ascend) for the resources of each chip and the annotations;
Project-HAMi/ascend-device-plugin and hami-vnpu-core for the environment of the soft slices; Huawei mind-cluster for
``huawei.com/npu`` and for the environment that ascend-docker-runtime reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest
from hetero.vendor import Resources
from hetero_ascend import rings
from hetero_ascend.chips import FAMILIES, NEWEST, Chip

VENDOR = "ascend"

MODE = "huawei.com/vnpu-mode"
"""Annotation that chooses how the chip is split: ``hami-core`` is by software, where the node has it."""

SOFT = "hami-core"
"""The mode of a device that is split by software, and of an ask for such a share."""

HARD = "vnpu"
"""The mode of an ask for a share that the hardware keeps; a device of that kind has no mode of its own."""

VIR03 = "vir03"
"""The mode of a device whose driver has the template that not all have."""


@dataclass(frozen=True, kw_only=True)
class ChipResources(Resources):
    """The resources of one kind of chip, with what its sets and its templates demand.

    Attributes:
        chip: The chip.
    """

    chip: Chip

    def ask(self, request: ContainerRequest) -> Ask | None:
        """What a container asks; a single die of a chip whose modules are given whole becomes two.

        Raises:
            InvalidRequest: With every problem found.
        """
        ask = super().ask(request)
        if ask is None:
            return None
        count = rings.rounded(self.family, ask.count) if self._whole(ask, request) else ask.count
        return msgspec.structs.replace(ask, count=count, mode=self._mode(ask, request))

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """What is wrong with amounts that are each well-formed."""
        yield from super().problems(ask, amounts, request)
        mode = request.annotations.get(MODE, SOFT)
        if mode != SOFT:
            yield InvalidValue(
                f"metadata.annotations[{MODE}]", mode, f"is no way of splitting an NPU; write {SOFT} or leave it out"
            )
        if amounts.get(self.cores) and MODE not in request.annotations:
            yield InvalidValue(
                self.field(request, self.cores),
                request.limits[self.cores],
                f"needs the annotation {MODE}: {SOFT}, as a template of the hardware fixes the cores; or leave it out",
            )
        yield from self._count_problems(ask, request)

    def _count_problems(self, ask: Ask, request: ContainerRequest) -> Iterator[InvalidValue]:
        field, whole = self.field(request, self.count), self._whole(ask, request)
        several = f"asks for several vNPUs, and a container gets one; leave {self.memory} out to get whole NPUs"
        count = rings.rounded(self.family, ask.count) if whole else ask.count
        if count > 1 and not whole and MODE not in request.annotations:
            yield InvalidValue(field, ask.count, several)
        elif count > 1 and (complaint := rings.complaint(self.family, count)):
            yield InvalidValue(field, ask.count, complaint)

    def _whole(self, ask: Ask, request: ContainerRequest) -> bool:
        """True when whole chips serve the ask: nothing of them is named, or more than the largest template has."""
        if ask.exclusive:
            return True
        return MODE not in request.annotations and (ask.memory is None or ask.memory > self.chip.largest)

    def _mode(self, ask: Ask, request: ContainerRequest) -> str:
        if ask.exclusive:
            return ""  # a whole chip is whole on every node
        return SOFT if MODE in request.annotations else HARD


def _resources(chip: Chip) -> ChipResources:
    count = "huawei.com/npu" if chip is NEWEST else f"huawei.com/{chip.family}"
    return ChipResources(
        vendor=VENDOR,
        family=chip.family,
        chip=chip,
        count=count,
        memory="" if chip is NEWEST else f"{count}-memory",
        cores="" if chip is NEWEST else f"{count}-core",
        use_devices=f"hami.io/use-{chip.family}-uuid",
        further_annotations=(MODE,),
        avoid_devices=f"hami.io/no-use-{chip.family}-uuid",
    )


RESOURCES = tuple(_resources(chip) for chip in FAMILIES.values())

WORDS = ("huawei", "davinci", "libdcmi", "dcmi", "hccs", "vnpu", "libvnpu")
