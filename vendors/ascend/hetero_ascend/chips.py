"""The chips of this vendor: what each has, and the templates by which its driver splits it.

Sources: Project-HAMi/HAMi v2.10, charts/hami, device configuration, for memory, AI cores, AI CPUs and the templates
that are chosen by size; Huawei mind-cluster, ascend-for-volcano, its table of vNPU templates, for the AI cores, AI CPUs
and DVPP of all of them. Chips are told apart by the name that the driver gives them, compared exactly: ``910B4-1`` is
not ``910B4``.
"""

from __future__ import annotations

import re

import msgspec


class Template(msgspec.Struct, frozen=True):
    """A way in which a driver splits its chip.

    Attributes:
        name: In the driver's spelling.
        memory: MiB.
        aicores: AI cores.
        aicpus: AI CPUs.
        dvpp: Percent of the chip's units for pictures and video (DVPP).
        plain: True when it is chosen for an ask of its size; the others are had by their names alone.
        gated: True when not every driver of the chip has it.
    """

    name: str
    memory: int
    aicores: int
    aicpus: int
    dvpp: int
    plain: bool = True
    gated: bool = False


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of a kind of chip.

    Attributes:
        family: Common word of the family, which names its resources.
        products: Names that the driver gives to such chips.
        memory: MiB on the chip (on each die, where there are two).
        allocatable: MiB that programs can have, where that is less; templates are cut from all of it.
        aicores: AI cores.
        aicpus: AI CPUs.
        templates: By size.
        vdevices: vNPUs that the driver numbers on one chip.
        hbm: True when its memory is asked about by the call for HBM, else by that for DDR.
    """

    family: str
    products: tuple[str, ...]
    memory: int
    allocatable: int
    aicores: int
    aicpus: int
    templates: tuple[Template, ...] = ()
    vdevices: int = 16
    hbm: bool = True

    def template(self, name: str) -> Template | None:
        """The template of that name."""
        return next((one for one in self.templates if one.name == name), None)

    @property
    def largest(self) -> int:
        """MiB of the largest template; an ask for more takes the chip whole."""
        return max((one.memory for one in self.templates), default=0)


CHIPS = (
    Chip(
        family="Ascend910A",
        products=("910A",),
        memory=32768,
        allocatable=32768,
        aicores=30,
        aicpus=14,
        templates=(
            Template("vir02", 2184, 2, 1, 6),
            Template("vir04", 4369, 4, 1, 13),
            Template("vir08", 8738, 8, 3, 26),
            Template("vir16", 17476, 16, 7, 53),
        ),
    ),
    Chip(
        family="Ascend910B2",
        products=("910B2", "910B1", "910B2C"),
        memory=65536,
        allocatable=65536,
        aicores=24,
        aicpus=6,
        templates=(
            # In mind-cluster's table, and not in the vendor's current documentation of these chips.
            Template("vir03_1c_8g", 8192, 3, 1, 12, gated=True),
            Template("vir06_1c_16g", 16384, 6, 1, 25),
            Template("vir12_3c_32g", 32768, 12, 3, 50),
        ),
    ),
    Chip(
        family="Ascend910B3",
        products=("910B3",),
        memory=65536,
        allocatable=65536,
        aicores=20,
        aicpus=7,
        templates=(Template("vir05_1c_16g", 16384, 5, 1, 25), Template("vir10_3c_32g", 32768, 10, 3, 50)),
    ),
    Chip(
        family="Ascend910B4",
        products=("910B4",),
        memory=32768,
        allocatable=32768,
        aicores=20,
        aicpus=7,
        templates=(
            Template("vir05_1c_8g", 8192, 5, 1, 25),
            Template("vir10_3c_16g", 16384, 10, 3, 50),
            Template("vir10_3c_16g_nm", 16384, 10, 3, 0, plain=False),
            Template("vir10_4c_16g_m", 16384, 10, 4, 100, plain=False),
        ),
    ),
    Chip(
        family="Ascend910B4-1",
        products=("910B4-1",),
        memory=65536,
        allocatable=65536,
        aicores=20,
        aicpus=7,
        templates=(Template("vir05_1c_16g", 16384, 5, 1, 25), Template("vir10_3c_32g", 32768, 10, 3, 50)),
    ),
    Chip(
        family="Ascend910C",
        products=("Ascend910",),  # one die; a module has two
        memory=65536,
        allocatable=65536,
        aicores=20,
        aicpus=7,
        templates=(Template("vir05_1c_16g", 16384, 5, 1, 25), Template("vir10_3c_32g", 32768, 10, 3, 50)),
    ),
    Chip(
        family="Ascend310P",
        products=("310P3",),
        memory=24576,
        allocatable=21527,
        aicores=8,
        aicpus=7,
        templates=(
            Template("vir01", 3072, 1, 1, 12),
            Template("vir02", 6144, 2, 2, 25),
            Template("vir04", 12288, 4, 4, 50),
            # mind-cluster's table has no memory for these: taken to be that of as many AI cores.
            Template("vir02_1c", 6144, 2, 1, 25, plain=False),
            Template("vir04_3c", 12288, 4, 3, 50, plain=False),
            Template("vir04_3c_ndvpp", 12288, 4, 3, 0, plain=False),
            Template("vir04_4c_dvpp", 12288, 4, 4, 100, plain=False),
        ),
        vdevices=8,
        hbm=False,
    ),
)

NEWEST = Chip(family="Ascend950", products=("950",), memory=0, allocatable=0, aicores=0, aicpus=0)
"""Chips of the newer family of calls, which makes no vNPU; their size is what the driver says.

No source tells all names that the driver gives them: those that begin with the number count.
"""

FAMILIES = {chip.family: chip for chip in (*CHIPS, NEWEST)}
"""Common word to chip."""

PRODUCTS = {product: chip for chip in CHIPS for product in chip.products}
"""What the driver calls a chip, to the chip."""

_NEWEST = re.compile(r"(Ascend)?950[A-Za-z0-9_-]*")


def chip_of(product: str) -> Chip | None:
    """The chip of that name; None when there is no such chip in the tables.

    Args:
        product: As the driver spells it.
    """
    return PRODUCTS.get(product) or (NEWEST if _NEWEST.fullmatch(product) else None)
