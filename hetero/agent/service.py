"""The agent of a node, put together: its pods and its node followed by informers, its devices, and the kubelet."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from hetero import log, metrics
from hetero.agent import goodbye, peers
from hetero.agent.binding import Lookup, NodeBinding
from hetero.agent.bounds import Bounds
from hetero.agent.exposing import samples
from hetero.agent.folders import Folders
from hetero.agent.heirs import heirs
from hetero.agent.inventory import Publisher
from hetero.agent.keeping import Keeper, Parts
from hetero.agent.lending import Lending
from hetero.agent.libraries import Libraries
from hetero.agent.node import Node, ThisNode
from hetero.agent.offering import Offering
from hetero.agent.others import Others
from hetero.agent.pods import Pod, Pods
from hetero.agent.precedence import Precedence
from hetero.agent.reconcile import Reconciler
from hetero.agent.records import Records
from hetero.agent.refusals import Refusals
from hetero.agent.shares import Shares
from hetero.agent.slices import Slices
from hetero.agent.telling import Telling
from hetero.agent.usage import Usage
from hetero.agent.watching import Watching
from hetero.allocation import checkpoint
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.plugin import Plugin, Surroundings, threads
from hetero.config import Settings
from hetero.errors import ApiError, EnforcementError
from hetero.instruments import exposition
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.decoding import Codec
from hetero.kube.events import Events
from hetero.kube.informer import Informer
from hetero.kube.snapshot import snapshot
from hetero.model.annotations import inventory
from hetero.model.device import Device
from hetero.monitoring.guard import guarded
from hetero.monitoring.inventory import Inventory
from hetero.peer_metrics import Names
from hetero.vendor import Vendor

_log = log.logger("agent")

COMPONENT = "hetero-agent"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an agent runs.

    Attributes:
        node: Name of the node.
        agent: Name of a further agent of the node, of another image; empty for the first.
        namespace: Of the agent's DaemonSet; empty when a person has started it.
        daemonset: Its name.
        inventories: Annotations of all agents that there are to be, of whatever image; empty where nobody says so.
    """

    node: str
    agent: str = ""
    namespace: str = ""
    daemonset: str = ""
    inventories: tuple[str, ...] = ()


