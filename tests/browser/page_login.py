"""Logging in with a token of Kubernetes."""

from __future__ import annotations

from pathlib import Path

from tests.browser import filled, stage
from tests.browser.conftest import Opened
from tests.browser.stage import Stage

GOOD, BAD, POOR = "a-good-token", "no-token-at-all", "a-token-without-rights"
REFUSED = ("401", "403")


def test_a_token_opens_the_pages(opened: Opened, directory: Path) -> None:
    """A wrong one and one without rights do not; logging out closes them; the token is nowhere in the page."""
    with stage.stage() as cluster:
        cluster.server.let_in(GOOD, "operator", may=["list pods", "list nodes"])
        cluster.server.let_in(POOR, "visitor", may=[])
        filled.fill(cluster)
        with stage.dashboard(cluster.server, directory, "--auth", "token") as made:
            _walk(opened, cluster, made.url)


def _walk(opened: Opened, cluster: Stage, url: str) -> None:
    page = opened("#/nodes", url, allowed=REFUSED)
    field = page.get_by_label("Kubernetes bearer token")
    for token in (BAD, POOR):
        field.fill(token)
        with page.expect_response("**/api/v1/session") as answer:
            page.get_by_role("button", name="Log in").click()
        page.locator(".login-problem", has_text=answer.value.json()["error"]).wait_for()
        assert field.input_value() == ""
        assert token not in page.content()
    field.fill(GOOD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("[data-row]")
    assert page.evaluate("location.hash") == "#/nodes"
    assert GOOD not in page.content()
    assert (
        page.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
        == '[{},{},""]'
    )
    page.reload()
    page.wait_for_selector("[data-row]")
    assert len(cluster.placements) > 0
    page.get_by_role("button", name="Log out").click()
    field.wait_for()
