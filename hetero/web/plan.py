"""*What if*: where the pods of a manifest would go, one after another, each with those before it in place.

The pods are charged while the next ones are looked at, under the cluster's lock, and given back before it is let go: no
page ever shows them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from hetero.admission.asks import pod_ask
from hetero.admission.words import Words
from hetero.admission.workloads import Pod
from hetero.errors import InvalidRequest, InvalidValue
from hetero.model.ask import PodAsk
from hetero.model.placement import Placement
from hetero.scheduler.cluster import Cluster
from hetero.web.manifests import pods
from hetero.web.pods import slivers
from hetero.web.problems import Refused
from hetero.web.reasoned import reasoned
from hetero.web.records import Plan, Planned
from hetero.web.scene import Scene
from hetero.web.workloads import held

SECONDS = 3.0
"""That a plan may take, since nothing is followed meanwhile."""

_KEY = "what if "  # no pod of a cluster has such an identity


class Planning:
    """Answers what would be. Not for several threads at once.

    Args:
        cluster: Whose ledger is asked.
        clock: Seconds, rising.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._words = Words(cluster.vendors)
        self._clock = clock

    def plan(self, scene: Scene, manifest: str) -> Plan:
        """Where the pods of a manifest would go.

        Args:
            scene: The cluster, for the names of cards.
            manifest: YAML or JSON.

        Raises:
            Refused: It is too long (413), or wrong (400).
        """
        found = pods(manifest)
        asks, doubts = self._asks(found)
        return Plan(pods=tuple(self._planned(scene, asks)), doubts=tuple(doubts))

    def _asks(self, found: Sequence[Pod]) -> tuple[list[PodAsk], list[str]]:
        asks: list[PodAsk] = []
        problems: dict[str, InvalidValue] = {}
        doubts: dict[str, None] = {}
        for number, pod in enumerate(found):
            try:
                ask = pod_ask(pod, self._words, strict=False)
                if ask.asks_devices:
                    asks.append(msgspec.structs.replace(ask, uid=f"{_KEY}{number}"))
                else:
                    doubts[f"pod {pod.name} asks no device of an installed vendor; any node may have it"] = None
                doubts.update(dict.fromkeys(self._doubts(pod)))
            except InvalidRequest as error:
                problems.update((str(problem), problem) for problem in error.problems)
        if problems:
            raise Refused(400, str(InvalidRequest(problems.values()))[:2000])
        return asks, list(doubts)

    def _doubts(self, pod: Pod) -> Iterator[str]:
        """What seems to be misspelt, where that is no error."""
        for container in (*pod.init_containers, *pod.containers):
            for name in container.limits:
                meant = self._words.misspelt(name)
                if meant:
                    yield f"{container.field(name)} is nobody's resource here; did you mean {meant}?"

    def _planned(self, scene: Scene, asks: Sequence[PodAsk]) -> list[Planned]:
        planner, until = self._cluster.planner, self._clock() + SECONDS
        planned = []
        with self._cluster.lock:
            try:
                for number, ask in enumerate(asks):
                    if self._clock() > until:
                        raise Refused(400, f"only {number} of {len(asks)} pods were planned in time; plan with fewer")
                    planned.append(self._place(scene, ask))
            finally:
                for ask in asks:
                    planner.free(ask.key)
        return planned

    def _place(self, scene: Scene, ask: PodAsk) -> Planned:
        planner = self._cluster.planner
        try:
            options = planner.options(ask)
            fitting, reasons = reasoned(options, sorted(options.ledger.index))
            best = options.best()
            placed = planner.place_on(ask, best) if best is not None else None
        except InvalidValue as error:  # a policy that there is none of
            raise Refused(400, str(error)) from error
        shown = {"namespace": ask.namespace, "pod": ask.name, "fitting": fitting, "reasons": reasons}
        if not isinstance(placed, Placement):
            return Planned(**shown, node="")  # type: ignore[arg-type]
        planner.charge(placed, ask.traits)
        parts = tuple(held(scene, one) for one in slivers(placed, ask))
        return Planned(**shown, node=placed.node, held=parts)  # type: ignore[arg-type]
