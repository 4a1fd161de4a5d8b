"""As much of PromQL as is needed to check queries: a tokenizer, a parser, and which series a query reads.

Source: Prometheus documentation, "Querying": basics, operators, functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

AGGREGATIONS = {"sum", "avg", "min", "max", "count", "topk", "bottomk", "quantile", "group", "stddev", "count_values"}
RANGED = {"rate", "increase", "irate", "delta", "avg_over_time", "max_over_time", "min_over_time", "changes", "resets"}
FUNCTIONS = {
    *RANGED,
    "histogram_quantile",
    "absent",
    "vector",
    "clamp_max",
    "clamp_min",
    "abs",
    "time",
    "label_replace",
}
COUNTERS = {"rate", "increase", "irate", "resets"}
"""Functions that make sense of counters alone."""

OPERATORS = ("==", "!=", ">=", "<=", "=~", "!~", "+", "-", "*", "/", "%", "^", ">", "<", "=")
BINARY = {"==", "!=", ">=", "<=", ">", "<", "+", "-", "*", "/", "%", "^", "and", "or", "unless"}

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    r"|(?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_:][A-Za-z0-9_:]*)"
    rf"|(?P<sign>{'|'.join(map(re.escape, OPERATORS))}|[(){{}}\[\],:])"
)


class Wrong(ValueError):
    """The text is no query."""


@dataclass(frozen=True)
class Token:
    """A piece of a query: ``string``, ``duration``, ``number``, ``word``, ``sign``, or ``end``."""

    kind: str
    text: str


@dataclass
class Selector:
    """Series that a query reads.

    Attributes:
        name: Name of the metric.
        matchers: Names of the labels that are matched.
        within: The function right around it; empty where there is none.
        ranged: It reads a time.
    """

    name: str
    matchers: list[str] = field(default_factory=list)
    within: str = ""
    ranged: bool = False


@dataclass
class Query:
    """What a query reads, and the labels by which it groups and matches."""

    selectors: list[Selector] = field(default_factory=list)
    groupings: list[str] = field(default_factory=list)


def tokens(text: str) -> Iterator[Token]:
    """The pieces of a query.

    Raises:
        Wrong: Something in it is none.
    """
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Wrong(f"{text[at : at + 10]!r} is no part of a query")
        at = found.end()
        if found.lastgroup != "space":
            yield Token(str(found.lastgroup), found[0])
    yield Token("end", "")


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        Wrong: It is none, with what was expected.
    """
    return _Parser(list(tokens(text))).whole()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._query = Query()

    def whole(self) -> Query:
        self._expression("")
        self._take("", kind="end")
        return self._query

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *texts: str) -> bool:
        return self._next.kind in ("sign", "word") and self._next.text in texts

    def _take(self, *texts: str, kind: str = "") -> str:
        token = self._next
        if (kind and token.kind != kind) or (not kind and not self._is(*texts)):
            raise Wrong(f"{token.text or 'the end'!r} stands where {kind or ' or '.join(texts)} should")
        self._at += 1
        return token.text

    def _expression(self, within: str) -> None:
        self._operand(within)
        while self._is(*BINARY):
            self._take(*BINARY)
            self._modifiers()
            self._operand(within)

    def _modifiers(self) -> None:
        if self._is("bool"):
            self._take("bool")
        if self._is("on", "ignoring"):
            matched = self._take("on", "ignoring")
            names = self._names()
            self._query.groupings += names if matched == "on" else []
        if self._is("group_left", "group_right"):
            self._take("group_left", "group_right")
            self._query.groupings += self._names() if self._is("(") else []

    def _operand(self, within: str) -> None:
        if self._is("-", "+"):
            self._take("-", "+")
        if self._is("("):
            self._take("(")
            self._expression(within)
            self._take(")")
        elif self._next.kind in ("number", "string"):
            self._at += 1
        else:
            self._named(within)

    def _named(self, within: str) -> None:
        name = self._take(kind="word")
        if name in AGGREGATIONS:
            self._aggregation(name)
        elif self._is("("):
            if name not in FUNCTIONS:
                raise Wrong(f"{name} is no function")
            self._arguments(name)
        else:
            self._selector(name, within)

    def _aggregation(self, name: str) -> None:
        grouped = self._grouping()
        self._arguments(name)
        if not grouped:
            self._grouping()

    def _grouping(self) -> bool:
        if not self._is("by", "without"):
            return False
        self._take("by", "without")
        self._query.groupings += self._names()
        return True

    def _arguments(self, within: str) -> None:
        self._take("(")
        while not self._is(")"):
            self._expression(within)
            if not self._is(")"):
                self._take(",")
        self._take(")")

    def _names(self) -> list[str]:
        names = []
        self._take("(")
        while not self._is(")"):
            names.append(self._take(kind="word"))
            if not self._is(")"):
                self._take(",")
        self._take(")")
        return names

    def _selector(self, name: str, within: str) -> None:
        found = Selector(name, self._matchers() if self._is("{") else [], within)
        if self._is("["):
            self._take("[")
            self._take(kind="duration")
            self._take("]")
            found.ranged = True
        if found.ranged != (within in RANGED):
            raise Wrong(f"{name} is read {'over a time' if found.ranged else 'at a moment'} by {within or 'nobody'}")
        self._query.selectors.append(found)

    def _matchers(self) -> list[str]:
        names = []
        self._take("{")
        while not self._is("}"):
            names.append(self._take(kind="word"))
            self._take("=", "!=", "=~", "!~")
            self._take(kind="string")
            if not self._is("}"):
                self._take(",")
        self._take("}")
        return names
