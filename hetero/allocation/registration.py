"""Keeps a plugin known to the kubelet: served before it registers, and again whenever the kubelet has forgotten it.

A kubelet that starts removes all sockets in its folder and knows no plugin; pods that it finds then are refused for
good until their plugin is back, so it is watched for, and answered within milliseconds. To a kubelet that still follows
the plugin's list nothing is registered again: kubelets up to 1.36 cut off whoever is current when *any* list of that
resource ends (``pkg/kubelet/cm/devicemanager/plugin/v1beta1/handler.go``).
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hetero import metrics
from hetero.allocation.api import deviceplugin_pb2 as messages
from hetero.allocation.api import methods
from hetero.allocation.api.door import Client, Server
from hetero.allocation.changes import Changes
from hetero.errors import KubeletError
from hetero.log import logger

_log = logger("allocation")

ANSWER = 5.0
"""Seconds that the kubelet has for an answer; it connects back to the plugin before it gives one."""

ENDED = 0.5
"""Seconds after the kubelet stopped following the list until it is asked to begin anew."""

NEVER = 5.0
"""The same when it did not follow at all, though it took the registration."""

IDLE = 10.0
"""Seconds between looks when nothing happens."""

FIRST, LAST = 0.2, 5.0
"""Seconds between tries: doubled from the first to the last."""

STOPPING = 1.0
"""Seconds that starting containers have when the plugin stops; the kubelet asks again for those that it cuts off."""

Identity = tuple[int, int, int]


class Registration:
    """Serves and registers on a thread of its own.

    Args:
        resource: The plugin's.
        folder: Of the kubelet's socket.
        make: Makes the server, not started, for a socket there.
        ready: Nothing is registered before this is true; :meth:`wake` when it has become so.
        followed: True while the kubelet follows the list; :meth:`wake` when that changes.
    """

    def __init__(
        self,
        resource: str,
        folder: Path,
        make: Callable[[Path], Server],
        ready: Callable[[], bool],
        followed: Callable[[], bool],
    ) -> None:
        self.resource = resource
        self.socket = folder / socket_name(resource)
        self._kubelet = folder / methods.KUBELET
        self._make = make
        self._ready = ready
        self._followed = followed
        self._changes = Changes(folder)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"registration of {resource}", daemon=True)
        self._server: Server | None = None
        self._own: Identity | None = None
        self._seen: Identity | None = None
        self._with: Identity | None = None
        self._was_followed = False
        self._not_before = 0.0
        self._failures = 0
        self._told = ""

    @property
    def registered(self) -> bool:
        """True when the kubelet that is there now follows the list."""
        return self._with is not None and self._with == identity(self._kubelet) and self._followed()

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def wake(self) -> None:
        """Look again now."""
        self._changes.wake()

    def stop(self) -> None:
        """Stop serving; returns when the socket is gone."""
        self._stopping.set()
        self._changes.wake()
        if self._thread.is_alive():
            self._thread.join()
        if self._server is not None:
            self._server.stop(STOPPING)
        self._changes.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self._look()
            except Exception:  # a defect of ours: without this thread the node would have no devices, without a word
                _log.exception("registration failed", resource=self.resource)
                pause = LAST
            self._changes.wait(pause)

    def _look(self) -> float:
        """Do what is to be done now, and tell when to look again if nothing happens."""
        kubelet, now = identity(self._kubelet), time.monotonic()
        if kubelet != self._seen:
            # Whatever the last one was waited for does not matter to this one.
            self._seen, self._with, self._was_followed = kubelet, None, False
            self._not_before, self._failures, self._told = 0.0, 0, ""
        if kubelet is None or not self._ready():
            return IDLE
        if kubelet == self._with and self._followed():
            self._was_followed = True
            return IDLE
        if self._was_followed:
            self._was_followed = False
            self._not_before = now + ENDED
        if now >= self._not_before:
            self._register(kubelet)
        return max(0.0, self._not_before - time.monotonic())

    def _register(self, kubelet: Identity) -> None:
        request = messages.RegisterRequest(
            version=methods.VERSION,
            endpoint=self.socket.name,
            resource_name=self.resource,
            options=messages.Options(pre_start_required=True),
        )
        try:
            self._serve()
            with Client(self._kubelet) as client:
                client.call(methods.REGISTER, request, ANSWER)
        except KubeletError as error:
            self._failed(error)
            return
        metrics.registrations.add("registered")
        _log.info("registered with the kubelet", resource=self.resource)
        self._with, self._failures, self._told = kubelet, 0, ""
        self._not_before = time.monotonic() + NEVER

    def _failed(self, error: KubeletError) -> None:
        self._with = None
        metrics.registrations.add("failed")
        self._not_before = time.monotonic() + min(LAST, FIRST * 2 ** min(self._failures, 8))
        self._failures += 1
        if self._told != error.reason:  # said once, counted always
            self._told = error.reason
            _log.warning("the kubelet takes no registration", resource=self.resource, reason=error.reason)

    def _serve(self) -> None:
        if self._server is not None and self._own is not None and identity(self.socket) == self._own:
            return
        if self._server is not None:
            # Before the new one is made: a server that stops removes whatever is at its path. And at once: who called
            # it is gone, and the kubelet refuses pods for good until it knows the plugin.
            self._server.stop()
        self._server = self._make(self.socket)
        self._server.start()
        self._own = identity(self.socket)


def identity(path: Path) -> Identity | None:
    """What changes when a socket is made anew, the number of its inode used again or not; None when there is none.

    Not the time of the last change of its inode: a changed mode makes no new kubelet.
    """
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino, found.st_mtime_ns
    return None


def socket_name(resource: str) -> str:
    """The plugin's socket in the kubelet's folder; a path of a socket has 107 bytes, of which that folder takes 32.

    The part before the stroke has no ``_``: no two resources have one name.
    """
    name = resource.replace("/", "_")
    if len(name) > 60:
        name = f"{name[:40]}-{hashlib.sha256(resource.encode()).hexdigest()[:16]}"
    return f"hetero-{name}.sock"
