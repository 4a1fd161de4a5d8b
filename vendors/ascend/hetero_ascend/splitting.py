"""How much of an NPU an ask takes: a template of the hardware, a share by software, or the whole chip. Pure.

A template takes what it has, whatever of it was asked: memory, AI cores, AI CPUs, units for pictures and video, and
its number. All of it is charged, so that what the driver would refuse is refused by the planner already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hetero.errors import InvalidValue
from hetero.model.allocation import Grant
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.vendor import Splitting
from hetero_ascend import foreign, rings
from hetero_ascend.chips import PRODUCTS, Chip, Template, chip_of
from hetero_ascend.names import HARD, SOFT, VENDOR, VIR03

AICORES = "aicores"
AICPUS = "aicpus"
DVPP = "dvpp"  # percent

SOFT_SLOTS = 10
"""Programs on a chip that is shared by software, as other chips have it in existing clusters."""


def npu_model(chip: Chip, product: str, memory: int, mode: str = "") -> DeviceModel:
    """The model of a chip.

    Args:
        chip: What it is.
        product: As the driver spells it.
        memory: MiB as the driver counts them.
        mode: Empty, :data:`~hetero_ascend.names.VIR03` or :data:`~hetero_ascend.names.SOFT`.
    """
    # Drivers tell either of the two sizes, and mean the same chip.
    if chip.allocatable <= memory <= chip.memory:
        memory = chip.allocatable if mode == SOFT else chip.memory
    capacity = {SLOTS: 1, MEMORY: memory, CORES: 100}
    if mode == SOFT:
        capacity[SLOTS] = SOFT_SLOTS
    elif chip.templates:
        capacity |= {AICORES: chip.aicores, AICPUS: chip.aicpus, DVPP: 100}
        smallest = min(one.memory for one in chip.templates if mode == VIR03 or not one.gated)
        capacity[SLOTS] = min(max(min(memory, chip.allocatable) // smallest, 1), chip.vdevices)
    return DeviceModel(vendor=VENDOR, name=product, capacity=capacity, family=chip.family, mode=mode)


class NpuSplitting(Splitting):
    """The Ascend vendor's allocator."""

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Describe an NPU by the name of its chip; ``mode`` is empty, ``hami-core``, or ``vir03`` on some 910B."""
        chip = chip_of(name)
        if chip is None:
            raise InvalidValue("model", name, f"is no chip that is known; write one of {', '.join(PRODUCTS)}")
        if memory <= 0:
            raise InvalidValue("memory", memory, "is no size; write MiB, such as 65536")
        modes = _modes(chip)
        if mode not in modes:
            words = " or ".join(filter(None, modes))
            raise InvalidValue(
                "mode", mode, f"is no mode of {name}; leave it out" + (f" or write {words}" if words else "")
            )
        return npu_model(chip, name, memory, mode)

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The template of the size, the amounts themselves by software, or the whole chip."""
        chip = chip_of(model.name)
        total = model.capacity[MEMORY]
        if chip is None:
            return _refused(Reason.UNSUPPORTED, f"{model.name} is a chip that this release does not know")
        if ask.memory_on(total) > total:
            return _refused(
                Reason.INSUFFICIENT_MEMORY, f"{model.name} has {total} MiB of memory, asked {ask.memory_on(total)} MiB"
            )
        if ask.mode not in _served(model):
            return self._of_another_mode(model, chip, ask)
        if ask.template:
            return _named(model, chip, ask)
        if model.mode == SOFT and not ask.exclusive:
            return _counted(model, ask, _soft(model, ask))
        return _by_size(model, chip, ask)

    def sets(self, devices: Sequence[Device], ask: Ask) -> rings.Sets | None:
        """Rings, boxes and modules, as the board has them."""
        return rings.sets(devices, ask)

    def annotations(self, containers: Mapping[str, Sequence[Grant]]) -> Mapping[str, str]:
        """What Project-HAMi's device plugin reads."""
        return foreign.told(containers)

    def _of_another_mode(self, model: DeviceModel, chip: Chip, ask: Ask) -> Share | Refusal:
        whole = ask.mode == HARD and not ask.template and _template(model, chip, ask) is None
        if model.mode == SOFT and whole:
            return _counted(model, ask, _whole(model))
        kept = "software" if model.mode == SOFT else "templates of the hardware"
        return _refused(Reason.UNSUPPORTED, f"{model.name} is split by {kept} on this node, asked {ask.mode}")


