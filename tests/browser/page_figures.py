"""On a cluster that stands still, every figure of every page is the ledger's or the agents': page by page."""

from __future__ import annotations

import json
import math
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Opened
from tests.browser.stage import Dashboard, Stage, asked
from tests.browser.truth import Figures, Truth

COLLECT = (
    """() => [...document.querySelectorAll("[data-figure]")].map((one) => [one.dataset.figure, one.dataset.value])"""
)


@pytest.fixture(scope="session")
def truth(still: Stage) -> Figures:
    """What must be shown."""
    return Truth(still).figures()


def shown_on(page: Page) -> Figures:
    """The figures of a page; a figure that is there twice has one value."""
    found: Figures = {}
    for name, text in page.evaluate(COLLECT):
        value = json.loads(text)
        assert found.get(name, value) == value, name
        found[name] = value
    return found


def wrong(found: Figures, truth: Figures) -> dict[str, tuple[object, object]]:
    """The figures that are not what they must be, with what they must be."""
    return {name: (value, truth.get(name, "nothing")) for name, value in found.items() if not same(name, value, truth)}


def same(name: str, value: object, truth: Figures) -> bool:
    """Whether a figure is what it must be; sums of ratios may differ in their last digit, and unknown is not 0."""
    wanted = truth.get(name)
    if name not in truth or value is None or wanted is None:
        return name in truth and value is wanted
    assert isinstance(value, int | float)
    return math.isclose(value, wanted, rel_tol=1e-9)


def held(page: Page, truth: Figures, *needed: str) -> Figures:
    """Hold a page to the truth; the needed figures must be among those that it shows."""
    page.wait_for_selector(f"[data-figure='{needed[0]}']")
    found = {
        name: value for name, value in shown_on(page).items() if name != "total" and not name.endswith(".reported")
    }
    assert wrong(found, truth) == {}
    assert set(needed) <= set(found)
    return found


def test_the_overview(opened: Opened, truth: Figures, still: Stage) -> None:
    """The cluster, each vendor, the idlest cards, and since when pods wait."""
    vendors = {device.model.vendor for node in still.cluster.planner.inventory.nodes for device in node.devices}
    parts = [f"{kind}.{part}" for kind in ("memory", "compute") for part in ("capacity", "allocated", "used", "idle")]
    of_vendors = [f"vendor.{vendor}.{part}" for vendor in vendors for part in ("nodes", "cards", "idle", *parts)]
    page = opened("#/")
    held(
        page,
        truth,
        "cluster.nodes",
        "cluster.cards",
        "cluster.waiting",
        "waiting.research/too-large.since",
        *of_vendors,
    )
    assert page.locator("[data-card]").count() == 10


def test_the_nodes(opened: Opened, truth: Figures, still: Stage) -> None:
    """All of them, with what is promised and used."""
    names = [node.name for node in still.cluster.planner.inventory.nodes]
    wanted = [f"node.{name}.{part}" for name in names for part in ("cards", "memory.allocated", "compute.used")]
    page = opened("#/nodes")
    held(page, truth, *wanted)
    assert page.locator("[data-figure=total]").get_attribute("data-value") == str(len(names))


def test_each_node(opened: Opened, truth: Figures, still: Stage) -> None:
    """Its summary, its cards, and each slice of them."""
    page = opened("#/nodes")
    for node in still.cluster.planner.inventory.nodes:
        page.evaluate("(hash) => { location.hash = hash; }", f"#/nodes/{node.name}")
        cards = [f"card.{device.uuid}.memory.allocated" for device in node.devices]
        found = held(page, truth, f"node.{node.name}.memory.idle", *cards)
        slices = {name for name in truth for device in node.devices if name.startswith(f"slice.{device.uuid}.")}
        drawn = {name for name in slices if truth[name] and not name.endswith("_used")}
        assert drawn <= set(found)


