"""How the chips of this machine are split, and what its driver is: read from its files, and from its own tool.

A machine splits by software where hami-vnpu-core is installed, as ``/usr/local/hami-vnpu-core``; the variable
``HETERO_ASCEND_MODE`` (``vnpu`` or ``hami-core``) decides otherwise.
"""

from __future__ import annotations

import os
import re
import subprocess

from hetero import log
from hetero.driver import host
from hetero_ascend.chips import Chip
from hetero_ascend.dcmi import Address, Dcmi
from hetero_ascend.names import HARD, SOFT, VENDOR, VIR03

_log = log.logger("ascend")

MODE_VARIABLE = "HETERO_ASCEND_MODE"
SOFT_DIRECTORY = "/usr/local/hami-vnpu-core"
TOOL = "/usr/local/bin/npu-smi"
VERSION_FILE = "/usr/local/Ascend/driver/version.info"

_TOOL_SECONDS = 10


class Gates:
    """Which templates the driver has, of those that not every driver does. Its tool is asked once for each chip."""

    def __init__(self) -> None:
        self._known: dict[Address, bool] = {}

    def mode(self, chip: Chip, address: Address) -> str:
        """The mode of a chip of this machine."""
        if not chip.templates:
            return ""
        if soft_here():
            return SOFT
        gated = [one.name for one in chip.templates if one.gated]
        if not gated:
            return ""
        if address not in self._known:
            self._known[address] = all(name in _told(address) for name in gated)
        return VIR03 if self._known[address] else ""


def soft_here() -> bool:
    """True where software splits the chips of this machine."""
    chosen = os.environ.get(MODE_VARIABLE, "")
    if chosen in (HARD, SOFT):
        return chosen == SOFT
    return host(VENDOR, f"{SOFT_DIRECTORY}/ld.so.preload").exists()


def driver_version(dcmi: Dcmi) -> str:
    """As the library tells it, or the file that the driver's package installs; empty where neither does."""
    told = dcmi.driver_version()
    if told:
        return told
    try:
        text = host(VENDOR, VERSION_FILE).read_text(errors="replace")
    except OSError:
        return ""
    match = re.search(r"^(?:driver_)?version=\s*(\S+)", text, re.IGNORECASE | re.MULTILINE)
    return match[1] if match else ""


def _told(address: Address) -> str:
    """What the driver's tool says of its templates; nothing where it cannot be asked."""
    tool = str(host(VENDOR, TOOL))
    command = [tool, "info", "-t", "template-info", "-i", str(address.card)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TOOL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("templates of the driver are not known", tool=tool, reason=str(error))
        return ""
    return done.stdout
