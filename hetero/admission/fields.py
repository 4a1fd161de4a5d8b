"""Reads a manifest field by field and notes everything that is wrong with it, each with where it stands.

A manifest is whatever YAML can spell: numbers as keys, dates, a mapping that contains itself. Nothing of that may
end in a traceback, and no value is printed that could be endless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hetero.errors import InvalidValue

_LONG_TEXT = 200
_LONG_BITS = 128


class Described:
    """Stands for a value in an error's sentence, where printing the value itself would not help."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


def shown(value: object) -> object:
    """The value itself when it is short, and what it is in a few words otherwise.

    A YAML alias can make a document of ten lines print as gigabytes, so mappings and lists are never printed.
    """
    if value is None:
        return Described("nothing")
    if isinstance(value, Mapping):
        return Described("a mapping")
    if isinstance(value, list | tuple | set):
        return Described("a list")
    if isinstance(value, str | bytes) and len(value) > _LONG_TEXT:
        return Described(f"a text of {len(value)} characters")
    if isinstance(value, int) and value.bit_length() > _LONG_BITS:
        return Described("a number of more than 38 digits")
    return value


def spelt(key: object) -> str:
    """A key of a mapping as it is written in the name of a field, safe to print."""
    if isinstance(key, str) and key.isprintable() and len(key) <= _LONG_TEXT:
        return key
    return ascii(shown(key))


def located(source: str, problems: Iterable[InvalidValue]) -> Iterator[InvalidValue]:
    """The problems with the file in front of their fields; unchanged when there is no file."""
    for problem in problems:
        where = f"{source}: {problem.field}" if source else problem.field
        yield InvalidValue(where, problem.value, problem.reason)


@dataclass(frozen=True)
class Section:
    """A mapping of the manifest. A field that is null counts as left out, as the API server has it.

    Attributes:
        values: What stands there; empty when nothing usable does.
        path: Where it stands (``spec.template``); empty at the top.
        problems: Shared by all sections of one manifest, in the order of reading.
        sound: False when the section itself is missing or no mapping: that is reported once, and its fields are not
            reported as missing on top.
    """

    values: Mapping[Any, Any]
    path: str = ""
    problems: list[InvalidValue] = field(default_factory=list)
    sound: bool = True

    def at(self, key: str) -> str:
        """Where a field of this section stands."""
        return f"{self.path}.{key}" if self.path else key

    def refuse(self, key: str, value: object, reason: str) -> None:
        """Note that a field cannot be used; the reason as in :class:`InvalidValue`."""
        self.problems.append(InvalidValue(self.at(key), shown(value), reason))

    def section(self, key: str, *, required: bool = False) -> Section:
        """The mapping in a field; an empty one when it is left out or cannot be used."""
        value = self.values.get(key)
        if isinstance(value, Mapping):
            return Section(value, self.at(key), self.problems)
        self._lacking(key, value, required, "is no mapping; write 'name: value' pairs below it")
        return Section({}, self.at(key), self.problems, sound=False)

    def sections(self, key: str, *, required: bool = False) -> Iterator[Section]:
        """The mappings of a list, each with its position in its path."""
        for index, value in enumerate(self._list(key, required=required)):
            where = f"{key}[{index}]"
            if isinstance(value, Mapping):
                yield Section(value, self.at(where), self.problems)
            else:
                self.refuse(where, value, "is no mapping; write 'name: value' pairs")

    def text(self, key: str, *, required: bool = False) -> str:
        """The text in a field; empty when it is left out or cannot be used."""
        value = self.values.get(key)
        if value is None or (value == "" and required):
            self._lacking(key, None, required, "")
            return ""
        return self.checked(key, value)

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of a list."""
        return tuple(self.checked(f"{key}[{index}]", value) for index, value in enumerate(self._list(key)))

    def pairs(self, key: str) -> dict[str, str]:
        """A mapping of names to texts, such as annotations."""
        found: dict[str, str] = {}
        for name, value in self.section(key).values.items():
            where = f"{key}[{spelt(name)}]"
            if isinstance(name, str):
                found[name] = self.checked(where, value)
            else:
                self.refuse(where, name, "is a name that is no text; write it in quotes")
        return found

    def number(self, key: str, default: int, *, high: int) -> int:
        """The whole number from 0 to ``high`` in a field; the default when it is left out or cannot be used."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= high:
            return value
        self.refuse(key, value, f"cannot be used; write a whole number from 0 to {high}")
        return default

    def checked(self, where: str, value: object) -> str:
        """The value when it is a text that a program can be given; otherwise a problem, and an empty text."""
        if not isinstance(value, str):
            self.refuse(where, value, "is no text; write it in quotes")
        elif "\0" in value or not _encodable(value):
            self.refuse(where, value, "contains a character that no program can be given; leave it out")
        else:
            return value
        return ""

    def _list(self, key: str, *, required: bool = False) -> list[Any]:
        value = self.values.get(key)
        if isinstance(value, list) and (value or not required):
            return value
        self._lacking(key, value or None, required, "is no list; begin each entry with '- '")
        return []

    def _lacking(self, key: str, value: object, required: bool, otherwise: str) -> None:
        if value is not None:
            self.refuse(key, value, otherwise)
        elif required and self.sound:
            self.refuse(key, None, "is given, but this field is needed; fill it in")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
