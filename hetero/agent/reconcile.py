"""Clears up what containers have left: specifications, slices with their hardware instances, copies of libraries.

Nobody tells a device plugin that a container is over. So what there is on the node is compared with what the API server
and the kubelet know, after each pod that goes and every few minutes, and at the start: that is also how a crash is
cleared up after. Where one of the two cannot be read nothing is removed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from hetero import log, metrics
from hetero.agent.pods import Pods
from hetero.agent.records import PodSlice
from hetero.agent.slices import Slices
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.errors import EnforcementError, WireError

_log = log.logger("agent")


class Reconciler:
    """Clears up. For any number of threads; one at a time does it.

    Args:
        pods: The pods of this node.
        known: False as long as the pods have not been read.
        slices: The slices of this node.
        folder: The CDI specifications.
        held: Reads the kubelet's checkpoint.
    """

    def __init__(
        self,
        pods: Pods,
        known: Callable[[], bool],
        slices: Slices,
        folder: CdiFolder,
        held: Callable[[], Iterable[Held]],
    ) -> None:
        self._pods = pods
        self._known = known
        self._slices = slices
        self._folder = folder
        self._held = held
        self._turn = threading.Lock()

    def clear(self) -> int:
        """Release the slices that are over, and say how many went. Never raises."""
        if not self._known():
            return 0
        with self._turn, _timed("slices"):
            try:
                return self._count("slice", self._slices.sweep(_Judge(self._pods, self._held).over))
            except (WireError, EnforcementError, OSError) as error:
                _log.warning("nothing is cleared up", reason=str(error))
                return 0

    def sweep(self) -> None:
        """Clear up all of it. Never raises."""
        if not self._known():
            return
        self.clear()
        with self._turn, _timed("files"):
            try:
                self._count("specification", len(self._folder.sweep(self._in_use)))
                self._count("library", len(self._slices.sweep_libraries()))
            except (WireError, EnforcementError, OSError) as error:
                _log.warning("not everything is cleared up", reason=str(error))

    def _in_use(self) -> list[Held]:
        """The kubelet forgets what a pod held only when it gives it to the next one."""
        return [one for one in self._held() if not self._pods.over(one.pod_uid)]

    def _count(self, what: str, amount: int) -> int:
        if amount:
            metrics.swept.add(what, amount)
            _log.info("cleared up", what=what, count=amount)
        return amount


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        metrics.reconciliation_seconds.observe(time.perf_counter() - began, what)


class _Judge:
    """Says which slices are over.

    The kubelet's checkpoint is read when the first is asked about: after the slices were listed, so that it has whoever
    made one of them.
    """

    def __init__(self, pods: Pods, held: Callable[[], Iterable[Held]]) -> None:
        self._pods = pods
        self._read = held
        self._holders: set[str] | None = None

    def over(self, record: PodSlice) -> bool:
        """True when the pod was seen to be over, or neither the API server nor the kubelet knows it.

        Raises:
            WireError: The checkpoint cannot be read.
        """
        if self._holders is None:
            self._holders = {one.pod_uid for one in self._read()}
        if self._pods.over(record.pod_uid):
            return True
        return self._pods.get(record.pod_uid) is None and record.pod_uid not in self._holders
