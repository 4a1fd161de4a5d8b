"""Manifests that people paste: YAML held to what a manifest needs, before anything reads it.

A few hundred bytes of YAML can stand for gigabytes, and nest deeper than a program can follow. So aliases are not
taken, and depth and length are limited, by looking at the text piece by piece.
"""

from __future__ import annotations

from typing import Any

import yaml

from hetero.admission import workloads
from hetero.admission.workloads import Pod
from hetero.errors import HeteroError, InvalidRequest, InvalidValue
from hetero.web.problems import Refused

LIMIT = 256 << 10
"""Bytes."""

DEPTH = 64
"""Mappings and lists within each other."""

PIECES = 50_000
"""Keys, values, and ends of mappings and lists."""

MOST = 100
"""Pods."""

DIGITS = 256
"""Of a number; YAML has some to the base of 60, which take a reader time by the square of their length."""

_NUMERIC = "0123456789:_+-."

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def pods(text: str) -> list[Pod]:
    """The pods that a manifest starts, in order.

    Raises:
        Refused: 413, it is too long; 400, it is no manifest, with what is wrong in it.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LIMIT:
        raise Refused(413, f"the manifest is longer than {LIMIT >> 10} KiB; plan with fewer objects at once")
    try:
        found = workloads.all_pods((document, "") for document in _documents(text))
    except InvalidRequest as error:
        raise Refused(400, _few(error)) from error
    except HeteroError as error:
        raise Refused(400, str(error)) from error
    if not found:
        raise Refused(400, "the manifest starts no pod; paste a Pod, Deployment, Job or StatefulSet")
    if len(found) > MOST:
        raise Refused(400, f"the manifest starts {len(found)} pods; plan with at most {MOST} at once")
    return found


def _documents(text: str) -> list[Any]:
    try:
        _look(text)
        return list(yaml.load_all(text, Loader=_Loader))  # a safe one, in C where there is one
    except RecursionError as error:
        raise Refused(400, "the manifest is nested too deeply to be read") from error
    except Refused:
        raise
    except Exception as error:  # of a 13th month or '!!int x' the reader lets Python's own error out
        raise Refused(400, f"the manifest is no YAML: {_problem(error)}") from error


def _look(text: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.AliasEvent):
            raise Refused(400, "the manifest has an alias (*name); write out what it stands for")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > DIGITS and not event.value.strip(_NUMERIC):
            raise Refused(400, f"the manifest has a number of {len(event.value)} digits; write at most {DIGITS}")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH or count > PIECES:
            raise Refused(400, "the manifest is nested too deeply, or has too many pieces; plan with less at once")


def _problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    told = getattr(error, "problem", None) or next(iter(str(error).splitlines()), type(error).__name__)
    return f"{told[:200]}{where}"


def _few(error: InvalidRequest, most: int = 5) -> str:
    """The first problems; a pasted manifest may have thousands."""
    different: list[InvalidValue] = list({str(one): one for one in error.problems}.values())
    rest = len(different) - most
    told = "; ".join(str(one) for one in different[:most])
    return f"{told}; and {rest} more" if rest > 0 else told
