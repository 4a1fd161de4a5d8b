"""The rules that every vendor keeps, applied to this one."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import hetero_native
import pytest
from hetero_ascend import ascend
from hetero_ascend.chips import CHIPS, FAMILIES
from hetero_ascend.names import HARD, SOFT
from hetero_ascend.simulation import SimulatedNpus

from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.model.machine import Machine
from hetero.testing import VendorConformance

HOME = Path(tempfile.mkdtemp(prefix="hetero-ascend-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)


def simulated(name: str, *cards: str, faults: str = "", **driver: object) -> Mapping[str, str]:
    """A simulated machine, as environment variables."""
    directory = HOME / name
    directory.mkdir()
    npus = SimulatedNpus()
    checked = tuple(npus.card({"model": card}, f"cards[{index}]") for index, card in enumerate(cards))
    edits = npus.prepare(Machine(name=name, cards=checked, drivers={"ascend": driver}), directory)
    (directory / "faults").write_text(faults)
    return {**edits.env, "HETERO_DRIVER_PATH": ":".join(edits.library_path)}


NPUS = simulated("npus", "910B3", "910B3", "910B4-1")
SOFT_NPUS = simulated("soft", "910B3", "910B3", soft=True)
MISSING = {"HETERO_DRIVER_PATH": "", "HETERO_SIM_DCMI": ""}


class OnNpus(VendorConformance):
    """What the suite is told of both kinds of machine below."""

    vendor = ascend
    package = "hetero_ascend"
    models = (
        *(ascend.splitting.model(chip.products[0], chip.memory) for chip in CHIPS),
        ascend.splitting.model("910B1", 65536, "vir03"),
        ascend.splitting.model("310P3", 24576, SOFT),
        ascend.splitting.model("950PR", 114688),
    )

    def hardware(self) -> object:
        """The vNPUs that there are."""
        nodes = Path(self.surroundings["HETERO_HOST_ROOT_ASCEND"], "dev").glob("vdavinci*")
        return sorted(path.name for path in nodes)

    @contextmanager
    def illness(self) -> Iterator[None]:
        """One chip has an alarm."""
        path = Path(self.surroundings["HETERO_SIM_DCMI"], "cards.conf")
        well = path.read_text()
        try:
            _replace(path, well.replace("health = 0", "health = 3", 1))
            yield
        finally:
            _replace(path, well)

    def own_asks(self, model: DeviceModel) -> Iterator[Ask]:
        """Templates by name, and both ways of splitting."""
        for template in FAMILIES[model.family].templates:
            yield Ask(vendor="ascend", family=model.family, template=template.name, memory=template.memory)
        for mode in (SOFT, HARD):
            yield Ask(vendor="ascend", family=model.family, memory=1000, mode=mode)


class TestAscend(OnNpus):
    """NPUs of every kind; those that are there are split by templates."""

    surroundings = NPUS
    faults: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "missing": MISSING,
        "unloaded": {"HETERO_SIM_DCMI": str(HOME / "nowhere")},
        "old": simulated(
            "old",
            "910B3",
            faults="dcmi_get_card_list * fail -8255\ndcmi_get_device_die_v2 * fail -8255\n",
            create="old",
            version="21.0.2",
        ),
        "errors": simulated("errors", "910B3", faults="* * fail -8005\n"),
        "garbage": simulated("garbage", "910B3", "910B3", faults="* * garbage\n"),
        "hangs": simulated("hangs", "910B3", faults="dcmi_get_device_health * hang\n"),
    }


class TestAscendBySoftware(OnNpus):
    """The same where hami-vnpu-core is installed."""

    surroundings = SOFT_NPUS
    examples = 10
    faults: ClassVar[Mapping[str, Mapping[str, str]]] = {"missing": MISSING}


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def test_the_simulated_driver_is_the_one_that_was_built() -> None:
    """The classes above are about the library of hetero-native."""
    assert NPUS["HETERO_DRIVER_PATH"] == str(hetero_native.library("sim/dcmi"))
    assert (hetero_native.library("sim/dcmi") / "libdcmi.so").exists()


@pytest.mark.parametrize("family", [family.family for family in ascend.resources])
def test_each_kind_of_chip_is_a_family(family: str) -> None:
    """What pods ask for by name is what some model is of."""
    assert family in {model.family for model in OnNpus.models}
