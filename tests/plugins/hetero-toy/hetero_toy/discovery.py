"""Widgets from the JSON file that stands for a driver."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hetero.driver import within
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
        path = _file()
        try:
            return [_device(index, one) for index, one in enumerate(json.loads(path.read_text()))]
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise DriverFailed(f"reading {path}", 1, f"{type(error).__name__}: {error}") from error

    def sample(self) -> Sequence[Sample]:
        """Widgets do not tell what they are doing, only how they are."""
        return [Sample(uuid=one.uuid, memory_used=0, health=one.health) for one in self.devices()]


def _file() -> Path:
    path = Path(os.environ.get(VARIABLE) or "libtoy.json")
    if VARIABLE not in os.environ or not path.exists():
        raise DriverMissing(str(path), f"name a file of widgets in {VARIABLE}")
    return path


def _device(index: int, one: dict[str, Any]) -> Device:
    complaint = str(one.get("health", "ok"))
    if not str(one["uuid"]).replace("-", "").isalnum():
        raise ValueError(f"widget {index} is called {one['uuid']!r}")
    return Device(
        uuid=str(one["uuid"]),
        index=index,
        model=widget_model(MODEL, MEMORY_MIB),
        numa=within("widget.numa", "NUMA node", int(one.get("numa", -1)), -1, 63),
        health=Health() if complaint == "ok" else Health(ok=False, reason=complaint),
    )
