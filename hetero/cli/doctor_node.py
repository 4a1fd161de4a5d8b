"""What ``hetero doctor`` looks at in an agent's container: the agent's folders, and the container runtime."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hetero.cli.finding import OK, PROBLEM, finding
from hetero.config import AgentSettings
from hetero.errors import HeteroError
from hetero.model.device import Device

_MOUNT = "see that the machine has it, and that it is mounted here as it is there, to be written"


def node(environment: Mapping[str, str]) -> str:
    """The node of the agent whose container this is, as the chart says by variables; empty anywhere else."""
    return environment.get("NODE_NAME", "") if "HETERO_AGENT_NAME" in environment else ""


def folders(own: AgentSettings) -> Iterator[dict[str, Any]]:
    """Whether the agent can keep slices, write specifications and reach the kubelet; nothing is written."""
    yield _writable("slices", own.run_dir, "kept in", "agent.run_dir")
    yield _writable("CDI folder", own.cdi_dir, "specifications go into", "agent.cdi_dir")
    yield _writable("library folder", own.library_dir, "copies go into", "agent.library_dir")
    socket = Path(own.kubelet_dir, "kubelet.sock")
    if socket.exists():
        yield _writable("kubelet", own.kubelet_dir, "device plugins go into", "agent.kubelet_dir")
    else:
        detail = f"{socket} is not there: no kubelet serves device plugins in it"
        yield finding("kubelet", PROBLEM, detail, "see agent.kubelet_dir, and whether the kubelet runs")


def changes() -> dict[str, Any]:
    """Whether the kernel tells the agent of changes of files; it says no where others who are root have taken all."""
    from hetero.allocation.inotify import DELETE_SELF, Inotify

    try:
        with Inotify() as queue:
            queue.watch(Path("/"), DELETE_SELF)
    except OSError as error:
        detail = f"the kernel tells of no changes of files: {error.strerror}; containers may start at the second try"
        return finding("inotify", PROBLEM, detail, "raise fs.inotify.max_user_instances or max_user_watches")
    return finding("inotify", OK, "the kernel tells of changes of files")


def container_runtime(node: str) -> Iterator[dict[str, Any]]:
    """Whether a node's container runtime gives containers their slices, as the API server has it."""
    from hetero.agent.node import Node
    from hetero.agent.runtime_check import judge
    from hetero.kube import paths
    from hetero.kube.client import Api

    part, advice = "container runtime", "see that this account may get its node, and that the API server is reached"
    try:
        shown = msgspec.json.decode(Api.connect(timeout=5.0).get(paths.node(node)), type=Node)
    except (HeteroError, msgspec.MsgspecError) as error:
        yield finding(part, PROBLEM, f"node {node} cannot be asked for: {error}", advice)
        return
    found = judge(shown.runtime)
    state = PROBLEM if found.concern else OK
    yield finding(part, state, found.concern or shown.runtime, "update it or configure it so" if found.concern else "")


def held(own: AgentSettings) -> Sequence[Device]:
    """The devices that slices of containers hold.

    Raises:
        EnforcementError: The slices cannot be listed.
    """
    from hetero.agent.records import Records

    return [grant.device for record in Records(Path(own.run_dir)).all() for grant in record.held.grants]


def _writable(part: str, folder: str, purpose: str, setting: str) -> dict[str, Any]:
    from hetero.allocation.cdi_folder import removed

    path = Path(folder)
    if removed(path):
        detail = f"{path} was removed on the machine and is mounted here as it was"
        return finding(part, PROBLEM, detail, "start the agent's container anew, unless the kubelet does so by itself")
    there = next((one for one in (path, *path.parents) if one.exists()), path)
    if not there.is_dir():
        return finding(part, PROBLEM, f"{there} is no directory", f"remove it, or set {setting}")
    if not os.access(there, os.W_OK | os.X_OK):
        return finding(part, PROBLEM, f"{there} cannot be written", _MOUNT)
    return finding(part, OK, f"{purpose} {path}" + ("" if there == path else ", which is made when it is needed"))
