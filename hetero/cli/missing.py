"""Why devices are not there, in the words of a person's commands: each failure of a driver is told once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from hetero.cli.failures import say
from hetero.monitoring.inventory import Machine


def rows(machine: Machine) -> list[dict[str, Any]]:
    """All failures for programs, which know themselves what they miss."""
    return [{"vendor": vendor, "reason": str(failure)} for vendor, failure in machine.failures.items()]


def tell(machine: Machine) -> None:
    """Say which devices cannot be listed, and why; nothing of vendors that the machine has no driver of."""
    for sentence in broken(machine):
        say(sentence)


def broken(machine: Machine) -> Iterator[str]:
    """A sentence for each vendor whose driver is there and does not tell its devices."""
    for vendor, failure in machine.failures.items():
        if not machine.absent(vendor):
            yield _sentence(machine, vendor, failure)


def reasons(vendors: Collection[str], machine: Machine) -> Iterator[str]:
    """The same, and on a machine without any device why there is none."""
    if machine.devices:
        yield from broken(machine)
    elif not vendors:
        yield "no devices: no vendor is installed; pip install one, e.g. a hetero-<vendor> package"
    elif not machine.failures:
        yield f"no devices: the drivers of {', '.join(vendors)} show none"
    else:
        yield from (_sentence(machine, vendor, failure) for vendor, failure in machine.failures.items())


def _sentence(machine: Machine, vendor: str, failure: Exception) -> str:
    """Those that slices hold are known without the driver."""
    but = " but those of slices" if machine.of(vendor) else ""
    return f"no {vendor} devices{but}: {failure}"
