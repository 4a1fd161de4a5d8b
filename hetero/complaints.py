"""What is wrong in a document that a person wrote, in one sentence: the field, its value, and what to write instead.

msgspec checks documents and says what it met in words for programmers; here they are made into words for who wrote the
document. What is not known here is passed on as it is. Source of its words: msgspec 0.21, ``_core.c``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import inspect

HIDDEN = object()
"""In place of a document whose values are not to be shown."""

_LONGEST = 60
"""Characters of a value that are shown."""

_PLACE = re.compile(r" - at (`key` in )?`\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_EXPECTED = re.compile(r"Expected `([^`]*)`(?:, got `[^`]*`)?(.*)", re.DOTALL)
_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "keys with values",
}


def complaint(error: msgspec.ValidationError, kind: Any, document: Any = HIDDEN) -> str:
    """One sentence for who wrote a document.

    Args:
        error: What msgspec said of it.
        kind: The type that it was to be.
        document: As it was read; without it no value is shown, as of one that may hold a secret.
    """
    text = str(error)
    found = _PLACE.search(text)
    steps = [name or number for name, number in _STEP.findall(found[2])] if found else []
    said = text[: found.start()] if found else text
    field = found[2].removeprefix(".") if found else ""
    if found and found[1]:
        return f"a key of {field or 'the document'} is no text; put it into quotation marks"
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", said, re.DOTALL):
        return _unknown(_below(field, unknown[1]), unknown[1], _keys(kind, steps))
    if missing := re.fullmatch(r"Object missing required field `(.*)`", said):
        return f"{_below(field, missing[1])} is missing; write it"
    if said.partition(" ")[0] in _keys(kind, steps):  # what the settings themselves say of one of theirs
        return _below(field, said)
    return _wrong(said, field or "the document", _value(document, steps), _choices(kind, steps))


def _unknown(field: str, key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"perhaps {near[0]}; " if near else ""
    return f"{field[:_LONGEST]} is no key that is known; {hint}there are: {', '.join(known) or 'none'}"


def _wrong(said: str, field: str, value: str, choices: Sequence[str]) -> str:
    if said.startswith("Invalid enum value"):
        return f"{field} is {value or 'none that is known'}; write one of {', '.join(choices)}"
    if expected := _EXPECTED.fullmatch(said):
        wanted = " or ".join(_KINDS.get(one, one) for one in expected[1].split(" | "))
        return f"{field} is {value or 'of another kind'}; write {wanted}{expected[2]}"
    return f"{field}: {said}" if field != "the document" else said


def _below(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key


def _value(document: Any, steps: Sequence[str]) -> str:
    """As it is shown; empty where it is hidden, or under a key that msgspec does not name."""
    for step in steps:
        try:
            document = document[step] if isinstance(document, dict) else document[int(step)]
        except (LookupError, TypeError, ValueError):
            return ""
    return "" if document is HIDDEN else "null" if document is None else _cut(document)


def _cut(value: Any) -> str:
    try:
        shown = repr(value)
    except ValueError:  # a number of thousands of digits, which Python does not write
        return "too large to show"
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _keys(kind: Any, steps: Sequence[str]) -> list[str]:
    info = _info(kind, steps)
    return [field.encode_name for field in info.fields] if isinstance(info, inspect.StructType) else []


def _choices(kind: Any, steps: Sequence[str]) -> list[str]:
    info = _info(kind, steps)
    return [str(value) for value in info.values if value != ""] if isinstance(info, inspect.LiteralType) else []


def _info(kind: Any, steps: Sequence[str]) -> inspect.Type:
    info = _main(inspect.type_info(kind))
    for step in steps:
        info = _main(_part(info, step))
    return info


def _part(info: inspect.Type, step: str) -> inspect.Type:
    if isinstance(info, inspect.StructType):
        return next((field.type for field in info.fields if field.encode_name == step), inspect.AnyType())
    if isinstance(info, inspect.DictType):
        return info.value_type
    return getattr(info, "item_type", inspect.AnyType())


def _main(info: inspect.Type) -> inspect.Type:
    """What is inside, where there may also be nothing, or more is said of a type."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType):
        return _main(next(one for one in info.types if not isinstance(one, inspect.NoneType)))
    return info
