"""Puts the three questions to a vendor's driver in a process of its own, which a faulty one may take with it.

``python -m hetero.testing.questions <package> <vendor> <seconds> <answer>``: the answer is a file with an
:class:`Interview`. A question that is not answered within the seconds is left behind with its thread.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec

from hetero import plugins
from hetero.errors import HeteroError
from hetero.hookspecs import PROJECT
from hetero.testing.sound import device_faults, sample_faults
from hetero.vendor import Vendor


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How one question ended.

    Attributes:
        question: Its name.
        error: The sentence of the error that it ended in; empty when there was none.
        faults: What is wrong with the way in which it ended, a sentence each.
        unhealthy: Reasons of devices that may not be used.
        silent: True when it did not come back in time.
    """

    question: str
    error: str = ""
    faults: tuple[str, ...] = ()
    unhealthy: tuple[str, ...] = ()
    silent: bool = False

    @property
    def amiss(self) -> bool:
        """True when something shows that all is not as it should be."""
        return bool(self.error or self.unhealthy or self.silent or self.faults)


class Interview(msgspec.Struct, frozen=True, kw_only=True):
    """All that was told, and why the package cannot be used (empty when it can)."""

    told: tuple[Told, ...] = ()
    failure: str = ""


def main(package: str, name: str, seconds: str, answer: str) -> None:
    """Ask everything once, write the answer, and leave without waiting for what hangs."""
    found = plugins.load([EntryPoint(name=name, value=package, group=PROJECT)])
    if name in found.vendors:
        interview = Interview(told=tuple(_interviewed(found.vendors[name], float(seconds))))
    else:
        interview = Interview(failure="; ".join(map(str, found.failures.values())) or f"no vendor {name!r}")
    Path(answer).write_bytes(msgspec.json.encode(interview))
    os._exit(0)


def _interviewed(vendor: Vendor, seconds: float) -> Iterator[Told]:
    asker, discovery = _Asker(seconds), vendor.discovery
    yield asker.ask("driver", discovery.driver, lambda _: Told(question="driver"))
    yield asker.ask("devices", discovery.devices, lambda devices: _of_devices(vendor, devices))
    yield asker.ask("sample", discovery.sample, _of_samples)


def _of_devices(vendor: Vendor, devices: Iterable[Any]) -> Told:
    listed = list(devices)
    ill = tuple(device.health.reason for device in listed if not device.health.ok)
    return Told(question="devices", faults=tuple(device_faults(listed, vendor.splitting)), unhealthy=ill)


def _of_samples(samples: Iterable[Any]) -> Told:
    listed = list(samples)
    ill = tuple(sample.health.reason for sample in listed if not sample.health.ok)
    return Told(question="sample", faults=tuple(sample_faults(listed)), unhealthy=ill)


class _Asker:
    """Asks in threads that may be lost. As in the core, nothing is asked while a question has not come back."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lost = False

    def ask(self, name: str, question: Callable[[], Any], judge: Callable[[Any], Told]) -> Told:
        told: list[Told] = []
        if not self._lost:
            thread = threading.Thread(target=lambda: told.append(_answered(name, question, judge)), daemon=True)
            thread.start()
            thread.join(self._seconds)
        self._lost = not told
        return told[0] if told else Told(question=name, silent=True)


def _answered(name: str, question: Callable[[], Any], judge: Callable[[Any], Told]) -> Told:
    try:
        return judge(question())
    except HeteroError as error:
        sentence = str(error)
        faults = () if sentence.strip() and sentence.isprintable() else (f"no sentence to read: {sentence!r}",)
        return Told(question=name, error=sentence.strip() or "?", faults=faults)
    except BaseException as error:
        fault = f"it raised {type(error).__name__} ({error}) instead of one of hetero's errors"
        return Told(question=name, error=str(error) or "?", faults=(fault,))


if __name__ == "__main__":
    main(*sys.argv[1:])
