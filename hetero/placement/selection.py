"""Whether a device is among those that an ask selects."""

from __future__ import annotations

from hetero.model.ask import Selection
from hetero.model.device import Device
from hetero.model.share import Reason


def mismatch(selection: Selection, device: Device) -> Reason | None:
    """Why a device is not among those selected; None when it is."""
    if device.uuid in selection.avoid_devices:
        return Reason.DEVICE_MISMATCH
    if selection.use_devices and device.uuid not in selection.use_devices:
        return Reason.DEVICE_MISMATCH
    model = device.model.name.lower()
    if _names(selection.avoid_models, model) or (selection.use_models and not _names(selection.use_models, model)):
        return Reason.MODEL_MISMATCH
    return None


def _names(words: tuple[str, ...], model: str) -> bool:
    return any(word.lower() in model for word in words)
