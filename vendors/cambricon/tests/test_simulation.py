"""Machine files become machines: what is checked, and what is written."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
import yaml
from hetero_cambricon import cambricon
from hetero_cambricon.discovery import CndevDiscovery
from hetero_cambricon.simulation import SimulatedMlus, bus

from hetero.errors import EnforcementError, InvalidValue
from hetero.model.ask import Ask
from hetero.model.machine import Card, Machine
from hetero.model.resources import ContainerRequest

EXAMPLES = Path(__file__).parents[3] / "examples"
MLUS = SimulatedMlus()
PLAIN = {"model": "MLU590-M9", "memory": 80675}


def machine(*cards: dict[str, Any], driver: dict[str, Any] | None = None) -> Machine:
    """A machine with these cards."""
    checked = tuple(MLUS.card(card, f"cards[{index}]") for index, card in enumerate(cards))
    return Machine(name="m", cards=checked, drivers={"cambricon": driver or {}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", ""),
        ("model", "MLU\n590"),
        ("memory", 0),
        ("memory", 2**24 + 1),
        ("numa", -2),
        ("health", "ill"),
        ("health", "fail:"),
        ("compute", "none"),
        ("cores", 81),
        ("links", {1: 17}),
        ("links", {64: 1}),
        ("uuid", "MLU-10001012-1916-0000-0000-000000000000"),
        ("temperature", 200),
        ("colour", "green"),
    ],
)
def test_a_wrong_key_is_refused_with_its_place(key: str, value: object) -> None:
    """The field of the machine file, where the complaint is about one."""
    with pytest.raises(InvalidValue) as caught:
        MLUS.card({**PLAIN, key: value}, "cards[2]")
    assert caught.value.field.startswith("cards[2]")


def test_a_card_that_keeps_all_of_its_memory_is_none() -> None:
    """Nothing would be left to give."""
    with pytest.raises(InvalidValue, match="nothing is left"):
        MLUS.card({**PLAIN, "reserved": 80675}, "cards[0]")


@pytest.mark.parametrize(
    ("cards", "field"),
    [
        ([{**PLAIN, "links": {0: 1}}], "cards[0].links"),
        ([PLAIN, {**PLAIN, "links": {2: 1}}], "cards[1].links"),
        ([{**PLAIN, "uuid": f"{0:08d}-0000-0000-0000-{1:012d}"}] * 2, "cards[1].uuid"),
        ([PLAIN] * 65, "cards"),
    ],
)
def test_cards_that_do_not_go_together_are_refused(cards: list[dict[str, Any]], field: str, tmp_path: Path) -> None:
    """Links to nowhere, one identity twice, too many."""
    with pytest.raises(InvalidValue) as caught:
        MLUS.prepare(machine(*cards), tmp_path)
    assert caught.value.field == field


@pytest.mark.parametrize("driver", [{"version": "5.10"}, {"api": 4}, {"smlu_full_code": 0}, {"speed": 1}])
def test_wrong_keys_of_the_driver_are_refused(driver: dict[str, Any], tmp_path: Path) -> None:
    """With their place in the machine file."""
    with pytest.raises(InvalidValue) as caught:
        MLUS.prepare(machine(PLAIN, driver=driver), tmp_path)
    assert caught.value.field.startswith("drivers.cambricon")


def test_a_machine_is_a_directory(tmp_path: Path) -> None:
    """Cards for the library, and the files that others look at: nodes, and the PCI bus as the kernel shows it."""
    edits = MLUS.prepare(machine({**PLAIN, "numa": 1}, {**PLAIN, "smlu": False}), tmp_path)
    assert edits.env == {"HETERO_SIM_CNDEV": str(tmp_path), "HETERO_HOST_ROOT_CAMBRICON": str(tmp_path / "root")}
    assert edits.library_path[0].endswith("sim/cndev")
    assert {path.name for path in (tmp_path / "root/dev").iterdir()} == {
        "cambricon_ctl", "cambricon_dev0", "cambricon_ipcm0", "cambricon_dev1", "cambricon_ipcm1",
    }  # fmt: skip
    place = tmp_path / "root/sys/bus/pci/devices" / bus(0)
    assert [(place / name).read_text() for name in ("vendor", "class", "numa_node")] == [
        "0xcabc\n",
        "0x120000\n",
        "1\n",
    ]
    assert (tmp_path / "cards.conf").read_text().count("[card]") == 2


def test_identities_follow_from_the_machine(tmp_path: Path) -> None:
    """The same each time, and of no other machine or card."""
    texts = []
    for name in ("a", "a", "b"):
        directory = tmp_path / str(len(texts))
        directory.mkdir()
        cards = (Card(vendor="cambricon", settings=MLUS.card(PLAIN, "cards[0]").settings),) * 2
        MLUS.prepare(Machine(name=name, cards=cards), directory)
        texts.append([line for line in (directory / "cards.conf").read_text().splitlines() if line.startswith("uuid")])
    assert texts[0] == texts[1]
    assert len({*texts[0], *texts[2]}) == 4


def test_without_the_simulated_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package works without; only those who simulate need it."""
    real = builtins.__import__

    def lacking(name: str, *rest: Any) -> Any:
        if name == "hetero_native":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(EnforcementError, match=r"pip install 'hetero-cambricon\[sim\]'"):
        MLUS.prepare(machine(PLAIN), tmp_path)


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("cambricon-mlu590-x8", ["MLU590-M9"] * 8),
        ("cambricon-mlu370-x8", ["MLU370-X8"] * 4 + ["MLU370-S4"]),
    ],
)
def test_the_example_machines_work(
    name: str, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their cards are found, healthy and linked as the file says."""
    document = yaml.safe_load((EXAMPLES / f"machines/{name}.yaml").read_text())
    settings = [{key: value for key, value in card.items() if key != "vendor"} for card in document["cards"]]
    cards = tuple(MLUS.card(one, "cards") for one in settings)
    edits = MLUS.prepare(Machine(name=name, cards=cards, drivers=document.get("drivers", {})), tmp_path)
    for key, value in {**edits.env, "HETERO_DRIVER_PATH": edits.library_path[0]}.items():
        monkeypatch.setenv(key, value)
    devices = list(CndevDiscovery(cambricon.discovery._cndev).devices())  # type: ignore[attr-defined]
    assert [device.model.name for device in devices] == models
    assert all(device.health.ok for device in devices)
    whole = cambricon.splitting.sets(devices[:4], Ask(vendor="cambricon", count=4, sets="guaranteed")) or ()
    assert [[device.index for device in one] for one in whole] == [[0, 1, 2, 3]]


ASKS = {
    "slice": [Ask(vendor="cambricon", memory=5120, cores=10)],
    "whole": [Ask(vendor="cambricon", cores=100)],
    "slice-of-a-type": [Ask(vendor="cambricon", memory=5120, cores=10)],
    "choose-model": [Ask(vendor="cambricon", memory=10240, cores=25)],
    "ring": [Ask(vendor="cambricon", count=4, cores=100, sets="guaranteed")],
    "two-containers": [
        Ask(vendor="cambricon", memory=2048, cores=20),
        Ask(vendor="cambricon", count=2, memory=1024, cores=10),
    ],
}


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("cambricon/*.yaml")), ids=lambda file: file.stem)
def test_the_example_manifests_mean_what_they_say(file: Path) -> None:
    """Each container asks for what the comment above it promises."""
    document = yaml.safe_load(file.read_text())
    pod = document["spec"].get("template", document)
    annotations = pod["metadata"].get("annotations", {})
    [resources] = cambricon.resources
    asks = [
        resources.asks(ContainerRequest(path="c", limits=one["resources"]["limits"], annotations=annotations))
        for one in pod["spec"]["containers"]
    ]
    plain = [
        Ask(vendor=one.vendor, count=one.count, memory=one.memory, cores=one.cores, sets=one.sets) for [one] in asks
    ]
    assert plain == ASKS[file.stem]


def test_every_example_is_looked_at() -> None:
    """No file without a meaning, no meaning without a file."""
    assert {file.stem for file in EXAMPLES.glob("cambricon/*.yaml")} == set(ASKS)
