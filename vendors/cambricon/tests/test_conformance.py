"""The rules that every vendor keeps, applied to this one."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from hetero_cambricon import cambricon
from hetero_cambricon.cndev import Cndev
from hetero_cambricon.simulation import SimulatedMlus
from hetero_cambricon.smlu import instances, profiles

from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.model.machine import Machine
from hetero.testing import VendorConformance

MLUS = SimulatedMlus()
BASE = Path(tempfile.mkdtemp(prefix="hetero-cambricon-"))
atexit.register(shutil.rmtree, BASE, ignore_errors=True)
UUIDS = [f"1000101{number}-1916-0000-0000-000000000000" for number in range(4)]


def machine(name: str, *, faults: str = "", driver: Mapping[str, Any] | None = None) -> dict[str, str]:
    """A machine of this file alone, as environment: four cards in a ring, of which one is given whole only."""
    directory = BASE / name
    directory.mkdir()
    cards = tuple(
        MLUS.card(
            {
                "model": "MLU590-M9",
                "memory": 80675,
                "uuid": uuid,
                "links": {(index + 1) % 4: 1, (index - 1) % 4: 1},
                "smlu": index < 3,
            },
            f"cards[{index}]",
        )
        for index, uuid in enumerate(UUIDS)
    )
    edits = MLUS.prepare(Machine(name="conformance", cards=cards, drivers={"cambricon": dict(driver or {})}), directory)
    (directory / "faults").write_text(faults)
    return {**edits.env, "HETERO_DRIVER_PATH": edits.library_path[0]}


def unloadable() -> dict[str, str]:
    """A library that is none."""
    directory = BASE / "unloadable"
    directory.mkdir()
    (directory / "libcndev.so").write_text("not a library")
    return {"HETERO_DRIVER_PATH": str(directory)}


class TestCambricon(VendorConformance):
    """MLUs of every kind of set, whole, shared and statically partitioned."""

    vendor = cambricon
    package = "hetero_cambricon"
    models = (
        cambricon.splitting.model("MLU590-M9", 80675),
        cambricon.splitting.model("MLU590-M9", 80675, "whole"),
        cambricon.splitting.model("MLU590-M9", 80675, "mim"),
        cambricon.splitting.model("MLU370-X8", 24576),
        cambricon.splitting.model("MLU290-M5", 32768),
        cambricon.splitting.model("MLU270-S4", 16384),
    )
    surroundings = machine("sound")
    identities = tuple(f"MLU-{uuid}" for uuid in UUIDS)
    faults: ClassVar = {
        "missing": {"HETERO_DRIVER_PATH": str(BASE / "nowhere")},
        "unloadable": unloadable(),
        "unloaded": {"HETERO_SIM_CNDEV": str(BASE / "nowhere")},
        "old": machine("old", driver={"version": "5.9.0", "cndev": "3.0.0", "api": 5}),
        "too old": machine("too-old", faults="cndevInit * fail 2\n"),
        "newer": machine("newer", driver={"api": 9}),
        "errors": machine("errors", faults="* * fail 7\n"),
        "no permission": machine("no-permission", faults="* * fail 13\n"),
        "garbage": machine("garbage", faults="* * garbage\n"),
        "garbage of cards": machine("garbage-of-cards", faults="cndevGetMemoryUsageV2 * garbage\n"),
        "garbage of health": machine("garbage-of-health", faults="cndevGetCardHealthStateV2 * garbage\n"),
        "hangs": machine("hangs", faults="cndevGetDeviceCount * hang\n"),
    }

    def own_asks(self, model: DeviceModel) -> Iterator[Ask]:
        """Under the policies about sets, and with words that this chip does not have."""
        for policy in ("restricted", "guaranteed", "no such policy"):
            yield Ask(vendor=model.vendor, count=2, memory=1024, cores=10, sets=policy)
        yield Ask(vendor=model.vendor, template="no such template")
        yield Ask(vendor=model.vendor, mode="whole", cores=100)

    def hardware(self) -> object:
        """The slices and sizes of each card that is shared."""
        cndev = Cndev()
        return [(sorted(instances(cndev, card)), sorted(profiles(cndev, card))) for card in range(3)]

    @contextmanager
    def illness(self) -> Iterator[None]:
        """The second card fails its diagnosis for a while."""
        path = BASE / "sound/cards.conf"
        sound = path.read_text()
        parts = sound.split("[card]\n")
        parts[2] = parts[2].replace("health = ok", "health = fail:memory is worn out")
        _replace(path, "[card]\n".join(parts))
        try:
            yield
        finally:
            _replace(path, sound)


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
