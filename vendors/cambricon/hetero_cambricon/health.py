"""Whether a card may be given to a program: what the driver says of it now. One that recovers is given again."""

from __future__ import annotations

from hetero.driver import printable, within
from hetero.model.device import Health
from hetero_cambricon import structs
from hetero_cambricon.cndev import Cndev

RUNNING = 4
PROHIBITED = 2
FAILED = 20

# cndevDriverHealthStateEnum_t
_STATES = (
    "early initialised",
    "being brought up",
    "booting",
    "late in starting",
    "running",
    "failed to boot",
    "being reset",
    "failed to reset",
    "in an unknown state",
)


def health(cndev: Cndev, handle: int) -> Health:
    """The health of one card, as of now.

    Raises:
        DriverFailed: The driver cannot be asked about it.
    """
    reason = _diagnosed(cndev, handle) or _forbidden(cndev, handle)
    return Health(ok=not reason, reason=reason)


def _diagnosed(cndev: Cndev, handle: int) -> str:
    """By the second version of the question where the library has it: that one tells causes."""
    full = cndev.told("cndevGetCardHealthStateV2", structs.CardHealthStateV2, handle)
    if full is not None:
        within("cndevGetCardHealthStateV2", "incidents", full.incident_count, 0, 64)
        return _state("cndevGetCardHealthStateV2", full.driverState) or _incidents(full)
    plain = cndev.filled("cndevGetCardHealthState", structs.CardHealthState, handle)
    return _state("cndevGetCardHealthState", plain.driverState) or _device(plain.deviceState)


def _state(call: str, state: int) -> str:
    within(call, "state of the driver", state, 0, len(_STATES) - 1)
    return "" if state == RUNNING else f"the driver is {_STATES[state]}"


def _device(state: int) -> str:
    return "" if state else "the driver reports a problem"


def _incidents(full: structs.CardHealthStateV2) -> str:
    if full.deviceState and full.overallHealth < FAILED:
        return ""
    call = "cndevGetCardHealthStateV2"
    failed = [one for one in full.incidents[: full.incident_count] if one.health >= FAILED]
    told = [printable(call, "the reason of a problem", one.error.msg) for one in failed]
    return "; ".join(filter(None, told)) or _device(0)


def _forbidden(cndev: Cndev, handle: int) -> str:
    told = cndev.told("cndevGetComputeMode", structs.ComputeMode, handle)
    mode = 0 if told is None else within("cndevGetComputeMode", "the mode", told.mode, 0, PROHIBITED)
    return "its compute mode is prohibited" if mode == PROHIBITED else ""
