"""Agents as others see them: which pods they are, and what they say of their nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hetero.errors import AgentError
from hetero.kube.objects import Metadata, Object
from hetero.model.annotations import PART
from hetero.monitoring.report import VERSION, NodeReport

QUERY = {"labelSelector": f"{PART}=agent"}
"""Selects the agents' pods. Anybody may label a pod so: whoever believes agents looks in hetero's namespace alone."""

PORT = 9445
"""Where agents listen in a cluster. Source: the chart."""

MOST = 8 << 20
"""Bytes of a report: 100 slices on 16 devices take 60 KiB."""


class AgentSpec(Object, frozen=True):
    """``spec`` of an agent's pod."""

    node_name: str | None = None


class AgentStatus(Object, frozen=True):
    """``status`` of an agent's pod."""

    phase: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")


class AgentPod(Object, frozen=True):
    """The pod of an agent; a node may have several, of different images."""

    metadata: Metadata
    spec: AgentSpec = AgentSpec()
    status: AgentStatus = AgentStatus()

    @property
    def node(self) -> str:
        """Where it runs; empty while it has no node."""
        return self.spec.node_name or ""

    @property
    def address(self) -> str:
        """Of the pod; empty while it has none."""
        return self.status.pod_ip or ""

    @property
    def problem(self) -> str:
        """Why there is nobody to ask; empty where there is."""
        if self.metadata.deletion_timestamp:
            return "its agent ends"
        if self.status.phase != "Running" or not self.address:
            return f"its agent does not run ({self.status.phase or 'Pending'}): kubectl describe pod {self.shown}"
        return ""

    @property
    def shown(self) -> str:
        """As ``kubectl`` is told of it."""
        return f"-n {self.metadata.namespace} {self.metadata.name}"


class _Head(msgspec.Struct):
    """What all versions of a report have."""

    version: int = 0


_head = msgspec.json.Decoder(_Head).decode
_report = msgspec.json.Decoder(NodeReport).decode


def decoded(body: bytes, node: str) -> NodeReport:
    """The report that an agent answered with.

    Args:
        body: As it came.
        node: Where the agent runs.

    Raises:
        AgentError: It is no report, of another version, or of another node.
    """
    try:
        version = _head(body).version
        if version != VERSION:
            why = f"its agent reports in version {version} and this program reads {VERSION}; bring both to one release"
            raise AgentError(node, why)
        found = _report(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise AgentError(node, f"what its agent answered is no report: {error}") from error
    if found.node != node:
        raise AgentError(node, f"its agent reports node {found.node[:253]!r}")
    return found


def merged(reports: Iterable[NodeReport]) -> NodeReport:
    """What all agents of a node know, as one report; its time is that of the oldest.

    What two of them tell of, by identity, is taken from the one that was given first.

    Args:
        reports: At least one, of one node.
    """
    parts = tuple(reports)
    if len(parts) == 1:
        return parts[0]
    devices = {one.uuid: one for part in reversed(parts) for one in part.devices}
    slices = {(one.id, one.device, one.position): one for part in reversed(parts) for one in part.slices}
    return NodeReport(
        node=parts[0].node,
        time=min(part.time for part in parts),
        devices=tuple(sorted(devices.values(), key=lambda one: (one.vendor, one.index, one.uuid))),
        slices=tuple(sorted(slices.values(), key=lambda one: (one.vendor, one.id, one.position, one.device))),
    )
