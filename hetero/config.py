"""Settings of a hetero process, from one YAML file and the environment. Unknown keys are refused.

The file is named by ``HETERO_CONFIG``, or is ``/etc/hetero/config.yaml`` when that exists. This module reads no YAML
itself: the process that has a YAML reader passes the document in, and the rest of hetero stays without one.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hetero.complaints import complaint
from hetero.errors import InvalidConfiguration

DEFAULT_PATH = Path("/etc/hetero/config.yaml")


class VendorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which vendors a process works with.

    Attributes:
        required: Entry points that must load; the process stops with an error when one does not. Empty by default,
            because on a developer's machine a broken plugin should not take the others with it.
        disabled: Entry points that are not loaded.
        foreign: Names of vendors whose own device plugin serves on the nodes, not hetero's agent. Pods that get their
            devices are bound with the annotations which that plugin reads as well.
    """

    required: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


NODE_POLICIES = ("binpack", "spread")
DEVICE_POLICIES = ("binpack", "spread", "numa", "topology-aware", "mutex")


class PlacementSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults of the planner; a pod's annotations win.

    Attributes:
        node_policy: ``binpack`` (fill a node before the next; default, it keeps whole nodes free) or ``spread``.
        device_policy: ``spread`` (default, programs disturb each other least), ``binpack``, ``numa``,
            ``topology-aware`` or ``mutex``, or several of them separated by commas, the weightiest first.
    """

    node_policy: str = "binpack"
    device_policy: str = "spread"

    def __post_init__(self) -> None:
        """Refuse a policy that does not exist."""
        if self.node_policy not in NODE_POLICIES:
            raise ValueError(f"{self.node_policy!r} is no policy; write {' or '.join(NODE_POLICIES)}")
        for word in self.device_policy.split(","):
            if word.strip() not in DEVICE_POLICIES:
                known = ", ".join(DEVICE_POLICIES)
                raise ValueError(f"{word.strip()!r} is no policy; write one or several of {known}, separated by commas")


class AdmissionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the webhook does with pods that ask devices.

    Attributes:
        scheduler_name: The scheduler that places them, as kube-scheduler's profile names it.
        overwrite_default_scheduler: Take over pods that name ``default-scheduler``, which is what the API server writes
            where a pod names none. Without it only pods that name :attr:`scheduler_name` are looked at.
        overwrite_any_scheduler: Take over pods of every other scheduler as well.
        allow_privileged: Admit privileged containers that ask devices, although they see every device of their node.
    """

    scheduler_name: str = "hetero-scheduler"
    overwrite_default_scheduler: bool = True
    overwrite_any_scheduler: bool = False
    allow_privileged: bool = False

    def __post_init__(self) -> None:
        """Refuse a scheduler without a name."""
        if not self.scheduler_name.strip():
            raise ValueError("scheduler_name is empty; write the name of kube-scheduler's profile")


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shared scheduler as a service (``hetero scheduler``).

    Attributes:
        extender: Address for kube-scheduler, ``HOST:PORT``; on loopback, where it is plain HTTP without a certificate.
        public: Address for the API server's webhook calls; empty for none.
        tls_cert: File with the certificate chain (PEM), read again when it changes; empty for plain HTTP.
        tls_key: File with its key.
        grant_seconds: How long a predicted place is kept for a pod that no Binding follows; > 0. Longer than a cycle of
            kube-scheduler, short enough that a wrong prediction does not keep devices idle.
        body_mib: Largest request that is read, in MiB, > 0; 5,000 nodes in full come to about 50.
        bind_threads: Bindings on their way at once, > 0; each waits for the API server most of its time.
        api_timeout: Seconds that the API server has for a connection and for each piece of an answer; > 0.
        success_events: Tell of each Binding in an event as well. Each is one more write to the API server, and
            kube-scheduler's ``Scheduled`` says the same.
    """

    extender: str = "127.0.0.1:9444"
    public: str = "0.0.0.0:9443"
    tls_cert: str = ""
    tls_key: str = ""
    grant_seconds: float = 10.0
    body_mib: int = 64
    bind_threads: int = 32
    api_timeout: float = 10.0
    success_events: bool = False

    def __post_init__(self) -> None:
        """Refuse amounts that are none, and half a certificate."""
        for name in ("grant_seconds", "body_mib", "bind_threads", "api_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; write a number greater than 0")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key belong together; write both or none")


PRECEDENCES = ("conserve", "strict", "off")


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent of a node (``hetero agent``). Paths are those of the machine: the agent's container has them so, too.

    Attributes:
        listen: Address of ``/healthz``, ``/readyz``, ``/metrics`` and ``/usage``, ``HOST:PORT``; empty for none.
        isolation: Keep the limits of slices by a library in their containers. False, on trusted nodes: programs see
            their devices and may use all of them; what hardware or drivers keep apart stays apart.
        kubelet_dir: Where the kubelet and its device plugins have their sockets.
        cdi_dir: Where the container runtime looks for CDI specifications.
        run_dir: Where slices are kept; gone after a restart of the machine, as they are.
        library_dir: Where copies of libraries are kept; programs may be executed from there.
        precedence: Between slices of different priorities on one device, ``conserve``: those of a lower one make way
            while one of a higher one launches something; ``strict``: for as long as a process of it lives; ``off``:
            priorities say who is lent idle compute first, no more. ``hetero run`` keeps to it as well.
        sample_seconds: Between two looks at the devices' health, > 0.
        sweep_seconds: Between two looks for what containers have left, > 0, beside those when a pod goes.
        api_timeout: Seconds that the API server has for a connection and for each piece of an answer; > 0.
    """

    listen: str = "0.0.0.0:9445"
    isolation: bool = True
    kubelet_dir: str = "/var/lib/kubelet/device-plugins"
    cdi_dir: str = "/var/run/cdi"
    run_dir: str = "/run/hetero"
    library_dir: str = "/var/lib/hetero/lib"
    precedence: str = "conserve"
    sample_seconds: float = 5.0
    sweep_seconds: float = 300.0
    api_timeout: float = 10.0

    def __post_init__(self) -> None:
        """Refuse amounts that are none, words that mean nothing, and paths that hang on where the agent was started."""
        if self.precedence not in PRECEDENCES:
            raise ValueError(f"precedence is {self.precedence!r}; write {', '.join(PRECEDENCES[:-1])} or off")
        for name in ("sample_seconds", "sweep_seconds", "api_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; write a number greater than 0")
        for name in ("kubelet_dir", "cdi_dir", "run_dir", "library_dir"):
            if not Path(getattr(self, name)).is_absolute():
                raise ValueError(f"{name} is {getattr(self, name)!r}; write an absolute path")


class DashboardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dashboard (``hetero dashboard``).

    Attributes:
        listen: Address of the pages and of ``/api/v1``, ``HOST:PORT``.
        health: Address of ``/healthz``, ``/readyz`` and ``/metrics``, for everybody who reaches it; empty for none.
        auth: How people are known: ``token`` (a bearer token of Kubernetes, reviewed by the API server), ``proxy`` (a
            proxy before it says who asks) or ``none``, on loopback alone. Empty, the default: ``token`` in a cluster,
            ``none`` elsewhere.
        tls_cert: File with the certificate chain (PEM), read again when it changes; empty for plain HTTP.
        tls_key: File with its key.
        hosts: Names by which people reach it, as they stand in their browsers, beside those of loopback.
        agents: How the agents of nodes are asked what is used: ``direct`` or by the API server's ``proxy``. Empty, the
            default: ``direct`` in a cluster, ``proxy`` elsewhere.
        namespace: Where the agents' pods are: nowhere else is one believed. Empty, the default: this process's own, or
            ``hetero-system`` outside a cluster.
        requests_per_second: To all agents together, > 0.
        prometheus: URL of a Prometheus that has our metrics, for what was; empty for none.
        trusted_proxies: Addresses or networks from which :attr:`user_header` is believed; for ``proxy``.
        user_header: The header in which the proxy says who asks.
        proxy_secret: File with a secret that the proxy sends as ``X-Hetero-Proxy-Secret``; empty for none.
        api_timeout: Seconds that the API server has for a connection and for each piece of an answer; > 0.
    """

    listen: str = "127.0.0.1:9446"
    health: str = "127.0.0.1:9447"
    auth: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    hosts: tuple[str, ...] = ()
    agents: str = ""
    namespace: str = ""
    requests_per_second: float = 200.0
    prometheus: str = ""
    trusted_proxies: tuple[str, ...] = ()
    user_header: str = "X-Forwarded-User"
    proxy_secret: str = ""
    api_timeout: float = 10.0

    def __post_init__(self) -> None:
        """Refuse words and amounts that are none, half a certificate, and a proxy that nobody is trusted to be."""
        for name, words in (("auth", ("token", "proxy", "none")), ("agents", ("direct", "proxy"))):
            if getattr(self, name) not in ("", *words):
                known = f"{', '.join(words[:-1])} or {words[-1]}"
                raise ValueError(f"{name} is {getattr(self, name)!r}; write {known}, or leave it empty")
        for name in ("requests_per_second", "api_timeout"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; write a number greater than 0")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key belong together; write both or none")
        self._check_proxy()

    def _check_proxy(self) -> None:
        for text in self.trusted_proxies:
            try:
                everybody = not ipaddress.ip_network(text).prefixlen
            except ValueError as error:
                raise ValueError(f"trusted_proxies: {text!r} is no address and no network; write 10.0.0.0/8") from error
            if everybody and not self.proxy_secret:
                raise ValueError(f"trusted_proxies: {text} is everybody; write the proxy's address, or a proxy_secret")
        if self.auth == "proxy" and not self.trusted_proxies:
            raise ValueError("auth is 'proxy' and trusted_proxies is empty; write the addresses of the proxy")
        if not self.user_header.replace("-", "").isalnum():
            raise ValueError(f"user_header is {self.user_header!r}; write the name of a header, such as X-Remote-User")


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long this node's drivers have for an answer before their devices count as unhealthy.

    Attributes:
        deadline_s: Seconds for a question: which devices there are, what they do; > 0. A driver that is merely slow,
            because it is loaded anew for each process or resets a card, takes a few.
        prepare_s: Seconds for making, checking and undoing a slice; > 0. Some chips take long to make an instance.
    """

    deadline_s: float = 10.0
    prepare_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse amounts that are none."""
        for name in ("deadline_s", "prepare_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; write a number greater than 0")


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes to standard error.

    Attributes:
        level: ``debug``, ``info``, ``warning`` or ``error``. Empty, the default, is ``warning`` for commands, which say
            nothing when they work, and ``info`` for a service.
        json: One JSON object per line instead of words.
    """

    level: str = ""
    json: bool = False

    def __post_init__(self) -> None:
        """Refuse a level that does not exist."""
        if self.level not in ("", "debug", "info", "warning", "error"):
            raise ValueError(f"{self.level!r} is no level; write debug, info, warning or error")


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Metrics under other names, beside our own, for dashboards that exist already.

    Attributes:
        peer_names: Those of HAMi that begin with ``hami_``.
        legacy_names: Its older ones.
    """

    peer_names: bool = False
    legacy_names: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, by topic."""

    vendors: VendorSettings = VendorSettings()
    placement: PlacementSettings = PlacementSettings()
    admission: AdmissionSettings = AdmissionSettings()
    drivers: DriverSettings = DriverSettings()
    log: LogSettings = LogSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    agent: AgentSettings = AgentSettings()
    metrics: MetricsSettings = MetricsSettings()
    dashboard: DashboardSettings = DashboardSettings()


