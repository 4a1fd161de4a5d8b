"""Whether a device is among those that an ask selects."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hetero.model.ask import Selection
from hetero.model.device import Device
from hetero.model.share import Reason


def wanted(selection: Selection, models: Collection[str]) -> frozenset[str]:
    """Which models may serve, among all that there are.

    A word that is a model's whole name, in any case, means that model alone and none whose longer name contains it; any
    other word means all models whose name contains it, in any case. What is both wanted and avoided is avoided.

    Args:
        selection: Of the ask.
        models: The names of all models that the cluster has of the ask's vendor: the answer hangs on all of them.
    """
    avoided = _named(selection.avoid_models, models)
    used = _named(selection.use_models, models) if selection.use_models else frozenset(models)
    return used - avoided


def mismatch(selection: Selection, device: Device, models: Collection[str] | None = None) -> Reason | None:
    """Why a device is not among those selected; None when it is.

    Args:
        selection: Of the ask.
        device: The device.
        models: What :func:`wanted` said; by default as though the device's model were the only one.
    """
    if device.uuid in selection.avoid_devices:
        return Reason.DEVICE_MISMATCH
    if selection.use_devices and device.uuid not in selection.use_devices:
        return Reason.DEVICE_MISMATCH
    name = device.model.name
    return None if name in (wanted(selection, (name,)) if models is None else models) else Reason.MODEL_MISMATCH


def _named(words: Iterable[str], models: Collection[str]) -> frozenset[str]:
    """The models that any of the words means."""
    spelt = {name: name.lower() for name in models}
    found: set[str] = set()
    for word in map(str.lower, words):
        whole = {name for name, lower in spelt.items() if lower == word}
        found |= whole or {name for name, lower in spelt.items() if word in lower}
    return frozenset(found)
