"""The toy vendor against the suite that every vendor passes, and its own rules."""

from __future__ import annotations

import json
from pathlib import Path

import hetero_toy
import pytest

from hetero.errors import DriverFailed, DriverMissing
from hetero.model.ask import Ask
from hetero.model.share import Share
from hetero.testing import VendorConformance, fake_device


class TestToy(VendorConformance):
    """All of the interface's rules."""

    vendor = hetero_toy.toy
    package = "hetero_toy"
    models = (hetero_toy.toy.splitting.model("Toy W1", 4096),)


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


def test_a_broken_driver_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be read is a failure of the driver."""
    (tmp_path / "widgets.json").write_text("{")
    monkeypatch.setenv("TOY_DEVICES", str(tmp_path / "widgets.json"))
    with pytest.raises(DriverFailed):
        hetero_toy.toy.discovery.devices()


def test_the_scorer_speaks_of_widgets_alone() -> None:
    """Other vendors' devices get no say from it."""
    assert hetero_toy.KeepWidgetsCool().score("node", fake_device(), {"memory": 16384}) == 0.0