def path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file of this process; None when there is none and none is named."""
    named = environment.get("HETERO_CONFIG")
    if named:
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.exists() else None


def settings(document: Any, source: str) -> Settings:
    """Check a configuration document.

    Args:
        document: What the YAML reader returned; None for an empty file.
        source: The file, for the error.

    Raises:
        InvalidConfiguration: A key is unknown or a value cannot be used.
    """
    try:
        return msgspec.convert({} if document is None else document, Settings)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(source, complaint(error, Settings, document)) from error
    except ValueError as error:
        raise InvalidConfiguration(source, str(error)) from error


def runtime_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where this user's slices live on this machine.

    ``HETERO_RUNTIME_DIR`` when set, else ``$XDG_RUNTIME_DIR/hetero``, else a directory of the user's own below the
    directory for temporary files. All of them vanish with a restart of the machine, as slices do.
    """
    if environment.get("HETERO_RUNTIME_DIR"):
        # Absolute: a program of the slice may look for its region from another directory.
        return Path(environment["HETERO_RUNTIME_DIR"]).absolute()
    if environment.get("XDG_RUNTIME_DIR"):
        return Path(environment["XDG_RUNTIME_DIR"], "hetero")
    return Path(tempfile.gettempdir(), f"hetero-{os.getuid()}")
