"""Whether the folders that this agent works in are still the machine's.

A folder that somebody removes from the machine stays in the agent's container what was mounted there: there, empty and
closed for good, also when the machine has a new one of the same name. Nothing in the container leads back to it. The
next container of the pod has the new folder, which the runtime makes where it is missing. Source: containerd, CRI's
``WithMounts``; seen on Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hetero import log
from hetero.allocation.cdi_folder import removed

_log = log.logger("agent")


class Folders:
    """What the agent writes into.

    Args:
        paths: As they are called here; one that is missing is made when it is needed.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(map(Path, paths))
        self._told = False

    def lost(self) -> str:
        """Why this process cannot go on, in one sentence; empty while it can. Cheap: a look at each folder's entry."""
        gone = [str(path) for path in self._paths if removed(path)]
        if not gone:
            return ""
        reason = (
            f"{', '.join(gone)}: removed on the machine, and what is mounted here is what it was; start the agent anew"
        )
        if not self._told:
            self._told = True
            _log.error("the agent cannot go on and waits for its end", reason=reason)
        return reason