def test_the_cards(opened: Opened, truth: Figures, still: Stage) -> None:
    """Over all pages of the list, each card once."""
    page = opened("#/cards")
    seen: list[str] = []
    while True:
        found = held(page, truth, f"card.{page.locator('[data-card]').first.get_attribute('data-card')}.slots")
        seen += [name for name in found if name.startswith("card.") and name.endswith(".slots_used")]
        after = page.locator(".pager a").last
        if len(seen) >= len(_cards(still)) or not after.count():
            break
        first = page.locator("[data-card]").first.get_attribute("data-card")
        after.click()
        page.wait_for_function("(first) => document.querySelector('[data-card]')?.dataset.card !== first", arg=first)
    assert sorted(seen) == sorted(f"card.{uuid}.slots_used" for uuid in _cards(still))


def test_what_init_containers_keep_is_drawn(opened: Opened, truth: Figures, still: Stage) -> None:
    """The parts of a card's bar come to what is promised of it, also where the slices alone are less; told in words."""
    [share] = still.placements["serving", "warmed-up"].containers[0].devices
    name = f"card.{share.device}.memory"
    page = opened(f"#/cards?search={share.device}")
    found = held(page, truth, f"{name}.allocated", f"{name}.reserved")
    assert found[f"{name}.reserved"] == 3 << 30
    slices = [value for one, value in found.items() if one.startswith("slice.") and one.endswith(".memory")]
    assert sum(value or 0 for value in slices) + (3 << 30) == found[f"{name}.allocated"]
    assert f"card.{share.device}.compute.reserved" not in found
    told = page.locator(f"[data-figure='{name}.reserved']").get_attribute("data-tip")
    assert told == "Memory: 3 GiB kept for init containers, which asked for more than those that run after them"


def _cards(still: Stage) -> list[str]:
    return [device.uuid for node in still.cluster.planner.inventory.nodes for device in node.devices]


def test_the_workloads(opened: Opened, truth: Figures, still: Stage) -> None:
    """Each pod, with what it was promised and uses."""
    wanted = [f"workload.{'/'.join(key)}.memory.used" for key in still.placements]
    held(opened("#/workloads"), truth, *wanted, "workload.research/too-large.since")


def test_each_workload(opened: Opened, truth: Figures, still: Stage) -> None:
    """What it holds, by container and card, with all that the agent says."""
    page = opened("#/workloads")
    page.wait_for_selector("[data-row]")
    for (namespace, pod), _ in sorted(still.placements.items())[::5]:
        page.evaluate("(hash) => { location.hash = hash; }", f"#/workloads/{quote(namespace)}/{quote(pod)}")
        held(
            page, truth, f"workload.{namespace}/{pod}.held.0.memory_used", f"workload.{namespace}/{pod}.held.0.launches"
        )


def test_the_quotas(opened: Opened, still: Stage) -> None:
    """What is used is what the namespace's pods were promised."""
    page = opened("#/quotas")
    page.wait_for_selector("[data-row]")
    found = shown_on(page)
    pods = [placed for (namespace, _), placed in still.placements.items() if namespace == "research"]
    gpus = [share for placed in pods for one in placed.containers for share in one.devices if share.vendor == "nvidia"]
    name = "quota.research/cards/nvidia.com"
    assert found[f"{name}/gpumem.used"] == sum(share.share.memory for share in gpus)
    assert found[f"{name}/gpumem.limit"] == 100000
    assert found[f"{name}/gpu.used"] == len(gpus)
    assert found[f"{name}/gpu.limit"] == 8


def test_a_pod_that_waits(opened: Opened, still: Stage, shown: Dashboard) -> None:
    """Each reason with the nodes that it holds for: together with those that fit they are all."""
    page = opened("#/workloads/research/too-large")
    page.wait_for_selector("[data-figure='workload.research/too-large.fitting']")
    found = shown_on(page)
    counts = [value for name, value in found.items() if ".reason." in name]
    assert found["workload.research/too-large.fitting"] == 0
    assert sum(value or 0 for value in counts) == len(still.cluster.planner.inventory.nodes)
    said = [one["message"] for one in asked(shown.url, "workloads/research/too-large")["reasons"]]
    assert page.locator(".reason-text > span:first-child").all_text_contents() == said
