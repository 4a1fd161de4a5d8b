"""A share of an NPU as the surroundings of its program: a vNPU made for it, limits by software, or the chip itself.

Who makes vNPUs is decided once for a machine, by the variable ``HETERO_ASCEND_VNPU``:

``hetero`` (the default)
    They are made here and destroyed with the slice. The container gets ``/dev/vdavinciN`` by the name that programs
    look for, ``/dev/davinciN``, and the driver's files. Where ascend-docker-runtime is there as well, the variables
    tell it to pass the vNPU that there is, so it makes none.
``runtime``
    ascend-docker-runtime makes them when it starts the container; it is told the template by variables, and hetero adds
    no node and no file. It makes one for a container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from hetero.driver import host
from hetero.errors import DriverError, DriverMissing, EnforcementError
from hetero.model.allocation import ContainerEdits, DeviceNode, Grant, Mount, Slice
from hetero.vendor import Enforcement, Finding
from hetero_ascend import journal, modes, soft
from hetero_ascend.dcmi import Dcmi
from hetero_ascend.making import Maker
from hetero_ascend.names import VENDOR
from hetero_ascend.rings import place
from hetero_ascend.splitting import is_whole

MAKER_VARIABLE = "HETERO_ASCEND_VNPU"
RUNTIME = "runtime"

VISIBLE = "ASCEND_VISIBLE_DEVICES"
SPECS = "ASCEND_VNPU_SPECS"
OPTIONS = "ASCEND_RUNTIME_OPTIONS"

# Source: mind-cluster, ascend-docker-runtime, its base.list, and what it adds without one.
_FILES = (
    "/usr/local/Ascend/driver/lib64",
    "/usr/local/Ascend/driver/include",
    "/usr/local/Ascend/driver/version.info",
    "/usr/local/dcmi",
    "/usr/local/bin/npu-smi",
    "/etc/ascend_install.info",
)
_QUEUE = "/var/queue_schedule"  # programs write into it
_LIBRARIES = ("/usr/local/Ascend/driver/lib64/common", "/usr/local/Ascend/driver/lib64/driver")


class NpuEnforcement(Enforcement):
    """The Ascend vendor's hook.

    Args:
        dcmi: The library.
    """

    def __init__(self, dcmi: Dcmi | None = None) -> None:
        self._maker = Maker(dcmi or Dcmi())

    def prepare(self, held: Slice) -> ContainerEdits:
        """Make the slice's vNPUs, and tell its chips to the program."""
        templates = [grant for grant in held.grants if grant.share.template]
        if os.environ.get(MAKER_VARIABLE, "") == RUNTIME and not _by_software(held.grants):
            return _told_to_runtime(held.grants, templates)
        if templates:
            return self._with_vnpus(held)
        edits = _chips(held.grants)
        return _with_limits(edits, held) if _by_software(held.grants) else edits

    def release(self, held: Slice) -> None:
        """Destroy what was made for the slice."""
        if not host(VENDOR, journal.PLACE).exists():
            return  # nothing was ever made
        with journal.opened() as book:
            for entry in book.of(held.id):
                self._maker.undo(book, entry)

    def check(self) -> Iterator[Finding]:
        """How the chips are split here, whether what that needs is there, and what is nobody's: chips and vNPUs.

        Nothing where there is no driver: then there are no chips to be split.
        """
        try:
            nameless = self._maker.nameless()
        except DriverMissing:
            return
        except DriverError:
            nameless = []  # doctor says so of the driver itself
        soft_here = modes.soft_here()
        detail = f"by vNPUs, which {_maker_name()} makes"
        yield _soft_finding() if soft_here else Finding(subject="splitting", ok=True, detail=detail)
        yield from map(_nameless_finding, nameless)
        yield from () if soft_here else self._strangers()

    def _strangers(self) -> Iterator[Finding]:
        """VNPUs that others have made."""
        try:
            strangers = sorted(set(self._maker.numbers()) - journal.numbers())
        except (DriverError, EnforcementError):
            return  # doctor says so of the driver itself
        if strangers:
            numbers = ", ".join(map(str, strangers))
            yield Finding(
                subject="vNPUs",
                ok=False,
                detail=f"not made by hetero: {numbers}",
                advice="hetero does not know of the room that they take; destroy those in disuse by npu-smi set",
            )

    def _with_vnpus(self, held: Slice) -> ContainerEdits:
        """Of a slice with templates; what else it holds are whole chips."""
        with journal.opened() as book:
            numbers = {
                position: self._maker.ensure(book, held.id, position, grant)
                for position, grant in enumerate(held.grants)
                if grant.share.template
            }
        if len(numbers) < len(held.grants):
            raise EnforcementError("a container cannot have vNPUs and whole NPUs at once; ask them for two containers")
        shared = dict.fromkeys(path for grant in held.grants for path in grant.device.paths[1:])
        return ContainerEdits(
            env={VISIBLE: ",".join(map(str, numbers.values())), OPTIONS: "VIRTUAL"},
            mounts=_files(),
            device_nodes=(*map(_renamed, numbers.values()), *shared),
            library_path=_libraries(),
        )


