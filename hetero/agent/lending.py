"""Lends compute that slices leave idle to those whose pods ask for it (``hetero.io/compute-policy: conserve``).

On one machine whoever runs such a slice sees to it; on a node the agent does. It looks five times a second, and only as
long as a slice here may be lent something.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from hetero import log
from hetero.agent.records import Records
from hetero.errors import EnforcementError
from hetero.monitoring.balance import CONSERVE
from hetero.monitoring.lending import PERIOD_NS, Lender

_log = log.logger("agent")

AGAIN = 10.0
"""Seconds between two looks whether there is still a slice that may be lent something."""


class Lending:
    """A thread that lends, and sleeps while there is nobody to lend to.

    Args:
        records: The slices of this node.
        directory: Where they are.
    """

    def __init__(self, records: Records, directory: Path) -> None:
        self._records = records
        self._directory = directory
        self._wanted = threading.Event()
        self._wanted.set()  # an agent that starts finds what the last one has left
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lending", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is lent runs out by itself."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def wake(self, policy: str) -> None:
        """A slice of this policy was made."""
        if policy == CONSERVE:
            self._wanted.set()

    def _run(self) -> None:
        while self._wanted.wait() and not self._stopping.is_set():
            self._wanted.clear()
            if self._any():
                self._lend()

    def _lend(self) -> None:
        """Until there is nobody left to lend to."""
        with contextlib.closing(Lender(self._directory)) as lender:
            asked = time.monotonic()
            while not self._stopping.wait(PERIOD_NS / 1e9):
                lender.look()
                if time.monotonic() - asked >= AGAIN:
                    asked = time.monotonic()
                    if not self._any():
                        return

    def _any(self) -> bool:
        try:
            return any(record.held.region and record.held.policy == CONSERVE for record in self._records.all())
        except EnforcementError as error:
            _log.warning("nothing is lent", reason=str(error))
            return False
