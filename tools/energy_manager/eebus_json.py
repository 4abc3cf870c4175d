"""EEBUS JSON: XML-shaped data as JSON text that keeps the order of elements, SHIP 11.4, 11.5.

Inside this package a complex element is a `dict` in schema order, a repeated element a `list`, an
empty element `{}`. On the wire a complex element is an array of one-member objects. The way out is
exact; the way in takes what deployed peers are known to send: plain objects instead of arrays,
trailing NULs, an outer array around the root, white space, empty list instances.

Rules of this file: nothing here knows an element name. One question cannot be answered without a
schema, whether an empty or a single-item value was meant as list or as element; readers state what
they expect by calling `as_list` or `as_map`.
"""

import json
from typing import Any

_MAX_DEPTH = 60  # a deeper text is an attack on the recursion below, no known message exceeds 20


class MalformedJson(ValueError):
    """The text is no JSON object that could be a SHIP or SPINE message."""


class Document:
    """A document inside a document: the one element that is an object on the wire (R1, R13)."""

    def __init__(self, root: str, body: Any):
        self.root = root
        self.body = body


def to_wire(value: Any) -> Any:
    """Turn dicts into arrays of one-member objects (R2, R5), lists into lists (R7, R8)."""
    if isinstance(value, Document):
        return {value.root: to_wire(value.body)}
    if isinstance(value, dict):
        return [{name: to_wire(child)} for name, child in value.items()]
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    return value


def from_wire(value: Any, depth: int = 0) -> Any:
    """Undo `to_wire` for one JSON value; the empty array comes back as `{}`."""
    if depth > _MAX_DEPTH:
        raise MalformedJson("nested too deep")
    if isinstance(value, dict):
        return {name: from_wire(child, depth + 1) for name, child in value.items()}
    if not isinstance(value, list):
        return value
    if not value:
        return {}
    if _is_sequence(value):
        members = [member for item in value for member in item.items()]
        return {name: from_wire(child, depth + 1) for name, child in members}
    # SHIP 11.5.2 rule 1: an empty array as instance of a repeated element carries no instance
    return [from_wire(item, depth + 1) for item in value if item != [] and item != {}]


def _is_sequence(items: list) -> bool:
    """True for an array of objects whose member names all differ: one complex element."""
    names = []
    for item in items:
        if not isinstance(item, dict):
            return False
        names.extend(item)
    return len(set(names)) == len(names)


def encode(root: str, body: Any) -> bytes:
    """Return the minified text of the document element `root`, UTF-8 encoded."""
    document = to_wire(Document(root, body))
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def decode(text: bytes) -> tuple[str, Any]:
    """Return `(root, body)` of one document; raise `MalformedJson` for anything else."""
    try:
        document = json.loads(bytes(text).rstrip(b"\x00\r\n\t ").decode())
        if isinstance(document, list) and len(document) == 1:
            document = document[0]
        if not isinstance(document, dict) or not document:
            raise MalformedJson("not an object with one member")
        root = next(iter(document))
        return root, from_wire(document[root])
    except (ValueError, RecursionError) as error:  # ValueError: also text, numbers without end
        raise MalformedJson(str(error)) from error


def as_list(value: Any) -> list:
    """Read a repeated element: absent, empty and single values become lists."""
    if value is None or value == {}:
        return []
    return value if isinstance(value, list) else [value]


def as_map(value: Any) -> dict:
    """Read a complex element: absent, empty or wrongly typed values become an empty dict."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return {}


def as_maps(value: Any) -> list[dict]:
    """Read a repeated complex element; instances of another type are dropped."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def as_int(value: Any, default: int | None = None) -> int | None:
    """Read an integer that may have been sent as a string; `default` for anything else."""
    if isinstance(value, bool):
        return default
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return default
    return value if isinstance(value, int) else default


def as_bool(value: Any, default: bool | None = None) -> bool | None:
    """Read a boolean that may have been sent as a string; `default` for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value), default)