def _renamed(number: int) -> DeviceNode:
    """A vNPU's node by the name that programs look for."""
    return DeviceNode(host_path=f"/dev/vdavinci{number}", container_path=f"/dev/davinci{number}")


def _chips(grants: Sequence[Grant]) -> ContainerEdits:
    nodes = dict.fromkeys(path for grant in grants for path in grant.device.paths)
    visible = ",".join(str(place(grant.device)) for grant in grants)
    return ContainerEdits(env={VISIBLE: visible}, mounts=_files(), device_nodes=tuple(nodes), library_path=_libraries())


def _by_software(grants: Sequence[Grant]) -> bool:
    return not any(grant.share.template or is_whole(grant.device.model, grant.share) for grant in grants)


def _with_limits(edits: ContainerEdits, held: Slice) -> ContainerEdits:
    limits = soft.environment(held.grants, [place(grant.device) for grant in held.grants])
    return ContainerEdits(
        env=edits.env | limits,
        mounts=(*edits.mounts, *soft.mounts(held.directory)),
        device_nodes=edits.device_nodes,
        preload=(str(host(VENDOR, soft.LIBRARY)),),
        library_path=edits.library_path,
    )


def _told_to_runtime(grants: Sequence[Grant], templates: Sequence[Grant]) -> ContainerEdits:
    visible = {VISIBLE: ",".join(str(place(grant.device)) for grant in grants)}
    if not templates:
        return ContainerEdits(env=visible)
    if len(grants) > 1:
        raise EnforcementError(
            f"ascend-docker-runtime makes one vNPU for a container, and {len(grants)} NPUs are held; "
            f"set {MAKER_VARIABLE}=hetero to have them made by hetero"
        )
    return ContainerEdits(env=visible | {SPECS: templates[0].share.template})


def _files() -> tuple[Mount, ...]:
    """The driver's files, as far as this machine has them."""
    found = [Mount(host_path=path, container_path=path) for path in _FILES if host(VENDOR, path).exists()]
    if host(VENDOR, _QUEUE).exists():
        found.append(Mount(host_path=_QUEUE, container_path=_QUEUE, read_only=False))
    return tuple(found)


def _libraries() -> tuple[str, ...]:
    return tuple(path for path in _LIBRARIES if host(VENDOR, path).exists())


def _maker_name() -> str:
    return "ascend-docker-runtime" if os.environ.get(MAKER_VARIABLE, "") == RUNTIME else "hetero"


def _nameless_finding(told: tuple[int, str]) -> Finding:
    position, reason = told
    advice = "it is left out, as it tells no identity of its own; see npu-smi info, and restart or replace it"
    return Finding(subject=f"card {position}", ok=False, detail=reason, advice=advice)


def _soft_finding() -> Finding:
    missing = [path for path in (soft.LIBRARY, soft.SHARED_REGION) if not host(VENDOR, path).exists()]
    if not missing:
        return Finding(subject="splitting", ok=True, detail=f"by software ({soft.LIBRARY})")
    return Finding(
        subject="splitting",
        ok=False,
        detail=f"by software, and {' and '.join(missing)} is not there",
        advice=f"install hami-vnpu-core, or set {modes.MODE_VARIABLE}=vnpu",
    )
