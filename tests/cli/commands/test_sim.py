"""``hetero sim``: machine files are checked field by field, and a command runs on what they describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.cli.sim import machine_of
from hetero.errors import EnforcementError, InvalidConfiguration, InvalidValue
from hetero.model.allocation import ContainerEdits
from hetero.model.machine import Card, Machine
from hetero.testing.fake import fake_vendor
from hetero.vendor import Simulation, Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Install, Write

FILE = Path("machine.yaml")


class Cards(Simulation):
    """Simulated cards that are a line in a file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def card(self, settings: Mapping[str, Any], field: str) -> Card:
        """Only a model is understood."""
        if set(settings) != {"model"} or not isinstance(settings["model"], str):
            raise InvalidValue(field, "card", "has a model and nothing else")
        return Card(vendor=self._name, settings=dict(settings))

    def prepare(self, machine: Machine, directory: Path) -> ContainerEdits:
        """Write the models into the machine's directory."""
        if machine.drivers.get(self._name, {}).get("version") == "bad":
            raise InvalidValue(f"drivers.{self._name}.version", "bad", "is no version")
        if machine.drivers.get(self._name, {}).get("version") == "missing":
            raise EnforcementError("the simulated driver is not installed")
        (directory / "models").write_text(" ".join(card.settings["model"] for card in machine.cards))
        return ContainerEdits(
            env={f"{self._name.upper()}_MACHINE": str(directory)}, library_path=(f"/lib/{self._name}",)
        )


def _vendor(name: str) -> Vendor:
    return replace(fake_vendor(name), simulation=Cards(name), missing={})


VENDORS = {"fake": _vendor("fake"), "other": _vendor("other"), "plain": fake_vendor("plain")}
CARD = {"vendor": "fake", "model": "F1"}


@pytest.fixture(autouse=True)
def simulated(install: Install) -> None:
    """Two vendors that can be simulated, and one that cannot."""
    install(*VENDORS.values())


@pytest.fixture
def machine(write: Write) -> Path:
    """A machine with three cards of two vendors."""
    cards = [{**CARD, "count": 2}, {"vendor": "other", "model": "O1"}]
    return write({"name": "lab", "cards": cards}, name="machine.yaml")


def test_the_command_runs_on_the_machine(hetero: Hetero, machine: Path) -> None:
    """Each vendor gets its own cards and a directory of its own; the environment has what all of them add."""
    script = 'cat "$FAKE_MACHINE/models"; echo; cat "$OTHER_MACHINE/models"; echo; echo "$LD_LIBRARY_PATH"'
    answer = hetero("sim", "run", "--machine", machine, "--", "sh", "-c", script)
    assert answer.code == 0
    fake, other, path = answer.out.splitlines()
    assert (fake, other) == ("F1 F1", "O1")
    assert path.split(":")[:2] == ["/lib/fake", "/lib/other"]


def test_slices_of_a_simulated_machine_are_its_own(hetero: Hetero, machine: Path, tmp_path: Path) -> None:
    """Otherwise real slices and simulated ones would be charged to each other."""
    answer = hetero("sim", "run", "--machine", machine, "--", "printenv", "HETERO_RUNTIME_DIR")
    assert Path(answer.out.strip()).name == "runtime"
    assert tmp_path not in Path(answer.out.strip()).parents


