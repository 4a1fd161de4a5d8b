"""The words of this vendor: resources and annotations that pods already use, places on the machine, and environment.

Source: Project-HAMi/HAMi v2.10 (pkg/device/hygon) for resources and annotations; hcu-container-toolkit v1.3.1 for
``HCU_VISIBLE_DEVICES``; dcu-vgpu-device-plugin for the places in a container.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest
from hetero.vendor import Resources

VENDOR = "hygon"


class DcuResources(Resources):
    """The usual rules, and one of the chip: a program that has several cards has them whole."""

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """What is wrong with amounts that are each well-formed.

        A part of the compute is never a whole card; whether so much memory is one hangs on the card, so splitting says.
        """
        yield from super().problems(ask, amounts, request)
        if ask.count > 1 and 0 < ask.cores < 100:
            yield InvalidValue(
                self.field(request, self.count),
                request.limits[self.count],
                f"cannot be had together with {self.cores}: a program sees one vDCU at most, and several cards only "
                "whole; ask for one, or leave the other amounts out",
            )


RESOURCES = DcuResources(
    vendor=VENDOR,
    count="hygon.com/dcunum",
    memory="hygon.com/dcumem",
    cores="hygon.com/dcucores",
    use_models="hygon.com/use-dcutype",
    avoid_models="hygon.com/nouse-dcutype",
    use_devices="hygon.com/use-gpuuuid",
    avoid_devices="hygon.com/nouse-gpuuuid",
)

WORDS = ("hygon", "hydmi", "libhydmi", "rocm_smi", "librocm_smi", "hyhal", "mkfd")

IDENTITY = "DCU-"
"""What stands before a card's serial number where a pod names the card, as today's plugin spells it."""

VISIBLE_TO_TOOLKIT = "HCU_VISIBLE_DEVICES"
"""``void`` keeps the vendor's own container runtime, where it is the default, from adding cards of its own choice."""

SHARED_NODES = ("/dev/kfd", "/dev/mkfd")
"""Device files that every program needs: of compute, and of the driver that keeps vDCUs to their limits."""

DRIVER_FILES = "/opt/hyhal"
"""The driver's libraries and tools, which programs find at the same place in their container."""

VDEVS = "/etc/vdev"
"""Where the driver describes each vDCU of the machine in a file of its own."""

VDEV_IN_CONTAINER = "/etc/vdev/docker"
"""Where a container's programs find the description of theirs, by which the driver knows their limits."""
