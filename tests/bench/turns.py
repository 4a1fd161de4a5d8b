"""Pods one after another, as kube-scheduler takes them, each asked of several extenders in the same moment.

The first of the contenders is the scheduler under test: what it answers decides where the pod goes and which names are
prioritized. All others get the same bytes. Who comes first in a turn is by lot, so that what disturbs the machine
disturbs all alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from tests.bench.client import Answer, Client
from tests.bench.figures import quantile
from tests.bench.names import Names
from tests.bench.recording import PATHS, Recorded


class Filtered(msgspec.Struct, frozen=True):
    """ExtenderFilterResult, as far as it is read here."""

    NodeNames: list[str] | None = None
    Error: str = ""


class Scored(msgspec.Struct, frozen=True):
    """One of the HostPriorityList."""

    Host: str
    Score: int


@dataclass
class Contender:
    """An extender that is measured.

    Attributes:
        name: What it is called.
        client: The connection to it.
        paths: Of its verbs; an empty one is not called.
        times: What each pod took over both verbs, in ms.
    """

    name: str
    client: Client
    paths: Mapping[str, str] = field(default_factory=lambda: PATHS)
    times: list[float] = field(default_factory=list)

    def ask(self, verb: str, body: bytes) -> Answer:
        """Call a verb; what it took is added to the turn's time.

        Raises:
            RuntimeError: It did not answer 200.
        """
        if not self.paths[verb]:
            return Answer(200, b"", 0.0)
        answer = self.client.post(self.paths[verb], body)
        if answer.status != 200:
            raise RuntimeError(f"{self.name}, {verb}: {answer.status} {answer.body[:300]!r}")
        self.times[-1] += answer.ms
        return answer

    def p(self, percent: int) -> float:
        """A quantile of its times, in ms."""
        return quantile(self.times, percent)


class Turns:
    """The loop of kube-scheduler, as far as an extender sees it.

    Args:
        contenders: The scheduler under test and those beside it.
        names: Which names are sent.
        random_: The lots.
        record: Called with every request of the scheduler under test.
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        names: Names,
        random_: random.Random,
        record: Callable[[Recorded], None] = lambda _: None,
    ) -> None:
        self._contenders, self._names, self._random, self._record = contenders, names, random_, record
        self._turn = 0

    def take(self, pod: bytes) -> str | None:
        """One pod: its object as JSON. Answers where it goes; None when it fits nowhere."""
        for contender in self._contenders:
            contender.times.append(0.0)
        filtered = msgspec.json.decode(self._ask("filter", pod, self._names.next()), type=Filtered)
        if filtered.Error:
            raise RuntimeError(f"filter: {filtered.Error}")
        host = None
        if filtered.NodeNames:
            answer = self._ask("prioritize", pod, filtered.NodeNames)
            host = self._best(msgspec.json.decode(answer, type=list[Scored]))
        self._turn += 1
        return host

    def _ask(self, verb: str, pod: bytes, names: Sequence[str]) -> bytes:
        """The answer of the first."""
        body = msgspec.json.encode({"Pod": msgspec.Raw(pod), "Nodes": None, "NodeNames": names})
        self._record(Recorded(self._turn, verb, msgspec.Raw(body)))
        order = self._random.sample(self._contenders, len(self._contenders))
        answers = {contender.name: contender.ask(verb, body) for contender in order}
        return answers[self._contenders[0].name].body

    def _best(self, scored: Sequence[Scored]) -> str:
        """One of the best, by lot, as kube-scheduler chooses."""
        most = max(one.Score for one in scored)
        return self._random.choice([one.Host for one in scored if one.Score == most])
