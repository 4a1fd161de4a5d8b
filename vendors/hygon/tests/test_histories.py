"""Random histories of slices, deaths at any step and neighbours: nothing is given twice, nothing is left over."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hetero_hygon import conf, cumask, files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero.errors import DriverFailed, EnforcementError
from hetero.model.allocation import Slice

K100 = {"model": "K100_AI", "memory": 65520}
SIZES = ((8192, 25), (8192, 25), (1024, 10))
"""Of few slices, two of them alike: so their histories meet."""


class Death(BaseException):
    """The process ends here: no handler of ours runs, and the kernel lets go of the lock."""


class Steps:
    """Ends the process at the step that is asked: before and after each write and each call of the driver."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dmi: Any) -> None:
        self.left = -1
        for owner, name in ((files, "put"), (files, "drop"), (dmi, "create"), (dmi, "destroy"), (dmi, "start")):
            monkeypatch.setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            self._step()
            result = action(*arguments)
            self._step()
            return result

        return watched

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Death


class History:
    """A machine with a neighbour's vDCU, and what has become of the slices so far."""

    def __init__(self, found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found = found
        found.devices()
        found.dmi.create(0, 12, 2048)
        self.neighbour = found.vdevs()
        self.steps = Steps(monkeypatch, found.dmi)
        self.running: dict[str, Slice] = {}
        self.started: dict[str, Slice] = {}

    def go(self, action: str, number: int, death: int) -> None:
        """Carry out one step, which may be the last of its process."""
        name = f"s{number}"
        if action == "prepare" and name not in self.started:
            memory, cores = SIZES[number]
            self.started[name] = self.found.slice_of(name, number // 2, memory=memory, cores=cores)
        held = self.started.get(name)
        if held is None:
            return
        self.steps.left = death
        try:
            getattr(self.found.enforcement, action)(held)
        except (Death, DriverFailed, EnforcementError):
            self.running.pop(name, None)
        else:
            self._ended(action, name, held)
        finally:
            self.steps.left = -1

    def _ended(self, action: str, name: str, held: Slice) -> None:
        if action == "prepare":
            self.running[name] = held
        else:
            self.running.pop(name, None)
            self.started.pop(name)

    def check(self) -> None:
        """What always holds."""
        there = conf.everything()
        for one, other in itertools.combinations(there, 2):
            assert one.bus != other.bus or not cumask.overlaps(one.mask, other.mask)
        texts = self.found.vdevs()
        assert self.neighbour.items() <= texts.items()
        given = [file for held in self.running.values() for file in Path(held.directory, "vdev").iterdir()]
        assert len({file.name for file in given}) == len(self.running)
        assert all(texts[file.name] == file.read_text() for file in given)


steps = st.tuples(st.sampled_from(["prepare", "release"]), st.integers(0, len(SIZES) - 1), st.integers(0, 12))


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, min_size=8, max_size=16), scattered=st.booleans(), started=st.booleans())
def test_any_history_leaves_what_is_right(
    machine: Callable[..., Any], history: list[tuple[str, int, int]], scattered: bool, started: bool
) -> None:
    """After each step no unit is given twice; in the end only the neighbour's vDCU is there, and no file of ours."""
    with pytest.MonkeyPatch.context() as patches:
        found = machine(K100, K100, units="scattered" if scattered else "low", created_started=started)
        story = History(found, patches)
        for action, number, death in history:
            story.go(action, number, death)
            story.check()
        for number in range(len(SIZES)):
            story.go("release", number, 0)
        assert found.vdevs() == story.neighbour
        assert [path.name for path in found.path("/run/hetero/hygon").glob("*")] in ([], ["lock"])
