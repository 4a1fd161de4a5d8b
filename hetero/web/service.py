"""The dashboard, put together: the cluster followed, agents asked, pages made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from starlette.applications import Starlette

from hetero import log, metrics
from hetero.config import DashboardSettings, Settings
from hetero.errors import InvalidValue
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.informer import Informer
from hetero.listening import Address
from hetero.monitoring.agents import QUERY, AgentPod
from hetero.monitoring.asking import Direct, Relayed, Way
from hetero.placement import Scorer
from hetero.scheduler import app as probes
from hetero.vendor import Vendor
from hetero.web import guard
from hetero.web.access import Access, Open, Proxied, Tokens
from hetero.web.app import Dashboard, Kitchen
from hetero.web.collector import SECONDS, Agents, Collector
from hetero.web.history import Past
from hetero.web.review import Reviewer
from hetero.web.state import Following, State

_log = log.logger("dashboard")

NAMESPACE = "hetero-system"
"""Of the agents, where nothing says another."""


class Service:
    """One dashboard process.

    Args:
        api: The API server.
        vendors: The installed vendors by name.
        scorers: The plugins' say.
        settings: All of them, with what was left open decided (:func:`decided`).
        where: Where the pages are served.

    Raises:
        InvalidConfiguration: The secret of the proxy cannot be read.
        InvalidValue: Prometheus has no URL.

    Attributes:
        state: What is known.
        pages: The application for people.
        probes: The application for probes and Prometheus.
    """

    def __init__(
        self, api: Api, vendors: Mapping[str, Vendor], scorers: Iterable[Scorer], settings: Settings, where: Address
    ) -> None:
        own = settings.dashboard
        self.state = State(vendors, settings.placement, scorers)
        self._following = Following(self.state, api)
        self._stopping = False
        self._agents = Agents()
        self._finding = Informer(api, paths.pods(namespace(own)), AgentPod, self._agents, QUERY)
        way: Way = Direct(SECONDS) if own.agents == "direct" else Relayed(api, SECONDS)
        self._collector = Collector(
            self._agents, way, self.state.reports, self._following.nodes, own.requests_per_second, self.state.clock
        )
        self._access = access_of(own, api)
        self._dashboard = Dashboard(
            Kitchen(self.state, self._collector.seen),
            self._access,
            past=Past(own.prometheus),
            scheduler=settings.admission.scheduler_name,
            hosts=(*own.hosts, *guard.names(where.host)),
        )
        self.pages: Starlette = self._dashboard.app
        self.probes = Starlette(routes=[*probes.common(self.waiting, self.measure, "dashboard")])

    def start(self) -> None:
        """Begin to follow the cluster."""
        self._following.start()
        self._finding.start()
        self._collector.start()

    def retire(self) -> None:
        """Say that no more is taken, and end what is watched, before the listeners close."""
        self._stopping = True
        self._dashboard.hub.close()

    def stop(self) -> None:
        """End all threads."""
        self._dashboard.close()
        if isinstance(self._access, Tokens):
            self._access.close()
        self._collector.stop()
        self._finding.stop()
        self._following.stop()

    def waiting(self) -> str:
        """What keeps this process from being ready; empty when it is. An API server that goes away later does not."""
        return "stopping" if self._stopping else self._following.waiting()

    def measure(self) -> None:
        """Bring the gauges up to date."""
        for informer in (*self._following.informers.values(), self._finding):
            informer.measure()
        metrics.watchers.set(self._dashboard.hub.watchers)
        metrics.usage_lag.set(self.state.reports.oldest(self.state.clock()))


def namespace(own: DashboardSettings) -> str:
    """Where agents are looked for, and nowhere else: anybody may give a pod the label of one."""
    return own.namespace or os.environ.get("POD_NAMESPACE") or NAMESPACE


def access_of(own: DashboardSettings, api: Api) -> Access:
    """How people are known."""
    if own.auth == "none":
        return Open()
    return Proxied(own) if own.auth == "proxy" else Tokens(Reviewer(api), secure=bool(own.tls_cert))


def decided(own: DashboardSettings, where: Address, *, inside: bool | None = None) -> tuple[str, str]:
    """What settings leave open: how people are known, and how agents are asked.

    Args:
        own: The settings.
        where: Where the pages are served.
        inside: This process runs in a cluster; by default as its environment says.

    Raises:
        InvalidValue: Nobody is to log in, where others reach the pages.
    """
    inside = "KUBERNETES_SERVICE_HOST" in os.environ if inside is None else inside
    auth = own.auth or ("token" if inside or not where.loopback else "none")
    if auth == "none" and not where.loopback:
        reason = "is reached from other machines, where nobody may look without logging in; write token or proxy"
        raise InvalidValue("dashboard.auth none", f"{where.host}:{where.port}", f"{reason}, or listen on 127.0.0.1")
    return auth, own.agents or ("direct" if inside else "proxy")
