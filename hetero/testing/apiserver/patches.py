"""Merge patch (RFC 7386) and JSON patch (RFC 6902), strict as the API server is."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from hetero.testing.apiserver.refusals import refused


def merged(target: Any, patch: Any) -> Any:
    """A document after a merge patch: objects are merged, null deletes, everything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(document: Any, operations: Any) -> Any:
    """A document after a JSON patch.

    Raises:
        Refused: The patch is none, or does not apply: a parent is missing, what is removed, replaced or tested is not
            there (422).
    """
    if not isinstance(operations, list):
        raise refused(400, "a JSON patch is a list of operations")
    document = copy.deepcopy(document)
    for operation in operations:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: Any) -> Any:
    if not isinstance(operation, Mapping) or not isinstance(operation.get("path"), str):
        raise refused(400, f"not an operation of a JSON patch: {operation!r}")
    perform = _OPERATIONS.get(str(operation.get("op")))
    if perform is None:
        raise refused(400, f"Unexpected kind: {operation.get('op')!r}")
    return perform(document, operation)


def _add(document: Any, operation: Mapping[str, Any]) -> Any:
    return _put(document, _pointer(operation["path"]), copy.deepcopy(_value(operation)))


def _remove(document: Any, operation: Mapping[str, Any]) -> Any:
    *parents, last = _pointer(operation["path"])
    parent = _get(document, parents)
    _get(parent, [last])
    del parent[_index(parent, last)]
    return document


def _replace(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation["path"])
    _get(document, path)
    if not path:
        return copy.deepcopy(_value(operation))
    parent = _get(document, path[:-1])
    parent[_index(parent, path[-1])] = copy.deepcopy(_value(operation))
    return document


def _move(document: Any, operation: Mapping[str, Any]) -> Any:
    value = _get(document, _pointer(str(operation.get("from"))))
    document = _remove(document, {"path": operation["from"]})
    return _put(document, _pointer(operation["path"]), value)


def _copy(document: Any, operation: Mapping[str, Any]) -> Any:
    value = copy.deepcopy(_get(document, _pointer(str(operation.get("from")))))
    return _put(document, _pointer(operation["path"]), value)


def _test(document: Any, operation: Mapping[str, Any]) -> Any:
    if _get(document, _pointer(operation["path"])) != _value(operation):
        raise refused(422, f"testing value {operation['path']} failed")
    return document


_OPERATIONS = {"add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy, "test": _test}


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise refused(400, f"the operation has no value: {operation!r}")
    return operation["value"]


def _pointer(path: str) -> list[str]:
    """The parts of a JSON pointer (RFC 6901)."""
    if path and not path.startswith("/"):
        raise refused(400, f"not a JSON pointer: {path!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _put(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, beyond=1), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise refused(422, f"add operation does not apply: doc is missing path: {'/'.join(path)}")
    return document


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, list):
            document = document[_index(document, part)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise refused(422, f"the operation does not apply: doc is missing path: {'/'.join(path)}")
    return document


def _index(parent: Any, part: str, beyond: int = 0) -> Any:
    """A key of an object, or a place of a list that exists."""
    if not isinstance(parent, list):
        return part
    if not re.fullmatch(r"0|[1-9][0-9]*", part) or int(part) >= len(parent) + beyond:
        raise refused(422, f"the operation does not apply: index {part!r} is out of bounds")
    return int(part)
