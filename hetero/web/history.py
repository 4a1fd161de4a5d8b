"""What was: a few fixed questions to a Prometheus that scrapes hetero's own metrics.

All answers are ratios, so that they go into one chart. A name from the page's address gets into a question only as the
value of a label, and only when it is such as names are; nobody asks a question of their own here.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from hetero.errors import InvalidValue
from hetero.web.problems import Refused
from hetero.web.queries import HistoryQuery
from hetero.web.records import History, Series

QUERIES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "cluster": (
        ("memory.allocated", "sum(hetero_device_memory_allocated_bytes) / sum(hetero_device_memory_capacity_bytes)"),
        ("memory.used", "sum(hetero_device_memory_used_bytes) / sum(hetero_device_memory_capacity_bytes)"),
        ("compute.allocated", "avg(hetero_device_compute_allocated_ratio)"),
        ("compute.used", "avg(hetero_device_utilization_ratio)"),
    ),
    "node": (
        (
            "memory.allocated",
            'sum(hetero_device_memory_allocated_bytes{node="NAME"})'
            ' / sum(hetero_device_memory_capacity_bytes{node="NAME"})',
        ),
        (
            "memory.used",
            'sum(hetero_device_memory_used_bytes{node="NAME"}) / sum(hetero_device_memory_capacity_bytes{node="NAME"})',
        ),
        ("compute.allocated", 'avg(hetero_device_compute_allocated_ratio{node="NAME"})'),
        ("compute.used", 'avg(hetero_device_utilization_ratio{node="NAME"})'),
    ),
    "card": (
        (
            "memory.allocated",
            'max(hetero_device_memory_allocated_bytes{device="NAME"})'
            ' / max(hetero_device_memory_capacity_bytes{device="NAME"})',
        ),
        (
            "memory.used",
            'max(hetero_device_memory_used_bytes{device="NAME"})'
            ' / max(hetero_device_memory_capacity_bytes{device="NAME"})',
        ),
        ("compute.allocated", 'max(hetero_device_compute_allocated_ratio{device="NAME"})'),
        ("compute.used", 'max(hetero_device_utilization_ratio{device="NAME"})'),
    ),
    "workload": (
        (
            "memory.used",
            'sum(hetero_slice_memory_used_bytes{namespace="SPACE",pod="NAME"})'
            ' / sum(hetero_slice_memory_limit_bytes{namespace="SPACE",pod="NAME"})',
        ),
        ("compute.allocated", 'sum(hetero_slice_compute_limit_ratio{namespace="SPACE",pod="NAME"})'),
        ("compute.used", 'sum(hetero_slice_compute_used_ratio{namespace="SPACE",pod="NAME"})'),
    ),
}
"""What a question is about to the lines of its chart, each with its PromQL."""

RANGES: Mapping[str, tuple[int, int]] = {
    "1h": (3600, 30),
    "6h": (6 * 3600, 180),
    "1d": (24 * 3600, 600),
    "7d": (7 * 24 * 3600, 3600),
}
"""How far back, and how far apart its points are; seconds."""

SECONDS = 10.0
"""That Prometheus has for an answer."""

MOST = 4 << 20
"""Bytes of an answer."""

KEPT = 30.0
"""Seconds for which an answer is given again."""

_REMEMBERED = 256
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,253}")


class _Line(msgspec.Struct):
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct):
    result: list[_Line] = []


class _Answer(msgspec.Struct):
    status: str = ""
    error: str = ""
    data: _Data = msgspec.field(default_factory=_Data)


class Past:
    """Asks Prometheus. Blocks on it; for several threads at once.

    Args:
        url: Where it is; empty for none.
        clock: Seconds since 1970.

    Raises:
        InvalidValue: It is no URL.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        if url and not re.fullmatch(r"https?://[^\s?#]+", url):
            raise InvalidValue("dashboard.prometheus", url, "is no URL; write http://HOST:PORT")
        self.available = bool(url)
        self._url = url.rstrip("/")
        self._clock = clock
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=4, headers={"User-Agent": "hetero"})
        self._lock = threading.Lock()
        self._kept: dict[HistoryQuery, tuple[float, History]] = {}

    def history(self, query: HistoryQuery) -> History:
        """What was; where Prometheus does not answer, why.

        Raises:
            Refused: 400, the name is none, or there is one too many.
        """
        names = labels(query)
        if not self.available:
            return History(available=False)
        now = self._clock()
        with self._lock:
            then, kept = self._kept.get(query, (-math.inf, None))
        if kept is not None and now - then < KEPT:
            return kept
        found = self._asked(query, names, now)
        with self._lock:
            if len(self._kept) >= _REMEMBERED:
                self._kept.clear()
            self._kept[query] = now, found
        return found

    def _asked(self, query: HistoryQuery, names: Mapping[str, str], now: float) -> History:
        length, step = RANGES[query.range]
        end = int(now // step) * step
        times = tuple(float(one) for one in range(end - length, end + 1, step))
        try:
            lines = [
                Series(name=name, values=self._line(promql(text, names), times, step))
                for name, text in QUERIES[query.of]
            ]
        except _Unanswered as problem:
            return History(available=True, problem=f"Prometheus {problem}; see dashboard.prometheus")
        return History(available=True, times=times, series=tuple(lines))

    def _line(self, text: str, times: tuple[float, ...], step: int) -> tuple[float | None, ...]:
        asked = {"query": text, "start": f"{times[0]:.0f}", "end": f"{times[-1]:.0f}", "step": str(step)}
        answer = self._get(f"{self._url}/api/v1/query_range?{urlencode(asked)}")
        if answer.status != "success":
            raise _Unanswered(f"refused the question: {answer.error[:200] or 'without a reason'}")
        points = {round(at): _number(value) for line in answer.data.result[:1] for at, value in line.values}
        return tuple(points.get(round(at)) for at in times)

    def _get(self, url: str) -> _Answer:
        timeout = urllib3.Timeout(connect=SECONDS, read=SECONDS)
        try:
            response = self._pool.request(
                "GET", url, timeout=timeout, retries=False, redirect=False, preload_content=False
            )
            body = response.read(MOST + 1)
            response.release_conn()
        except HTTPError as error:
            raise _Unanswered(f"does not answer ({type(error).__name__})") from error
        if len(body) > MOST:
            raise _Unanswered(f"answered with more than {MOST >> 20} MiB")
        try:
            return msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise _Unanswered(f"answered {response.status}, and not as Prometheus does") from error


class _Unanswered(Exception):
    """Why there is no answer."""


def labels(query: HistoryQuery) -> dict[str, str]:
    """What stands for whom in a question.

    Raises:
        Refused: 400, the name is no name.
    """
    space, slash, name = query.name.rpartition("/")
    right = {"cluster": not query.name, "workload": bool(slash) and bool(_NAME.fullmatch(space))}
    if not right.get(query.of, not slash) or (query.of != "cluster" and not _NAME.fullmatch(name)):
        meant = {"cluster": "nothing", "workload": "NAMESPACE/POD", "node": "the node's name"}
        raise Refused(400, f"name does not name a {query.of}; write {meant.get(query.of, 'the identity of the card')}")
    return {"NAME": name, "SPACE": space}


def promql(text: str, names: Mapping[str, str]) -> str:
    """A question about somebody."""
    return re.sub(r'"(NAME|SPACE)"', lambda match: f'"{names[match[1]]}"', text)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
