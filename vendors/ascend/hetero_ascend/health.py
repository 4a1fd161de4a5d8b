"""Whether a chip may be given to a program, by what its driver says of it at the moment.

It is asked each time, so a chip that has recovered is well again without anybody's doing.
"""

from __future__ import annotations

import ctypes

from hetero.model.device import Health
from hetero_ascend.dcmi import Address, Dcmi

# Source: dcmi_get_device_health. A warning forbids nothing.
_WORDS = {2: "major alarm", 3: "critical alarm", 0xFFFFFFFF: "the chip is not there"}
_WELL = (0, 1)

_SHOWN = 4


def health_of(dcmi: Dcmi, chip: Address) -> Health:
    """The health of one chip.

    Raises:
        DriverFailed: The driver cannot be asked about this chip.
    """
    state = dcmi.number("health", chip, ctypes.c_uint)
    if state is None or state in _WELL:
        return Health()
    word = _WORDS.get(state, f"unknown state {state}")
    codes = ", ".join(f"0x{code:08X}" for code in sorted(set(dcmi.errors(chip)))[:_SHOWN])
    return Health(ok=False, reason=f"{word}: {codes}" if codes else word)
