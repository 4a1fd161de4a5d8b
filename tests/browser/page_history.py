"""What was: charts of a Prometheus, where there is one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser import filled, stage
from tests.browser.conftest import Opened

LINES = ["Memory · allocated", "Memory · used", "Compute · allocated", "Compute · used"]


class _Prometheus(BaseHTTPRequestHandler):
    """Answers each question with a line that rises from nothing to all."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        begin, end, step = (float(asked[name][0]) for name in ("start", "end", "step"))
        count = int((end - begin) / step) + 1
        values = [[begin + number * step, str(number / count)] for number in range(count)]
        body = json.dumps(
            {"status": "success", "data": {"resultType": "matrix", "result": [{"values": values}]}}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def prometheus() -> Iterator[str]:
    """The URL of one that is made up."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_chart_is_drawn_of_what_was(opened: Opened, prometheus: str, directory: Path) -> None:
    """Of the cluster and of a node; its library is fetched then, and not before; another range asks again."""
    with filled.cluster() as cluster:
        settings = json.dumps({"dashboard": {"prometheus": prometheus}})
        with stage.dashboard(cluster.server, directory, settings=settings) as made:
            page = opened("#/quotas", made.url)
            page.wait_for_selector(".page")
            assert page.evaluate("typeof uPlot") == "undefined"
            page.get_by_role("navigation").get_by_role("link", name="Overview").click()
            page.locator(".history canvas").wait_for()
            assert page.locator(".u-legend .u-series .u-label").all_text_contents()[1:] == LINES
            with page.expect_response(lambda answer: "range=7d" in answer.url) as answer:
                page.get_by_role("button", name="7 days").click()
            found = answer.value.json()
            assert found["problem"] == ""
            assert found["times"][-1] <= time.time()
            assert found["times"][-1] - found["times"][0] > 6 * 86400
            page.wait_for_function("() => document.querySelectorAll('.history canvas').length === 1")


def test_without_prometheus_there_is_no_chart(opened: Opened) -> None:
    """And nothing that asks for one."""
    page = opened("#/")
    page.wait_for_selector("[data-figure='cluster.nodes']")
    assert page.locator(".history").count() == 0
