"""Five thousand nodes: the server searches, sorts and pages, and the browser holds one page of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import large, stage
from tests.browser.conftest import Opened
from tests.browser.page_lists import rows, total
from tests.browser.stage import Dashboard, asked

MOST_ELEMENTS = 6000


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard in front of them."""
    with stage.stage() as cluster:
        large.fill(cluster)
        with stage.dashboard(cluster.server, tmp_path_factory.mktemp("large")) as made:
            large.settled(made.url)
            yield made


def test_the_overview_counts_them_all(opened: Opened, wide: Dashboard) -> None:
    """And draws only the idlest cards."""
    page = opened("#/", wide.url)
    page.wait_for_selector(f"[data-figure='cluster.nodes'][data-value='{large.SIZE.nodes}']")
    page.wait_for_selector(f"[data-figure='cluster.cards'][data-value='{large.SIZE.nodes * large.SIZE.devices}']")
    page.wait_for_selector(f"[data-figure='cluster.waiting'][data-value='{large.WAITING}']")
    assert page.locator("[data-card]").count() == 10


@pytest.mark.parametrize("place", ["#/", "#/nodes", "#/cards", "#/workloads"])
def test_a_page_stays_small(opened: Opened, wide: Dashboard, place: str) -> None:
    """However large the cluster is."""
    page = opened(place, wide.url)
    page.wait_for_selector(".page")
    assert page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS


def test_one_node_of_thousands_is_found(opened: Opened, wide: Dashboard) -> None:
    """By some words of its name, in one answer."""
    page = opened("#/nodes", wide.url)
    total(page, large.SIZE.nodes)
    page.get_by_role("searchbox").fill("l40s 04997")
    total(page, 1)
    page.get_by_role("searchbox").press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="pool-l40s-04997").wait_for()
    assert page.locator("[data-card]").count() == large.SIZE.devices


def test_the_last_page_is_the_end(opened: Opened, wide: Dashboard) -> None:
    """No row is lost between the first page and the last."""
    last = large.SIZE.nodes - 50
    page = opened(f"#/nodes?sort=memory&order=desc&offset={last}", wide.url)
    total(page, large.SIZE.nodes)
    wanted = asked(wide.url, f"nodes?sort=memory&order=desc&offset={last}")["items"]
    assert rows(page) == [one["name"] for one in wanted]
    assert page.get_by_role("link", name="Next").count() == 0
