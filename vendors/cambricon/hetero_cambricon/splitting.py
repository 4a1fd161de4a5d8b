"""How an MLU is shared: memory in units of 256 MiB, compute in percent, both kept by the driver. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hetero.errors import InvalidValue
from hetero.model.allocation import Grant
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.vendor import Splitting
from hetero_cambricon.names import ASSIGNED, PROFILE, UNIT, VENDOR
from hetero_cambricon.sets import preferred, ruled

SLOTS_PER_CARD = 100
"""Slices of one card: each has at least one percent of its compute."""

SHARED = ""
"""The mode of a card that gives dynamic slices (sMLU on)."""

WHOLE = "whole"
"""The mode of a card that is given whole (sMLU off, or not to be had)."""

STATIC = "mim"
"""The mode of a card that is partitioned statically."""

UNKNOWN = "unknown"
"""The mode of a card that has told its identity and nothing else."""

WITHOUT_SLICES = ("MLU100", "MLU220", "MLU270")
"""Beginnings of products that cannot be split. Source: models in cambricon-k8s-device-plugin's documentation."""

_MODES = (SHARED, WHOLE, STATIC)
_CLOSED = {
    STATIC: "is partitioned by MIM, whose instances this release cannot give",
    UNKNOWN: "is not described by the driver; look at hetero doctor",
}


def mlu_model(name: str, memory: int, mode: str = SHARED) -> DeviceModel:
    """The model of an MLU with ``memory`` MiB."""
    return DeviceModel(
        vendor=VENDOR, name=name, capacity={SLOTS: SLOTS_PER_CARD, MEMORY: memory, CORES: 100}, mode=mode
    )


def undescribed() -> DeviceModel:
    """The model of a card that the driver could not describe; nothing of it can be given."""
    return DeviceModel(vendor=VENDOR, name="MLU", capacity={SLOTS: SLOTS_PER_CARD}, mode=UNKNOWN)


class MluSplitting(Splitting):
    """The Cambricon vendor's allocator."""

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Describe an MLU by its product name; ``mode`` is empty (sMLU is on), ``whole`` or ``mim``."""
        if not name.strip():
            raise InvalidValue("model", name, "is empty; write the product, such as 'MLU590-M9'")
        if memory <= 0:
            raise InvalidValue("memory", memory, "is no size; write MiB, such as 80675")
        if mode not in _MODES:
            raise InvalidValue("mode", mode, f"is no mode of an MLU; leave it out or write {WHOLE} or {STATIC}")
        return mlu_model(name, memory, WHOLE if mode == SHARED and name.startswith(WITHOUT_SLICES) else mode)

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The memory asked, in whole units, in one slot; all slots when the card is taken whole."""
        if ask.mode not in ("", model.mode) or ask.template:
            return _unsupported(model, f"has no {ask.template or ask.mode}; leave that out")
        if model.mode in _CLOSED:
            return _unsupported(model, _CLOSED[model.mode])
        total = model.capacity[MEMORY]
        memory = ask.memory_on(total)
        if memory > total:
            message = f"{model.name} has {total} MiB of memory, asked {memory} MiB"
            return Refusal(reason=Reason.INSUFFICIENT_MEMORY, message=message)
        if model.mode == WHOLE:
            return _whole(model, ask)
        rounded = min(-(-memory // UNIT) * UNIT, total)
        slots = SLOTS_PER_CARD if ask.exclusive else 1
        return Share(quantities={SLOTS: slots, MEMORY: rounded, CORES: ask.cores or _quota(rounded, total)})

    def sets(self, devices: Sequence[Device], ask: Ask) -> Iterable[tuple[Device, ...]] | None:
        """Rings alone, where the pod's policy asks for them."""
        return ruled(devices, ask.count, ask.sets) if ask.sets else None

    def combinations(self, devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
        """Rings of MLULink and whole boards first."""
        return preferred(devices, count)

    def annotations(self, containers: Mapping[str, Sequence[Grant]]) -> Mapping[str, str]:
        """What the vendor's plugin reads with ``--mode=dynamic-smlu``: the first slice, which is all that it can give.

        It takes a pod with one slice only, so no more than that is lost here.
        """
        slices = [one for grants in containers.values() for one in grants if one.device.model.mode == SHARED]
        if not slices:
            return {}
        first = slices[0]
        units = max(1, first.share.memory // UNIT)
        profile = f"{first.device.index}_{first.share.cores}_{units}"
        return {PROFILE: profile, **dict.fromkeys(ASSIGNED, "false")}


def _quota(memory: int, total: int) -> int:
    """Percent of compute for a slice that asks for none: the driver wants some, so as much as of the memory.

    Rounded down, so that slices which fill the memory do not run out of compute before.
    """
    return max(1, 100 * memory // total)


def _whole(model: DeviceModel, ask: Ask) -> Share | Refusal:
    if not ask.exclusive:
        advice = (
            "cannot be split"
            if model.name.startswith(WITHOUT_SLICES)
            else "is not in sMLU mode and is given whole only: ask for all of it, or have an administrator turn the "
            "mode on (cnmon set -c N -smlu on; driver 5.10.27 or newer)"
        )
        return _unsupported(model, advice)
    return Share(quantities=dict(model.capacity))


def _unsupported(model: DeviceModel, why: str) -> Refusal:
    return Refusal(reason=Reason.UNSUPPORTED, message=f"{model.name} {why}")