def test_the_machine_is_gone_when_the_command_ends(hetero: Hetero, machine: Path) -> None:
    """Nothing is left behind, however the command ends."""
    for end, code in (("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)):
        answer = hetero("sim", "run", "--machine", machine, "--", "sh", "-c", f'echo "$FAKE_MACHINE"; {end}')
        assert answer.code == code
        assert not Path(answer.out.strip()).parent.exists()


def test_a_named_state_is_kept_and_can_be_joined(hetero: Hetero, machine: Path, tmp_path: Path) -> None:
    """Commands in two terminals are on one machine; the directory is absolute, so both may stand anywhere."""
    state = tmp_path / "deep/state"
    for _ in range(2):
        answer = hetero("sim", "run", "--machine", machine, "--state", state, "--", "printenv", "FAKE_MACHINE")
        assert answer.out.strip() == str(state / "fake")
    assert (state / "fake/models").read_text() == "F1 F1"


def test_options_after_the_command_are_the_commands(hetero: Hetero, machine: Path) -> None:
    """``--machine`` and ``-h`` of the command reach the command, also without ``--``."""
    for words in (["echo", "--machine", "x", "-h"], ["--", "echo", "--machine", "x", "-h"]):
        assert hetero("sim", "run", "--machine", machine, *words).out == "--machine x -h\n"


def test_a_misspelt_option_is_told(hetero: Hetero, machine: Path) -> None:
    """It is not taken for the command."""
    answer = hetero("sim", "run", "--machin", machine, "--", "true")
    assert answer.code == 2
    assert "--machin" in answer.told


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/dev/null", 126)])
def test_a_command_that_cannot_start_has_the_codes_of_a_shell(
    hetero: Hetero, machine: Path, command: str, code: int
) -> None:
    """As ``env`` and ``nohup`` have it."""
    answer = hetero("sim", "run", "--machine", machine, "--", command)
    assert answer.code == code
    assert command in answer.told


def test_a_setting_of_a_driver_is_refused_with_the_file(hetero: Hetero, write: Write) -> None:
    """Vendors check their own keys when the machine is made; the user reads which file it was."""
    path = write({"cards": [CARD], "drivers": {"fake": {"version": "bad"}}})
    answer = hetero("sim", "run", "--machine", path, "--", "true")
    assert (answer.code, answer.told) == (2, f"{path}: drivers.fake.version: 'bad' is no version")


def test_a_simulated_driver_that_is_not_installed_is_a_failure(hetero: Hetero, write: Write) -> None:
    """Not the user's doing: exit code 1."""
    path = write({"cards": [CARD], "drivers": {"fake": {"version": "missing"}}})
    answer = hetero("sim", "run", "--machine", path, "--", "true")
    assert (answer.code, answer.told) == (1, "the simulated driver is not installed")


def test_a_state_keeps_its_machine(hetero: Hetero, machine: Path, tmp_path: Path) -> None:
    """Another file for the same directory would change the cards of programs that are running."""
    words = ("--state", tmp_path / "state", "--", "true")
    assert hetero("sim", "run", "--machine", machine, *words).code == 0
    other = tmp_path / "other.yaml"
    other.write_text(machine.read_text() + "\nname: other\n")
    answer = hetero("sim", "run", "--machine", other, *words)
    assert answer.code == 2
    assert answer.told == f"--state: '{tmp_path}/state' holds another machine; name another directory"
    assert hetero("sim", "run", "--machine", machine, *words).code == 0


def test_a_state_that_cannot_be_made_is_one_sentence(hetero: Hetero, machine: Path, tmp_path: Path) -> None:
    """The directory is named with the system's reason."""
    (tmp_path / "file").write_text("")
    answer = hetero("sim", "run", "--machine", machine, "--state", tmp_path / "file/state", "--", "true")
    assert answer.code == 1
    assert answer.told.startswith(f"--state {tmp_path}/file/state: cannot be made: Not a directory")


def test_a_machine_is_its_cards_in_order() -> None:
    """Counts are spelt out; the name is the file's when it has none."""
    found = machine_of({"cards": [{**CARD, "count": 2}, {"vendor": "other", "model": "O1"}]}, FILE, VENDORS)
    assert found == Machine(
        name="machine",
        cards=(
            Card(vendor="fake", settings={"model": "F1"}),
            Card(vendor="fake", settings={"model": "F1"}),
            Card(vendor="other", settings={"model": "O1"}),
        ),
    )
    assert machine_of({"name": "lab", "cards": [CARD]}, FILE, VENDORS).name == "lab"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "cards are missing; list them, each with vendor and model"),
        ([], "cards are missing"),
        ({"cards": []}, "cards are missing"),
        ({"cards": {"vendor": "fake"}}, "cards are missing"),
        ({"cards": [CARD], "card": []}, "card is no key of a machine; it has name, drivers and cards"),
        ({"card": [CARD]}, "card is no key of a machine"),
        ({"cards": [CARD], 5: 6}, "5 is no key of a machine"),
        ({"cards": ["F1"]}, "cards[0]: 'F1' is no card"),
        ({"cards": [CARD, {"model": "F1"}]}, "cards[1].vendor: None is no installed vendor that can be simulated"),
        ({"cards": [{**CARD, "vendor": "acme"}]}, "'acme' is no installed vendor that can be simulated"),
        ({"cards": [{**CARD, "vendor": "plain"}]}, "(there are: fake, other)"),
        ({"cards": [{**CARD, "vendor": ["fake"]}]}, "cards[0].vendor: ['fake'] is no installed vendor"),
        ({"cards": [{**CARD, "vendor": {"fake": 1}}]}, "cards[0].vendor: {'fake': 1} is no installed vendor"),
        ({"cards": [{**CARD, "count": 0}]}, "cards[0].count: 0 is no number of cards; write 1 to 16"),
        ({"cards": [{**CARD, "count": 17}]}, "cards[0].count: 17 is no number of cards"),
        ({"cards": [{**CARD, "count": "2"}]}, "cards[0].count: '2' is no number of cards"),
        ({"cards": [{**CARD, "count": True}]}, "cards[0].count: True is no number of cards"),
        ({"cards": [{**CARD, "memory": 5}]}, "cards[0]: 'card' has a model and nothing else"),
        ({"cards": [CARD], "drivers": []}, "drivers: [] is no mapping"),
        ({"cards": [CARD], "drivers": {"acme": {}}}, "drivers.acme: 'acme' is no installed vendor"),
        ({"cards": [CARD], "drivers": {"fake": "1.0"}}, "drivers.fake: '1.0' is no mapping; write the driver's keys"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(document: Any, says: str) -> None:
    """File, field, value and what to write, in one line."""
    with pytest.raises(InvalidConfiguration) as caught:
        machine_of(document, FILE, VENDORS)
    assert str(caught.value).startswith("machine.yaml: ")
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_without_a_vendor_that_can_be_simulated_the_sentence_says_so() -> None:
    """What is missing is a package."""
    with pytest.raises(InvalidConfiguration, match="there are: none is installed"):
        machine_of({"cards": [CARD]}, FILE, {"plain": fake_vendor("plain")})


@given(data=st.data())
def test_a_malformed_machine_gives_a_sentence_and_nothing_else(
    mutated: Callable[[Any], st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    """One place of a good file holds any value of YAML: a machine, or the one typed error."""
    good = {"name": "lab", "cards": [{**CARD, "count": 2}], "drivers": {"fake": {"version": "1"}}}
    try:
        outcome = f"machine.yaml: {machine_of(data.draw(mutated(good)), FILE, VENDORS).cards[0].vendor}"
    except InvalidConfiguration as error:
        outcome = str(error)
    assert outcome.startswith("machine.yaml: ")
