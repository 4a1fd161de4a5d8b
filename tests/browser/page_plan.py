"""*What if*: a manifest, and where it would go."""

from __future__ import annotations

from tests.browser.conftest import Opened
from tests.browser.page_looks import ready
from tests.browser.stage import Stage

LARGE = """apiVersion: v1
kind: Pod
metadata: {name: far-too-large}
spec:
  containers:
    - name: main
      resources: {limits: {nvidia.com/gpu: 1, nvidia.com/gpumem: 999999}}
"""


def test_an_example_finds_its_place(opened: Opened, still: Stage) -> None:
    """Each vendor's example can be asked as it is; nothing is placed by asking."""
    page = ready(opened("#/plan"))
    before = len(still.server.objects("/api/v1/pods"))
    page.get_by_role("button", name="Hygon").click()
    assert "hygon.com/" in page.get_by_label("Manifest").input_value()
    page.get_by_role("button", name="Where would it go?").click()
    page.wait_for_selector("[data-figure='plan.placed'][data-value='1']")
    page.get_by_role("link", name="dcu", exact=True).wait_for()
    assert len(still.server.objects("/api/v1/pods")) == before


def test_replicas_are_placed_one_after_another(opened: Opened) -> None:
    """Each with those before it in place; asked by keys alone."""
    page = ready(opened("#/plan"))
    page.get_by_role("button", name="Four replicas").click()
    page.get_by_label("Manifest").press("Control+Enter")
    page.wait_for_selector("[data-figure='plan.pods'][data-value='4']")


def test_a_manifest_that_fits_nowhere_says_why(opened: Opened, still: Stage) -> None:
    """All nodes are accounted for."""
    page = ready(opened("#/plan"))
    page.get_by_label("Manifest").fill(LARGE)
    page.get_by_role("button", name="Where would it go?").click()
    page.get_by_text("fits nowhere").wait_for()
    counts = page.locator(".reason-count data").evaluate_all("(all) => all.map((one) => Number(one.dataset.value))")
    assert sum(counts) == len(still.cluster.planner.inventory.nodes)


def test_what_is_no_manifest_is_answered_in_a_sentence(opened: Opened) -> None:
    """And what was typed stays, to be mended."""
    page = ready(opened("#/plan", allowed=("400", "422")))
    page.get_by_label("Manifest").fill("kind: [")
    page.get_by_role("button", name="Where would it go?").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text()
    assert page.get_by_label("Manifest").input_value() == "kind: ["
