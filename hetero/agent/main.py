"""Starts the agent and keeps it running until it is told to stop."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import threading
from collections.abc import Mapping

from hetero import listening, log, memory
from hetero.agent.page import Page
from hetero.agent.service import Agent, Place
from hetero.config import Settings
from hetero.errors import InvalidValue
from hetero.kube.client import Api
from hetero.plugins import Plugins

_log = log.logger("agent")


def run(settings: Settings, plugins: Plugins, *, kubeconfig: str | None, context: str | None, place: Place) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: All of them.
        plugins: Vendors.
        kubeconfig: See :meth:`hetero.kube.client.Api.connect`.
        context: The same.
        place: Where it runs.

    Raises:
        InvalidValue: The address cannot be listened on.
        InvalidConfiguration: The kubeconfig cannot be used.
    """
    memory.few_arenas()
    memory.give_long_ones_back()
    own = settings.agent
    api = Api.connect(kubeconfig, context, timeout=own.api_timeout)
    opened = listening.listen(listening.address(own.listen, "agent.listen"), "agent.listen") if own.listen else None
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    agent = Agent(api, plugins.vendors, settings, place)
    page = Page(opened, agent.broken, agent.waiting, agent.exposed, agent.usage.report) if opened else None
    agent.start()
    if page:
        page.start()
    _log.info("started", node=place.node, vendors=list(plugins.vendors), listen=own.listen)
    _settle()
    stopping.wait()
    _log.info("stopping")
    agent.stop()
    if page:
        page.stop()
    _log.info("stopped")


def _settle() -> None:
    """What was imported stays, and is not looked at again; what it took to read it is given back.

    The second collection finds next to nothing, and is for its count: whole collections wait until a quarter of what
    the last one has seen came new, which would be a quarter of all modules.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def place(node: str | None, environment: Mapping[str, str] = os.environ) -> Place:
    """Where this agent runs, as the chart tells it by variables.

    Args:
        node: The node's name, where the command line says it.
        environment: Of this process.

    Raises:
        InvalidValue: Nobody says which node this is.
    """
    name = node or environment.get("NODE_NAME", "")
    if not name:
        raise InvalidValue("--node", name, "is missing; name the node, or set NODE_NAME")
    return Place(
        node=name,
        agent=environment.get("HETERO_AGENT_NAME", ""),
        namespace=environment.get("POD_NAMESPACE", ""),
        daemonset=environment.get("HETERO_DAEMONSET", ""),
        inventories=tuple(environment.get("HETERO_INVENTORIES", "").split()),
    )
