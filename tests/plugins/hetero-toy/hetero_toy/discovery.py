"""Widgets from the JSON file that stands for a driver."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hetero.errors import DriverFailed, DriverMissing
from hetero.model.device import Device, Health, Sample
from hetero.vendor import Discovery, Driver
from hetero_toy.splitting import MEMORY_MIB, MODEL, widget_model

VARIABLE = "TOY_DEVICES"


class JsonDiscovery(Discovery):
    """Reads the file each time: a driver's answers change, too."""

    def driver(self) -> Driver:
        """The file in the role of the driver's library."""
        self.devices()
        return Driver(version="1.0", library=os.environ[VARIABLE])

    def devices(self) -> Sequence[Device]:
        """The widgets of the file, in its order."""
        return [_device(index, one) for index, one in enumerate(_read())]

    def sample(self) -> Sequence[Sample]:
        """Widgets do not tell what they are doing, only how they are."""
        return [Sample(uuid=one.uuid, memory_used=0, health=one.health) for one in self.devices()]


def _read() -> list[dict[str, Any]]:
    path = os.environ.get(VARIABLE)
    if not path or not Path(path).exists():
        raise DriverMissing(path or "libtoy.json", f"name a file of widgets in {VARIABLE}")
    try:
        return list(json.loads(Path(path).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise DriverFailed("read", 1, str(error)) from error


def _device(index: int, one: dict[str, Any]) -> Device:
    complaint = str(one.get("health", "ok"))
    return Device(
        uuid=str(one["uuid"]),
        index=index,
        model=widget_model(MODEL, MEMORY_MIB),
        numa=int(one.get("numa", -1)),
        health=Health() if complaint == "ok" else Health(ok=False, reason=complaint),
    )