def _modes(chip: Chip) -> tuple[str, ...]:
    gated = (VIR03,) if any(one.gated for one in chip.templates) else ()
    return ("", SOFT, *gated) if chip.templates else ("",)


def _served(model: DeviceModel) -> tuple[str, ...]:
    """Words by which an ask may call the mode of the model."""
    return ("", SOFT) if model.mode == SOFT else ("", HARD, model.mode)


def _refused(reason: Reason, message: str) -> Refusal:
    return Refusal(reason=reason, message=message)


def _by_size(model: DeviceModel, chip: Chip, ask: Ask) -> Share | Refusal:
    template = _template(model, chip, ask)
    return _counted(model, ask, _whole(model) if template is None else _of(chip, template))


def _template(model: DeviceModel, chip: Chip, ask: Ask) -> Template | None:
    """The smallest that has what is asked; None when only the whole chip has."""
    if ask.exclusive:
        return None
    memory = ask.memory_on(model.capacity[MEMORY])
    for one in _offered(model, chip):
        if one.plain and one.memory >= memory and one.aicores * 100 >= ask.cores * chip.aicores:
            return one
    return None


def _offered(model: DeviceModel, chip: Chip) -> Iterator[Template]:
    """The templates that a chip's driver has, and that the chip has room for."""
    limit = model.capacity[MEMORY]
    return (one for one in chip.templates if one.memory <= limit and (not one.gated or model.mode == VIR03))


def _named(model: DeviceModel, chip: Chip, ask: Ask) -> Share | Refusal:
    """The template that is asked by name, if it has all else that is asked."""
    template = next((one for one in _offered(model, chip) if one.name == ask.template), None)
    if template is None or model.mode == SOFT:
        return _refused(Reason.UNSUPPORTED, f"{model.name} has no template {ask.template} on this node")
    share = _of(chip, template)
    if ask.cores > share.cores:
        return _refused(
            Reason.INSUFFICIENT_CORES, f"{ask.template} has {share.cores} percent of {model.name}, asked {ask.cores}"
        )
    sized = ask.memory is not None or ask.memory_percentage is not None
    if sized and ask.memory_on(model.capacity[MEMORY]) > template.memory:
        return _refused(
            Reason.INSUFFICIENT_MEMORY, f"{ask.template} has {template.memory} MiB, which is less than asked"
        )
    return _counted(model, ask, share)


def _of(chip: Chip, template: Template) -> Share:
    return Share(
        quantities={
            SLOTS: 1,
            # Rounded down, or all templates that fit a chip would come to more than 100.
            CORES: template.aicores * 100 // chip.aicores,
            AICORES: template.aicores,
            AICPUS: template.aicpus,
            DVPP: template.dvpp,
            MEMORY: template.memory,
        },
        template=template.name,
    )


def _soft(model: DeviceModel, ask: Ask) -> Share:
    memory = ask.memory_on(model.capacity[MEMORY])
    return Share(quantities={SLOTS: 1, CORES: ask.cores, MEMORY: memory})


def _whole(model: DeviceModel) -> Share:
    return Share(quantities=dict(model.capacity))


def is_whole(model: DeviceModel, share: Share) -> bool:
    """True when a share is the chip itself: nobody comes beside it."""
    return share.quantities.get(SLOTS, 0) >= model.capacity[SLOTS]


def _counted(model: DeviceModel, ask: Ask, share: Share) -> Share | Refusal:
    """The share, if so many of it may be had."""
    if share.template and ask.count > 1:
        return _refused(
            Reason.UNSUPPORTED,
            f"a container gets one vNPU of {model.name}, asked {ask.count}; name no memory to get whole NPUs",
        )
    single = ask.count == 1 and not is_whole(model, share)
    complaint = "" if single else rings.complaint(model.family, ask.count)
    return _refused(Reason.TOPOLOGY, f"{ask.count} {complaint}") if complaint else share
