"""A part of requirements/all.lock, by names: what an image installs, in the versions and with the hashes of the lock.

    python3 images/locked.py images/agent.txt >agent.lock

A list has a name a line; # begins a comment. Needs Python's standard library alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements/all.lock"


def names(text: str) -> list[str]:
    """The names of a list, in its order."""
    return [word for line in text.splitlines() if (word := line.split("#")[0].strip())]


def pins(lock: str) -> dict[str, list[str]]:
    """Each name of a lock to its entries: version, marker and hashes; some have a second for older Pythons."""
    found: dict[str, list[str]] = {}
    for entry in re.findall(r"^[a-z0-9][^\n]*(?:\n[ \t][^\n]*)*", lock, re.MULTILINE):
        found.setdefault(entry.split("==")[0], []).append(entry)
    return found


def picked(wanted: Iterable[str], lock: str) -> str:
    """The entries of a lock for some names.

    Raises:
        KeyError: With the first name that the lock does not have.
    """
    known = pins(lock)
    return "".join(f"{entry}\n" for name in wanted for entry in known[name])


def main(files: list[str]) -> int:
    """Print the lines for all names of the lists."""
    wanted = [name for file in files for name in names(Path(file).read_text())]
    try:
        sys.stdout.write(picked(wanted, LOCK.read_text()))
    except KeyError as missing:
        sys.stderr.write(f"{LOCK.name} does not have {missing}: make lock\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
