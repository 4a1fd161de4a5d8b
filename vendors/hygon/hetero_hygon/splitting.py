"""How a DCU is shared: memory to the MiB, compute by whole units, four vDCUs at most, one for each program. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.vendor import Splitting
from hetero_hygon import cumask
from hetero_hygon.models import COMPUTE_UNITS
from hetero_hygon.names import VENDOR
from hetero_hygon.sets import best_first

VDCUS_PER_CARD = 4
"""Source: ``dmiGetMaxVDeviceCount`` of libhydmi 1.5."""

UNITS = "compute-units"
"""The dimension of compute units: what a percentage comes to, rounded up, so that no part of a unit is lost."""

WHOLE = "whole"
"""The mode of a card that cannot be split, e.g. as the driver's library for that is not there."""


def dcu_model(name: str, memory: int, units: int) -> DeviceModel:
    """The model of a card with ``memory`` MiB and ``units`` compute units that can be split."""
    capacity = {SLOTS: VDCUS_PER_CARD, MEMORY: memory, CORES: 100, UNITS: units}
    return DeviceModel(vendor=VENDOR, name=name, capacity=capacity)


def whole_model(name: str, memory: int) -> DeviceModel:
    """The model of a card that is given only whole."""
    return DeviceModel(vendor=VENDOR, name=name, capacity={SLOTS: 1, MEMORY: memory, CORES: 100}, mode=WHOLE)


def is_whole(model: DeviceModel, share: Share) -> bool:
    """True when a share is all that the card has: then there is nothing to be kept from, and no vDCU is made."""
    return share.quantities == model.capacity


class DcuSplitting(Splitting):
    """The Hygon vendor's allocator."""

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Describe a card by its product name; ``mode`` is empty or ``whole``."""
        if memory <= 0:
            raise InvalidValue("memory", memory, "is no size; write MiB, such as 65520")
        if mode not in ("", WHOLE):
            raise InvalidValue("mode", mode, f"is no mode of a DCU; leave it out or write {WHOLE}")
        if not name.strip():
            raise InvalidValue("model", name, "is empty; write the product, such as K100_AI")
        if mode == WHOLE:
            return whole_model(name, memory)
        if name not in COMPUTE_UNITS:
            known = ", ".join(COMPUTE_UNITS)
            raise InvalidValue(
                "model",
                name,
                f"is no product whose compute units are documented (those are {known}); "
                f"write one of them, or describe the card with mode {WHOLE}",
            )
        return dcu_model(name, memory, COMPUTE_UNITS[name])

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """A vDCU of so much memory and so many units, or the whole card.

        An ask that names no compute is given all of it, as existing clusters have it, since units cannot be shared; one
        that names no memory is given all of that.
        """
        if ask.template or (ask.mode and ask.mode != model.mode):
            return Refusal(reason=Reason.UNSUPPORTED, message=_unknown(model, ask))
        total = model.capacity[MEMORY]
        memory = ask.memory_on(total)
        if memory > total:
            return Refusal(
                reason=Reason.INSUFFICIENT_MEMORY, message=f"{model.name} has {total} MiB of memory, asked {memory} MiB"
            )
        whole = memory == total and ask.cores in (0, 100)
        if whole:
            return Share(quantities=dict(model.capacity))
        if model.mode == WHOLE or ask.count > 1:
            return Refusal(reason=Reason.UNSUPPORTED, message=_only_whole(model, ask, memory))
        return Share(quantities=_vdcu(model, memory, ask.cores or 100))

    def combinations(self, devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
        """Sets that are linked best, then those on one NUMA node."""
        return best_first(devices, count)


def _vdcu(model: DeviceModel, memory: int, cores: int) -> dict[str, int]:
    slots = VDCUS_PER_CARD if cores == 100 else 1
    units = cumask.units_of(cores, model.capacity[UNITS])
    return {SLOTS: slots, MEMORY: memory, CORES: cores, UNITS: units}


def _unknown(model: DeviceModel, ask: Ask) -> str:
    if ask.template:
        return f"{model.name} has no templates, asked {ask.template}; ask for memory and compute"
    return f"{model.name} is not split as {ask.mode}"


def _only_whole(model: DeviceModel, ask: Ask, memory: int) -> str:
    asked = f"asked {memory} MiB and {ask.cores or 100} % of the compute"
    if model.mode == WHOLE:
        return f"{model.name} can only be had whole here, as the driver cannot make vDCUs, {asked}"
    return (
        f"a program sees one vDCU at most, so {ask.count} cards can only be had whole "
        f"({model.name}: {model.capacity[MEMORY]} MiB), {asked} of each; ask for one card, or for whole ones"
    )