class Agent:
    """One agent process.

    Attributes:
        usage: What the node's devices and slices do.

    Args:
        api: The API server.
        vendors: The installed vendors by name.
        settings: All of them.
        place: Where it runs.
    """

    def __init__(self, api: Api, vendors: Mapping[str, Vendor], settings: Settings, place: Place) -> None:
        own = settings.agent
        self._api, self._place = api, place
        every = guarded(vendors, settings.drivers.deadline_s, settings.drivers.prepare_s)
        # What a vendor's own device plugin serves is shown to the scheduler, and otherwise left to that one.
        served = {name: vendor for name, vendor in every.items() if name not in settings.vendors.foreign}
        self._served = tuple(served)
        self._kubelet = Path(own.kubelet_dir)
        self._events = Events(api, COMPONENT)
        self._telling = Telling(self._events, {name for one in served.values() for name in _names(one)})
        self._pods = Pods(self._telling.look, self._pod_gone)
        self._node = ThisNode(self._changed)
        this_node = {"fieldSelector": f"spec.nodeName={place.node}"}
        self._lookup = Lookup(self._pods, lambda: snapshot(api, paths.PODS, Codec(Pod), this_node)[1])
        self._informers: dict[str, Informer[Any]] = {
            "pods": Informer(api, paths.PODS, Pod, self._pods, this_node),
            "node": Informer(api, paths.NODES, Node, self._node, {"fieldSelector": f"metadata.name={place.node}"}),
        }
        self._folder = CdiFolder(Path(own.cdi_dir))
        self._folders = Folders((own.cdi_dir, own.run_dir, own.library_dir, own.kubelet_dir))
        records = Records(Path(own.run_dir))
        self._lending = Lending(records, Path(own.run_dir))
        self._precedence = Precedence(Path(own.run_dir), own.precedence)
        self._bounds = Bounds(records, served, self._region_cut)
        libraries = Libraries(Path(own.library_dir))
        self._slices = Slices(records, libraries, served, self._slice_made, isolation=own.isolation)
        self._reconciler = Reconciler(self._pods, self._pods_known, self._slices, self._folder, self._held)
        self._watching = Watching(Inventory(every), own.sample_seconds, self._changed, self._remembered)
        self._others = Others(inventory(place.agent), place.inventories, every, served)
        self.usage = Usage(
            place.node,
            records,
            self._watching,
            over=self._pods.over_in,
            served=served,
            elsewhere=self._elsewhere,
        )
        self._binding = NodeBinding(
            self._lookup,
            Shares(place.node, served),
            self._slices,
            lambda: self._watching.devices,
            self._reconciler.clear,
        )
        self._refusals = Refusals(self._pods.get, self._binding.wanted, api, self._events)
        self._pool = threads()
        self._offering = Offering(served, self._plugin, self._held)
        self._publisher = Publisher(api, place.node, every, self._others, every.keys() - served.keys())
        self._names = Names(current=settings.metrics.peer_names, legacy=settings.metrics.legacy_names)
        self._resources = {name: _names(vendor) for name, vendor in served.items()}
        self._isolation = own.isolation
        self._keeper = Keeper(
            Parts(
                self._node,
                self._watching,
                self._offering,
                self._publisher,
                self._refusals,
                self._reconciler,
                self._telling.runtime,
            ),
            own.sweep_seconds,
        )

    def start(self) -> None:
        """Begin; returns at once."""
        if not self._isolation:
            _log.warning("agent.isolation is false: no library keeps the limits of slices on this node")
        try:
            self._folder.prepare()
        except OSError as error:
            _log.warning("the folder of CDI specifications cannot be prepared", reason=str(error))
        self._watching.start()
        for informer in self._informers.values():
            informer.start()
        self._keeper.start()
        self._lending.start()
        self._precedence.start()
        self._bounds.start()
        self.usage.report()  # so that the first who asks is told what was used since

    def stop(self) -> None:
        """End all threads; where hetero was uninstalled, leave nothing behind."""
        self._lending.stop()
        self._precedence.stop()
        self._bounds.stop()
        self._keeper.stop()
        self._watching.stop()
        self._offering.stop()
        if goodbye.uninstalled(self._api, self._place.namespace, self._place.daemonset):
            self._leave()
        for informer in self._informers.values():
            informer.stop()
        self._events.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._folder.close()

    def broken(self) -> str:
        """Why this process can start no container any more, and the next one can; empty while it can."""
        return self._folders.lost()

    def waiting(self) -> str:
        """What keeps this process from being ready; empty when it is."""
        unread = [name for name, informer in self._informers.items() if not informer.synced.is_set()]
        reasons = [*unread, *filter(None, [self._keeper.waiting])]
        reasons += [f"the kubelet to follow {resource}" for resource in self._offering.unregistered()]
        reasons += filter(None, [self.broken()])
        metrics.agent_ready.set(int(not reasons))
        return f"waiting for: {', '.join(reasons)}" if reasons else ""

    def measure(self) -> None:
        """Bring the gauges up to date."""
        self.waiting()
        for informer in self._informers.values():
            informer.measure()
        counts = Counter({one.id: one.vendor for one in self.usage.report().slices}.values())
        metrics.slices.set_all({**dict.fromkeys(self._served, 0), **counts})
        self._precedence.measure()

    def exposed(self) -> str:
        """All metrics as Prometheus reads them, brought up to date."""
        self.measure()
        report = self.usage.report()
        found = samples(report, self._ages())
        if not self._names:
            return metrics.exposition("agent", found)
        peers.samples(self._names, report, found)
        return metrics.exposition("agent", found) + exposition(self._names.of("agent"), found)

    def _ages(self) -> dict[str, float]:
        now = time.monotonic()
        return {vendor: now - at for vendor, at in self._watching.sampled.items()}

    def _leave(self) -> None:
        place = self._place
        kept = heirs(self._api, place.namespace, place.daemonset, place.agent, self._served)
        _log.info("this agent is no more: what it has on this node is removed", but=sorted(kept))
        resources = [name for vendor, names in self._resources.items() if vendor not in kept for name in names]
        goodbye.clean(self._slices, self._folder, self._held, resources, kept)
        shown = self._node.shown
        try:
            if shown is not None:
                self._publisher.withdraw(shown, kept)
        except ApiError as error:
            _log.warning("the node's annotation and totals stay", reason=str(error))

    def _plugin(self, resource: str) -> Plugin:
        around = Surroundings(self._kubelet, self._folder, self._pool)
        return Plugin(resource, self._binding, around, self._refused)

    def _refused(self, held: Held, reason: str) -> None:
        self._refusals.note(held, reason)
        self._changed()

    def _held(self) -> Iterable[Held]:
        return checkpoint.read(self._kubelet / checkpoint.NAME)

    def _pods_known(self) -> bool:
        return self._informers["pods"].synced.is_set()

    def _remembered(self) -> list[Device]:
        """Devices that slices hold, and those that were published before: where a driver fails they are not gone."""
        shown = self._node.shown
        try:
            held = [grant.device for record in self._slices.records.all() for grant in record.held.grants]
        except EnforcementError as error:
            _log.warning("the slices of this node cannot be read", reason=str(error))
            held = []
        return [*held, *(self._publisher.known(shown) if shown else ())]

    def _elsewhere(self) -> Mapping[str, str]:
        shown = self._node.shown
        return self._others.elsewhere(shown.metadata.notes) if shown else {}

    def _changed(self) -> None:
        self._keeper.wake()

    def _slice_made(self, policy: str) -> None:
        self._lending.wake(policy)
        self._precedence.wake()
        self._bounds.wake()

    def _region_cut(self, slice_id: str) -> None:
        record = self._slices.records.read(slice_id)
        pod = self._pods.get(record.pod_uid) if record else None
        if record and pod:
            self._telling.grown(pod, record.container)

    def _pod_gone(self) -> None:
        self._keeper.wake_to_clear()


def _names(vendor: Vendor) -> list[str]:
    return [name.name for words in vendor.resources for name in words.names()]
