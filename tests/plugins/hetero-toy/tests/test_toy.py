"""The toy vendor against the suite that every vendor passes, and its own rules."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import hetero_toy
import msgspec
import pytest

from hetero.errors import DriverFailed, DriverMissing, InvalidValue
from hetero.model.allocation import Grant, Slice
from hetero.model.ask import Ask
from hetero.model.share import Share
from hetero.testing import VendorConformance, fake_device

MACHINE = Path(tempfile.mkdtemp(prefix="toy-"))
WIDGETS = MACHINE / "widgets.json"


def machine() -> dict[str, str]:
    """A file of widgets to write to, and what else may be found in its place, for this process's time."""
    atexit.register(shutil.rmtree, MACHINE)
    shutil.copy(Path(__file__).with_name("widgets.json"), WIDGETS)
    (MACHINE / "cut").write_text(WIDGETS.read_text()[:-9])
    (MACHINE / "old").write_text('{"widgets": []}')
    (MACHINE / "garbage").write_text(json.dumps([{"uuid": "\x01\ufffd", "numa": -7, "health": 7}]))
    os.mkfifo(MACHINE / "hangs")  # whoever reads it waits for a writer
    return {"TOY_DEVICES": str(WIDGETS)}


def in_place_of_the_file(*names: str) -> dict[str, dict[str, str]]:
    """Something else for each name."""
    return {name: {"TOY_DEVICES": str(MACHINE / name)} for name in names}


class TestToy(VendorConformance):
    """All of the interface's rules."""

    vendor = hetero_toy.toy
    package = "hetero_toy"
    models = (hetero_toy.toy.splitting.model("Toy W1", 4096),)
    surroundings: ClassVar = machine()
    identities = tuple(one["uuid"] for one in json.loads(WIDGETS.read_text()))
    faults: ClassVar = in_place_of_the_file("missing", "cut", "old", "garbage", "hangs")

    @contextlib.contextmanager
    def illness(self) -> Iterator[None]:
        """The first widget has enough."""
        before = WIDGETS.read_text()
        widgets = json.loads(before)
        WIDGETS.write_text(json.dumps([{**widgets[0], "health": "worn out"}, *widgets[1:]]))
        yield
        WIDGETS.write_text(before)


def test_memory_is_rounded_up_to_steps() -> None:
    """1 MiB costs a step of 256, and that is what is charged."""
    answer = hetero_toy.toy.splitting.split(TestToy.models[0], Ask(vendor="toy", memory=1))
    assert isinstance(answer, Share)
    assert answer.memory == 256


def test_devices_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identity, NUMA node and health come from the driver's stand-in."""
    file = tmp_path / "widgets.json"
    file.write_text(json.dumps([{"uuid": "w-1", "numa": 1}, {"uuid": "w-2", "health": "overheated"}]))
    monkeypatch.setenv("TOY_DEVICES", str(file))
    first, second = hetero_toy.toy.discovery.devices()
    assert (first.uuid, first.numa, first.health.ok) == ("w-1", 1, True)
    assert (second.index, second.health.reason) == (1, "overheated")


def test_a_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable there is no driver, which is no failure."""
    monkeypatch.delenv("TOY_DEVICES", raising=False)
    with pytest.raises(DriverMissing, match="TOY_DEVICES"):
        hetero_toy.toy.discovery.devices()


@pytest.mark.parametrize(
    "text",
    ["{", "7", "[7]", '[{"numa": 0}]', '[{"uuid": "w-1", "numa": "left"}]'],
    ids=["no JSON", "no list", "no widget", "no identity", "no number"],
)
def test_a_broken_driver_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A file that cannot be understood is a failure of the driver, which is named."""
    (tmp_path / "widgets.json").write_text(text)
    monkeypatch.setenv("TOY_DEVICES", str(tmp_path / "widgets.json"))
    with pytest.raises(DriverFailed, match=r"widgets\.json answered 1"):
        hetero_toy.toy.discovery.devices()


@pytest.mark.parametrize("memory", [100, 4097, 0])
def test_widgets_are_built_of_steps(memory: int) -> None:
    """A widget with half a step does not exist."""
    with pytest.raises(InvalidValue, match="multiple of 256"):
        hetero_toy.toy.splitting.model("Toy W1", memory)


def test_programs_are_told_their_share_in_order() -> None:
    """Devices, memory and compute stand in the same place of each list."""
    one, two = (msgspec.structs.replace(fake_device(index), uuid=f"w-{index}") for index in (1, 0))
    shares = [Share(quantities={"memory": memory, "cores": 30}) for memory in (256, 512)]
    grants = tuple(Grant(device=device, share=share) for device, share in zip((one, two), shares, strict=True))
    assert hetero_toy.toy.enforcement.prepare(Slice(id="s", grants=grants, directory="/run/s")).env == {
        "TOY_VISIBLE_DEVICES": "w-1,w-0",
        "TOY_MEMORY_MIB": "256,512",
        "TOY_CORES_PERCENT": "30,30",
    }


@pytest.mark.parametrize(("left", "score"), [(4096, 0.1), (2049, 0.1), (2048, 0.0), (0, 0.0)])
def test_the_scorer_prefers_widgets_that_stay_cool(left: int, score: float) -> None:
    """Half full is too hot."""
    widget = msgspec.structs.replace(fake_device(), model=TestToy.models[0])
    assert hetero_toy.KeepWidgetsCool().score("node", widget, {"memory": left}) == score


def test_the_scorer_speaks_of_widgets_alone() -> None:
    """Other vendors' devices get no say from it."""
    assert hetero_toy.KeepWidgetsCool().score("node", fake_device(), {"memory": 16384}) == 0.0
