"""Whether a node's container runtime does what a CDI name asks for. Pure.

One that does not starts the container all the same, without its devices and without its limits, and says nothing: so
slices are offered only where the runtime is known to be new enough.

Source: containerd, ``docs/cri/config.md`` (1.7: ``enable_cdi``, off by default; 2.0: on); CRI-O, release notes of 1.23.
Tried with containerd 1.6.20, which passes the names over, and 2.2.
"""

from __future__ import annotations

import re

import msgspec

_VERSION = re.compile(r"(?P<name>[a-z-]+)://v?(?P<major>\d+)\.(?P<minor>\d+).*")

_ADVICE = "use containerd 2.0 or newer, or CRI-O 1.23 or newer"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a runtime.

    Attributes:
        serves: False: it would start containers without their limits.
        concern: A sentence about what is wrong, or cannot be known; empty when all is well.
    """

    serves: bool
    concern: str = ""


def judge(version: str) -> Judgement:
    """Judge a runtime by ``node.status.nodeInfo.containerRuntimeVersion`` (``containerd://2.2.9``)."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return _refused(f"container runtime {version!r} is not known to read CDI specifications")
    release = int(match["major"]), int(match["minor"])
    if match["name"] == "containerd":
        return _containerd(version, release)
    if match["name"] == "cri-o":
        return _refused(f"{version} passes CDI devices over") if release < (1, 23) else Judgement(serves=True)
    return _refused(f"container runtime {version} is not known to read CDI specifications")


def _containerd(version: str, release: tuple[int, int]) -> Judgement:
    if release < (1, 7):
        return _refused(f"{version} passes CDI devices over")
    if release < (2, 0):
        return Judgement(
            serves=True,
            concern=f"{version} reads CDI specifications only with enable_cdi = true in its configuration, which "
            "cannot be seen from here; without it pods run without devices and limits; set it, or use containerd 2.0",
        )
    return Judgement(serves=True)


def _refused(what: str) -> Judgement:
    return Judgement(serves=False, concern=f"{what}: pods would run without their devices and limits; {_ADVICE}")
