"""One workload: what it asks and holds, or where it would go and why it waits."""

from __future__ import annotations

from hetero.errors import HeteroError
from hetero.scheduler.cluster import Cluster
from hetero.web.pods import Kept
from hetero.web.reasoned import reasoned
from hetero.web.records import WorkloadDetail
from hetero.web.scene import Scene
from hetero.web.workloads import RUNNING, held, state, workload

NO_NODES = "waits: no node of the cluster has devices"
NO_ROOM = "waits: no node has room"


class Details:
    """Looks at one workload with the planner's help. Not for several threads at once.

    Args:
        cluster: The planner, and the lock that it is used under.
        scheduler: The name of our scheduler.
    """

    def __init__(self, cluster: Cluster, scheduler: str) -> None:
        self._cluster = cluster
        self._scheduler = scheduler

    def of(self, scene: Scene, namespace: str, name: str) -> WorkloadDetail | None:
        """What is known of a pod; None when there is none of that name that asks or holds devices."""
        found = [pod for pod in scene.pods.values() if (pod.namespace, pod.name) == (namespace, name)]
        return self._detail(scene, found[0]) if found else None

    def _detail(self, scene: Scene, pod: Kept) -> WorkloadDetail:
        shown = {
            "workload": workload(scene, pod),
            "asks": {container: dict(amounts) for container, amounts in pod.said},
            "held": tuple(held(scene, one) for one in pod.held),
        }
        if not pod.waits:
            return WorkloadDetail(**shown, sentence=_standing(scene, pod))  # type: ignore[arg-type]
        return WorkloadDetail(**shown, **self._prospects(pod), remarks=self._remarks(pod))  # type: ignore[arg-type]

    def _prospects(self, pod: Kept) -> dict[str, object]:
        """Where it would go; the planner charges nothing for the question."""
        if pod.ask is None:
            return {"sentence": f"waits: {pod.wrong}", "fitting": 0}
        try:
            with self._cluster.lock:
                options = self._cluster.planner.options(pod.ask)
                names = sorted(options.ledger.index)
                best = options.best() or ""
                fitting, reasons = reasoned(options, names)
        except HeteroError as error:
            return {"sentence": f"waits: {error}", "fitting": 0}
        would = f"waits, and would go to node {best}" if best else NO_ROOM if names else NO_NODES
        return {"sentence": would, "best": best, "fitting": fitting, "reasons": reasons}

    def _remarks(self, pod: Kept) -> tuple[str, ...]:
        if pod.scheduler == self._scheduler:
            return ()
        return (f"its scheduler is {pod.scheduler}, and hetero places the pods of {self._scheduler}",)


def _standing(scene: Scene, pod: Kept) -> str:
    if not pod.held:
        return f"is on node {pod.node} without a placement that counts: its devices are charged nowhere"
    made = state(scene, pod) == RUNNING
    return f"is on node {pod.node}" if made else f"is on node {pod.node}, which has not started it yet"
