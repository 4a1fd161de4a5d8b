"""How a widget is split: four programs, memory in steps of 256 MiB, compute to the percent. Pure."""

from __future__ import annotations

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.vendor import Splitting

MODEL = "Toy W1"
MEMORY_MIB = 4096
STEP_MIB = 256
PROGRAMS = 4


def widget_model(name: str, memory: int) -> DeviceModel:
    """A widget with ``memory`` MiB."""
    return DeviceModel(vendor="toy", name=name, capacity={SLOTS: PROGRAMS, MEMORY: memory, CORES: 100})


class WidgetSplitting(Splitting):
    """The allocator."""

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """There is one product, which may be built with any number of memory steps."""
        if name != MODEL:
            raise InvalidValue("model", name, f"is no widget; write {MODEL}")
        if memory <= 0 or memory % STEP_MIB:
            raise InvalidValue("memory", memory, f"is no widget's memory; write a multiple of {STEP_MIB} MiB")
        if mode:
            raise InvalidValue("mode", mode, "is no mode of a widget; leave it out")
        return widget_model(name, memory)

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """Memory rounded up to steps, since a widget can give no less; all of it is charged."""
        total = model.capacity[MEMORY]
        memory = -(-ask.memory_on(total) // STEP_MIB) * STEP_MIB
        if memory > total:
            return Refusal(reason=Reason.INSUFFICIENT_MEMORY, message=f"a widget has {total} MiB, asked {memory} MiB")
        slots = PROGRAMS if ask.exclusive else 1
        return Share(quantities={SLOTS: slots, MEMORY: memory, CORES: ask.cores})
