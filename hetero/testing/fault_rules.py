"""The rules about drivers that do not work, as tests: see :attr:`Subject.faults`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from hetero.testing.elsewhere import PATIENCE_S, elsewhere, ended_after
from hetero.testing.questions import Interview
from hetero.testing.subject import Subject
from hetero.vendor import Feature

NONE = "no surroundings"
"""The fault that every vendor has: it is imported and asked on a machine that has nothing of it."""

HANGS = "hangs"
OLD = "old"

_PATIENCE = {HANGS: 2.0}
"""Seconds for one question; a driver that hangs is not waited for, any other may take as long as the machine does."""

_HEARD: dict[type[Subject], dict[str, Interview]] = {}


class FaultRules(Subject):
    """What is told of a driver that is missing, old, broken, lying or stuck."""

    def test_faulty_drivers_are_told(self) -> None:
        """Each question ends in one of our errors with a sentence, or in devices that say why they may not be used.

        Never in another exception, which would be a traceback, nor in a device that cannot be.
        """
        usable = self.vendor.name in elsewhere(self).answer.registered  # else another rule says what is wrong
        for fault, interview in self._heard().items():
            assert interview.failure == "" or not usable, fault
            for told in interview.told:
                assert told.faults == (), f"{fault}, asked for {told.question}"

    def test_only_a_hanging_driver_is_not_heard_of(self) -> None:
        """Whatever else is wrong, a question comes back."""
        for fault, interview in self._heard().items():
            if fault != HANGS:
                assert [told.question for told in interview.told if told.silent] == [], fault

    def test_faults_are_noticed(self) -> None:
        """A fault that makes no difference is not one, or goes unseen; an older driver may serve all the same."""
        for fault, interview in self._heard().items():
            if fault not in (NONE, OLD):
                assert any(told.amiss for told in interview.told), fault

    def test_a_stand_in_shows_what_it_can(self) -> None:
        """Who has surroundings can have faults; with health, an illness; with instances, a look at the hardware."""
        if self.surroundings:
            assert self.faults, "name faults of the driver in `faults`"
            if Feature.HEALTH not in self.vendor.missing:
                assert self.illness() is not None, "let a device fall ill in `illness`"
            if Feature.PARTITION not in self.vendor.missing:
                with self.surrounded():
                    assert self.hardware() is not None, "tell what instances there are in `hardware`"

    def _heard(self) -> Mapping[str, Interview]:
        """What was told with each fault; asked once."""
        kind = type(self)
        if kind not in _HEARD:
            _HEARD[kind] = {fault: _interview(self, fault, given) for fault, given in self._environments()}
        return _HEARD[kind]

    def _environments(self) -> Iterator[tuple[str, dict[str, str]]]:
        yield NONE, {name: value for name, value in os.environ.items() if name not in self.surroundings}
        for fault, variables in self.faults.items():
            yield fault, {**os.environ, **self.surroundings, **variables}


def _interview(subject: Subject, fault: str, environment: Mapping[str, str]) -> Interview:
    with tempfile.TemporaryDirectory() as aside:
        answer, complaints = Path(aside, "answer"), Path(aside, "stderr")
        words = [subject.package, subject.vendor.name, str(_PATIENCE.get(fault, PATIENCE_S)), str(answer)]
        with complaints.open("w") as errors:
            child = subprocess.Popen(
                [sys.executable, "-B", "-m", "hetero.testing.questions", *words],
                env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a package may print
                stderr=errors,
                text=True,
            )
            with ended_after(child, 2 * PATIENCE_S):
                pass
        assert child.returncode == 0, f"{fault}: the process ended with {child.returncode}: {complaints.read_text()}"
        return msgspec.json.decode(answer.read_bytes(), type=Interview)
