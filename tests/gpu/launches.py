"""What a launch costs in a slice of a real card: all programs are there at once, and are asked by turns.

Two bare programs differ by more than what a slice costs: on an H200 by up to 1 us, each as long as it lives. So all of
them are started anew several times, and what counts is the median of these lives.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from tests.bench.figures import Figure
from tests.gpu.compute import kernel_ns
from tests.gpu.priorities import AHEAD, MANY, SHORT
from tests.gpu.runs import BARE
from tests.gpu.talks import Talk, by_hetero, program, talking

LIVES = 7
TURNS = 5
AT_WORK = 0.6
"""Seconds that a turn takes at most beside a program that works."""

PROGRAM = program("launch_times.py")

Life = dict[str, float]
"""Median of each program's turns, ns; the first is what the others are compared with."""


def measure(brief: bool = False) -> list[Figure]:
    """Of seven lives; in brief of three."""
    lives = range(3 if brief else LIVES)
    with tempfile.TemporaryDirectory(prefix="hetero-gpu-") as directory:
        alone = [at_rest(Path(directory)) for _ in lives]
        beside = [contested(Path(directory)) for _ in lives]
    groups = (alone, [rest for rest, _ in beside], [work for _, work in beside])
    return [figure for group in groups for figure in figures(group)]


def at_rest(directory: Path) -> Life:
    """Nobody else is on the card; all slices are of one priority, so nobody is looked at."""
    with ExitStack() as stack:
        return _by_turns(
            _ready(
                {
                    "bare": stack.enter_context(talking(PROGRAM, BARE.environment())),
                    "memory limited": _inside(stack, directory),
                    "memory and compute to 90 %": _inside(stack, directory, cores=90),
                }
            )
        )


def contested(directory: Path) -> tuple[Life, Life]:
    """A slice of a lower priority beside them, at rest and at work: who goes first is looked at 20 times a second."""
    with ExitStack() as stack:
        talks = {
            "bare, beside two priorities": stack.enter_context(talking(PROGRAM, BARE.environment())),
            "priority 0": _inside(stack, directory, priority=0),
            "priority 0, compute to 50 %": _inside(stack, directory, cores=50, priority=0),
        }
        rival = stack.enter_context(talking(*by_hetero(directory, *_rival(), priority=1)))
        _ready({**talks, "rival": rival})
        rest = _by_turns(talks)
        rival.tell(f"0 {TURNS * AT_WORK}")
        work = _by_turns({f"{name}, the lower one at work": talk for name, talk in talks.items()})
        rival.hear()
    return rest, work


def figures(lives: Sequence[Life]) -> list[Figure]:
    """The first program, and what the others take more in the same life."""
    bare, *inside = lives[0]
    alone = [life[bare] for life in lives]
    spread = max(alone) - min(alone)
    return [
        Figure(f"launch, {bare} (spread of {len(lives)} lives: {spread:.0f})", statistics.median(alone), "ns"),
        *(
            Figure(f"launch, {name}: more", statistics.median(life[name] - life[bare] for life in lives), "ns")
            for name in inside
        ),
    ]


@cache
def _rival() -> tuple[str, ...]:
    return program("steady.py", str(round(MANY * SHORT / kernel_ns(MANY))), AHEAD[SHORT])


def _inside(stack: ExitStack, directory: Path, cores: int | None = None, priority: int = 1) -> Talk:
    return stack.enter_context(talking(*by_hetero(directory, *PROGRAM, cores=cores, priority=priority)))


def _ready(talks: dict[str, Talk]) -> dict[str, Talk]:
    for talk in talks.values():
        talk.hear()
    return talks


def _by_turns(talks: dict[str, Talk]) -> Life:
    told: dict[str, list[float]] = {name: [] for name in talks}
    for _ in range(TURNS):
        for name, talk in talks.items():
            told[name].append(talk.ask()["ns"])
    return {name: statistics.median(times) for name, times in told.items()}
