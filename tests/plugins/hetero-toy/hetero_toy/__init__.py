"""Widgets for hetero: registers a vendor, a scorer and a command."""

from __future__ import annotations

from typing import Any

from hetero.hookspecs import hookimpl
from hetero.vendor import Feature, Resources, Vendor
from hetero_toy.discovery import JsonDiscovery
from hetero_toy.enforcement import VariablesOnly
from hetero_toy.scorer import KeepWidgetsCool
from hetero_toy.splitting import WidgetSplitting

toy = Vendor(
    name="toy",
    title="Toy widget",
    version="1.0",
    resources=(
        Resources(
            vendor="toy",
            count="toy.example/widget",
            memory="toy.example/widget-memory",
            memory_percentage="toy.example/widget-memory-percentage",
            cores="toy.example/widget-cores",
        ),
    ),
    discovery=JsonDiscovery(),
    splitting=WidgetSplitting(),
    enforcement=VariablesOnly(),
    missing={
        Feature.PRIORITY: "widgets run one program after another",
        Feature.PARTITION: "widgets have no hardware instances",
        Feature.LINKS: "widgets are not linked",
        Feature.PROCESSES: "the driver does not tell who uses a widget",
        Feature.SIMULATION: "the driver is a file already",
    },
    words=("toy.example", "widget", "libtoy"),
)


@hookimpl
def hetero_register_vendors() -> list[Vendor]:
    """The one vendor of this package."""
    return [toy]


@hookimpl
def hetero_register_scorers() -> list[KeepWidgetsCool]:
    """A say in where pods go."""
    return [KeepWidgetsCool()]


@hookimpl
def hetero_register_commands() -> list[Any]:
    """``hetero toy``."""
    from hetero_toy.command import command  # the command line's libraries, only where there is a command line

    return [command]
