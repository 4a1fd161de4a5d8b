"""What ``hetero doctor`` is told of the cards beyond their health: versions, modes, and cards that are not listed."""

from __future__ import annotations

from collections.abc import Iterator

from hetero.errors import DriverError
from hetero.vendor import Finding
from hetero_cambricon import places, smlu, structs
from hetero_cambricon.cndev import Cndev, dotted


def findings(cndev: Cndev) -> Iterator[Finding]:
    """Nothing where the driver cannot be asked: that is told of the driver itself."""
    try:
        listed = cndev.cards()
        yield _versions(cndev)
        yield _bus(listed)
        yield from _silent(cndev, listed)
        yield _modes(cndev, listed)
    except DriverError:
        return


def _versions(cndev: Cndev) -> Finding:
    driver, library = cndev.driver_version(), cndev.library_version()
    able = smlu.able(cndev)
    return Finding(
        subject="sMLU",
        ok=able,
        detail=f"driver {dotted(driver)}, cndev {dotted(library)}",
        advice=""
        if able
        else f"cards are given whole only: sharing them needs driver {dotted(smlu.SINCE_DRIVER)} and "
        f"cndev {dotted(smlu.SINCE_LIBRARY)}",
    )


def _bus(listed: int) -> Finding:
    there = len(places.functions())
    return Finding(
        subject="cards on the PCI bus",
        ok=there <= listed,
        detail=f"{there} on the bus, {listed} listed by the driver",
        advice="" if there <= listed else "wait until the driver has started all cards, then look at cnmon",
    )


def _silent(cndev: Cndev, listed: int) -> Iterator[Finding]:
    """Cards that do not even tell their identity: no device can be shown for them."""
    for place in range(listed):
        try:
            cndev.uuid(cndev.handle(place))
        except DriverError as error:
            advice = "look at it with cnmon; once it tells its identity it is found"
            yield Finding(subject=f"card {place}", ok=False, detail=str(error), advice=advice)


def _modes(cndev: Cndev, listed: int) -> Finding:
    """Cards that are given whole are no fault: an administrator may want it so."""
    shared = 0
    for place in range(listed):
        try:
            mode = cndev.told("cndevGetSMLUMode", structs.SmluMode, cndev.handle(place))
        except DriverError:
            continue  # its health says why
        shared += bool(mode is not None and mode.smluMode)
    others = "; the others are given whole" if shared < listed else ""
    return Finding(subject="sMLU mode", ok=True, detail=f"on for {shared} of {listed} cards{others}")
