"""Lends what slices of one runtime directory leave idle: looks at their regions each period and writes the loans.

Of all who look at a directory one leads, by a file lock that ends with its process; the others try again each period.
A loan holds for two periods: when nobody renews it, every slice is back at what it was promised.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hetero import log
from hetero.enforcement import accounts, region
from hetero.enforcement.accounts import Account
from hetero.errors import RegionError
from hetero.monitoring.balance import CONSERVE, Tenant, loans

_log = log.logger("lending")

PERIOD_NS = 200_000_000
LOAN_NS = 2 * PERIOD_NS
SETTLED = 5
"""Periods in a row after which what a slice used counts as what it needs."""

_LOCK = "lending.lock"

Place = tuple[str, int]
"""A region, and the position of a device in it."""


class Lender:
    """One who looks at the slices below a runtime directory.

    Args:
        directory: The runtime directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock: int | None = None
        self._seen: dict[Place, deque[Account]] = {}

    @property
    def leads(self) -> bool:
        """True when this one lends, and no other."""
        return self._lock is not None

    def look(self) -> None:
        """Lend by what happened since the last look, if this one leads. Call it once a period; it never raises."""
        try:
            if self._lock is None:
                self._lock = locked(self._directory / _LOCK)
            if self.leads:
                self._lend()
        except Exception as error:  # a program must not end because of what its neighbours might be lent
            _log.debug("nothing lent this time", reason=str(error))

    def close(self) -> None:
        """Let another one lead."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _lend(self) -> None:
        read = {(path, one.position): one for path in regions(self._directory) for one in accounts_of(path)}
        self._seen = {place: _appended(self._seen.get(place), now) for place, now in read.items()}
        for places in _by_device(read):
            tenants = [tenant(name_of(place), self._seen[place]) for place in places]
            lent = loans(tenants)
            for place in places:
                if name_of(place) in lent:
                    _write(place, read[place], lent[name_of(place)])


def regions(directory: Path) -> list[str]:
    """Where the slices below a runtime directory have their regions; one that is being made has none yet."""
    slices = directory / "slices"
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return [f"{slices}/{name}/region" for name in sorted(os.listdir(slices))]  # noqa: PTH208 — names
    return []


def name_of(place: Place) -> str:
    """A slice, and the position of the device in it: the same device may be in it twice."""
    path, position = place
    return f"{path}#{position}"


def tenant(name: str, seen: Sequence[Account]) -> Tenant:
    """A slice as its last readings show it, the newest last. Pure."""
    now, before = seen[-1], seen[-2] if len(seen) > 1 else seen[-1]
    return Tenant(
        id=name,
        cores=now.core_limit,
        policy=now.policy,
        priority=now.priority,
        used=max(_used(seen[0], now), _used(before, now)),
        active=active(before, now),
        settled=len(seen) > SETTLED and all(active(*pair) for pair in zip(seen, list(seen)[1:], strict=False)),
        held_back=_held_back(before, now),
        held_to=now.held_to,
    )


def active(before: Account, now: Account) -> bool:
    """True when a program used the device between two readings, or waited for it. Pure."""
    if before is now:  # the first reading: what was before is not known
        return now.seen_ns > now.read_ns - PERIOD_NS
    return now.seen_ns >= before.read_ns or now.busy_ns > before.busy_ns


def _used(before: Account, now: Account) -> float:
    passed = now.read_ns - before.read_ns
    return min(100.0, max(0.0, 100 * (now.busy_ns - before.busy_ns) / passed)) if passed > 0 else 0.0


def _held_back(before: Account, now: Account) -> bool:
    """Waiting is counted when it is over; until then it shows by an account that is overdrawn and looked after."""
    waits = now.budget_ns < 0 and now.seen_ns >= before.read_ns
    return active(before, now) and (now.throttled_ns > before.throttled_ns or waits)


def _appended(seen: deque[Account] | None, now: Account) -> deque[Account]:
    kept = deque(maxlen=SETTLED + 1) if seen is None else seen
    kept.append(now)
    return kept


def accounts_of(path: str) -> tuple[Account, ...]:
    """The accounts of a slice's region; none of one that cannot be read."""
    try:
        return accounts.read(path)
    except RegionError as error:  # a slice that is being made or removed
        _log.debug("region not read", reason=str(error))
        return ()


def _by_device(read: Mapping[Place, Account]) -> Iterable[list[Place]]:
    """The places of each device on which something can be lent."""
    found: dict[str, list[Place]] = {}
    for place, account in read.items():
        found.setdefault(account.uuid, []).append(place)
    return [places for places in found.values() if any(read[place].policy == CONSERVE for place in places)]


def _write(place: Place, account: Account, percent: int) -> None:
    """A loan, or the end of one; nothing where there was none and is none."""
    if not percent and not account.lent:
        return
    path, position = place
    with contextlib.suppress(RegionError):  # its slice has ended meanwhile
        region.change(Path(path), position, lent=region.Loan(percent=percent, until_ns=account.read_ns + LOAN_NS))


def locked(path: Path) -> int | None:
    """A descriptor that holds the lock; None when another process does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
