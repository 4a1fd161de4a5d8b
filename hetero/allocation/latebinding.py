"""From slots that are about to be used to the container that holds them, and its specification in place.

The slots name no container. The kubelet's checkpoint does, and is complete by now; but an init container and a main
container may hold the same slots, and which of them is starting nobody can tell for sure. So each that may be gets its
specification, under the name of its own allocation: whichever starts finds its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from hetero.allocation import cdi, checkpoint
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Binding, Held
from hetero.errors import HeteroError, Unbound, WireError
from hetero.log import logger

_log = logger("allocation")

PATIENCE = 1.0
"""Seconds for the kubelet's checkpoint to have the slots. It has them before it calls, as far as anybody has seen."""

PAUSE = 0.02
"""Seconds between two looks at it."""

Refused = Callable[[Held, str], None]
"""Told of a container that cannot start, and why."""


def candidates(entries: Iterable[Held], resource: str, ids: Iterable[str]) -> tuple[Held, ...]:
    """The entries that hold exactly these slots of the resource. Pure."""
    wanted = tuple(sorted(ids))
    return tuple(one for one in entries if one.resource == resource and one.ids == wanted)


class LateBinding:
    """``PreStartContainer`` of one resource, for any number of threads.

    Args:
        resource: Its name.
        binding: Knows the pods and makes their slices.
        checkpoint_file: The kubelet's.
        folder: Where the specifications go.
        refused: Told of each container that cannot start.
    """

    def __init__(
        self,
        resource: str,
        binding: Binding,
        checkpoint_file: Path,
        folder: CdiFolder,
        refused: Refused,
    ) -> None:
        self.resource = resource
        self._binding = binding
        self._checkpoint = checkpoint_file
        self._folder = folder
        self._refused = refused
        self._lock = threading.Lock()
        self._starting: set[tuple[str, ...]] = set()

    def start(self, ids: Iterable[str]) -> None:
        """Put the specification of whoever holds exactly these slots in place, where the runtime has seen it.

        Raises:
            Unbound: Nobody who lives holds them, or nobody of them can be given anything; the kubelet asks again.
        """
        wanted = tuple(sorted(ids))
        with self._alone(wanted):
            live = self._live(wanted)
            specs, failures = self._specs(live)
            if specs:
                self._write(live, specs)
            else:
                self._refuse(failures)

    @contextmanager
    def _alone(self, ids: tuple[str, ...]) -> Iterator[None]:
        # The kubelet gives up after 30 s and asks again. A driver that hangs would take one more thread each time,
        # until none is left for the others.
        with self._lock:
            if ids in self._starting:
                raise Unbound("the container's slice is still being made: its driver has not answered yet")
            self._starting.add(ids)
        try:
            yield
        finally:
            with self._lock:
                self._starting.discard(ids)

    def _live(self, ids: tuple[str, ...]) -> Sequence[Held]:
        found = self._entries(ids)
        live = [held for held in found if self._binding.live(held.pod_uid)]
        if not live:
            pods = ", ".join(sorted({held.pod_uid for held in found}))
            raise Unbound(f"pod {pods}, which holds {self.resource}, is not known on this node, or is over")
        return live

    def _entries(self, ids: tuple[str, ...]) -> Sequence[Held]:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found, why = candidates(checkpoint.read(self._checkpoint), self.resource, ids), "has nobody who holds"
            except WireError as error:
                found, why = (), f"cannot be read ({error}) for"
            if found:
                return found
            if time.monotonic() >= deadline:
                raise Unbound(f"the kubelet's checkpoint {why} {self.resource} {', '.join(ids)}")
            time.sleep(PAUSE)

    def _specs(self, live: Sequence[Held]) -> tuple[dict[str, bytes], list[tuple[Held, str]]]:
        specs: dict[str, bytes] = {}
        failures = []
        for held in live:
            try:
                specs.update(self._spec(held))
            except HeteroError as error:
                # Of two, this one may be the one that starts: its name stays unresolvable, and the kubelet asks again.
                failures.append((held, str(error)))
                _log.warning("a container cannot start yet", reason=str(error), **_who(held))
        return specs, failures

    def _spec(self, held: Held) -> dict[str, bytes]:
        names = cdi.devices(held)
        if not names:
            raise Unbound(
                f"container {held.container} got its {held.resource} from another device plugin, before this one; "
                "delete the pod and let it be created anew"
            )
        edits = self._binding.edits(held)
        return {name: cdi.spec(name, edits) for name in names}

    def _write(self, live: Sequence[Held], specs: dict[str, bytes]) -> None:
        try:
            self._folder.write(specs)
        except HeteroError as error:
            self._refuse([(held, str(error)) for held in live if specs.keys() & set(cdi.devices(held))])
        for held in live:
            _log.info("a container may start", devices=sorted(specs.keys() & set(cdi.devices(held))), **_who(held))

    def _refuse(self, failures: Sequence[tuple[Held, str]]) -> NoReturn:
        for held, reason in failures:
            self._refused(held, reason)
        raise Unbound("; ".join(dict.fromkeys(reason for _, reason in failures)))


def _who(held: Held) -> dict[str, str]:
    return {"pod_uid": held.pod_uid, "container": held.container, "resource": held.resource}
