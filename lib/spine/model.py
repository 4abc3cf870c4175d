"""Reader of the packed SPINE data model (`spine.tables`, generated; layout in
tools/spine_tables.py).

Covers IEC 63380-3 5.2.2. A complex type is known by its index, a field by the offset of its row in
FIELDS, a function by the offset of its row in FUNCTIONS. Nothing is built at import and no look-up
allocates more than the string it returns, so that the tables stay in flash.

`decode` turns EEBUS JSON (a tree as `json.loads` gives it) into natural Python: a complex element
becomes a dict by element name, a repeated element a list, an empty element {}. `encode` writes the
way back, in wire order, into anything with `extend`. Unknown elements and unusable values are
dropped and counted: SPINE forbids refusing a message for them (5.2.1, TS 4.3.4).
"""

import json

from micropython import const

from spine import tables

# Simple kinds (the fifth, 3, is a signed integer); 16 and more: 16 + the index of a complex type.
_EMPTY = const(0)
_BOOLEAN = const(1)
_UNSIGNED = const(2)
_STRING = const(4)
_FIRST_COMPLEX = const(16)

_LIST = const(0x8000)
_KEY = const(0x4000)
_WRITE_CHECK = const(0x2000)
_OPTIONAL_KEY = const(0x1000)
_CHOICE = const(0x0800)
_TYPE = const(0x07FF)

_FIELD_SIZE = const(4)
_FUNCTION_SIZE = const(7)
_KIND = const(0x7F)
_ELEMENTS_OF_FUNCTION = const(0x80)
_KIND_LIST = const(1)

MAX_STRING = const(256)  # longer text is cut, not refused (5.2.2 "Sizes")

_NAMES = tables.NAMES
_TYPES = tables.TYPES
_FIELDS = tables.FIELDS
_FUNCTIONS = tables.FUNCTIONS


def _u16(table, at):
    return table[at] << 8 | table[at + 1]


def _name(offset):
    return str(_NAMES[offset : offset + _NAMES[offset - 1]], "ascii")


# --- functions -------------------------------------------------------------------------------


def find_function(name):
    """Offset of the function called `name` (a str), or -1."""
    wanted = name.encode()
    low, high = 0, len(_FUNCTIONS) // _FUNCTION_SIZE
    while low < high:
        middle = (low + high) >> 1
        row = middle * _FUNCTION_SIZE
        offset = _u16(_FUNCTIONS, row)
        here = _NAMES[offset : offset + _NAMES[offset - 1]]
        if here == wanted:
            return row
        if here < wanted:
            low = middle + 1
        else:
            high = middle
    return -1


def functions():
    """Names of all functions in the tables, sorted."""
    for row in range(0, len(_FUNCTIONS), _FUNCTION_SIZE):
        yield _name(_u16(_FUNCTIONS, row))


def function_name(function):
    """Name of a function."""
    return _name(_u16(_FUNCTIONS, function))


def function_type(function):
    """Index of the complex type of a function's data element."""
    return _u16(_FUNCTIONS, function + 2)


def selectors_type(function):
    """Index of the complex type of the function's SELECTORS, or -1."""
    return _u16(_FUNCTIONS, function + 4) - 1


def list_field(function):
    """Field of the entries of a list function, or -1 for functions of another kind."""
    if _FUNCTIONS[function + 6] & _KIND == _KIND_LIST:
        return _u16(_TYPES, 2 * function_type(function)) * _FIELD_SIZE
    return -1


def elements_cover_function(function):
    """Whether an ELEMENTS filter describes the whole function instead of one entry."""
    return bool(_FUNCTIONS[function + 6] & _ELEMENTS_OF_FUNCTION)


# --- fields ----------------------------------------------------------------------------------


def fields(type_index):
    """Range of the field offsets of a complex type, in wire order."""
    at = 2 * type_index
    return range(_u16(_TYPES, at) * _FIELD_SIZE, _u16(_TYPES, at + 2) * _FIELD_SIZE, _FIELD_SIZE)


def find_field(type_index, name):
    """Offset of the field called `name` (bytes) in a complex type, or -1."""
    at = 2 * type_index
    row = _u16(_TYPES, at) * _FIELD_SIZE
    end = _u16(_TYPES, at + 2) * _FIELD_SIZE
    length = len(name)
    while row < end:
        offset = _FIELDS[row] << 8 | _FIELDS[row + 1]
        if _NAMES[offset - 1] == length and _NAMES.startswith(name, offset):
            return row
        row += _FIELD_SIZE
    return -1


def field_name(field):
    """Element name of a field."""
    return _name(_u16(_FIELDS, field))


def field_type(field):
    """Index of a field's complex type, or -1 if the field is simple."""
    return (_u16(_FIELDS, field + 2) & _TYPE) - _FIRST_COMPLEX if is_complex(field) else -1


def is_complex(field):
    """Whether a field has a complex type."""
    return _u16(_FIELDS, field + 2) & _TYPE >= _FIRST_COMPLEX


def is_list(field):
    """Whether a field is a repeated element."""
    return bool(_FIELDS[field + 2] & _LIST >> 8)


def is_key(field):
    """Whether a field is a primary or sub identifier of its entry."""
    return bool(_FIELDS[field + 2] & _KEY >> 8)


def is_optional_key(field):
    """Whether a field is a sub identifier that senders may omit."""
    return bool(_FIELDS[field + 2] & _OPTIONAL_KEY >> 8)


def is_write_check(field):
    """Whether a field permits or forbids remote writes to its entry."""
    return bool(_FIELDS[field + 2] & _WRITE_CHECK >> 8)


def is_choice(field):
    """Whether a field's type holds one of several alternatives."""
    return bool(_FIELDS[field + 2] & _CHOICE >> 8)


# --- EEBUS JSON to natural Python ------------------------------------------------------------


class Decoder:
    """Decodes EEBUS JSON trees and counts what it had to drop.

    `unknown` elements are not in the model, `unusable` values have the wrong JSON type. Both grow
    over the life of the decoder; the owner reads them for its statistics.
    """

    def __init__(self):
        self.unknown = 0
        self.unusable = 0

    def decode(self, type_index, tree):
        """The natural form of a complex element. Accepts every spelling of IEC 63380-3 5.3.1."""
        result = {}
        if isinstance(tree, dict):
            self._members(type_index, tree, result)
        elif isinstance(tree, list):
            for member in tree:
                if isinstance(member, dict):
                    self._members(type_index, member, result)
                elif isinstance(member, list) and len(tree) == 1:
                    return self.decode(type_index, member)  # one needless array around it
                else:
                    self.unusable += 1
        elif tree is not None:
            self.unusable += 1
        return result

    def _members(self, type_index, members, result):
        for name in members:
            field = find_field(type_index, name.encode())
            if field < 0:
                self.unknown += 1
                continue
            value = self.field(field, members[name])
            if value is not None:
                result[name] = value

    def field(self, field, tree):
        """The natural form of one field's value, or None if it is absent or unusable."""
        code = _u16(_FIELDS, field + 2)
        kind = code & _TYPE
        if code & _LIST:
            return self._list(kind, tree)
        if kind >= _FIRST_COMPLEX:
            return None if tree is None else self.decode(kind - _FIRST_COMPLEX, tree)
        return self._simple(kind, tree)

    def _list(self, kind, tree):
        if kind < _FIRST_COMPLEX:
            if not isinstance(tree, list):
                tree = () if tree is None or tree == {} else (tree,)
            items = [self._simple(kind, item) for item in tree]
            return [item for item in items if item is not None]
        if not isinstance(tree, (list, dict)) and tree is not None:
            self.unusable += 1
            return []
        index = kind - _FIRST_COMPLEX
        # An instance without content ([[]]) is no entry (jeebus rule, 5.3.1).
        return [self.decode(index, item) for item in _instances(tree) if item]

    def _simple(self, kind, value):
        if kind == _EMPTY:
            return {}
        if value is None:
            return None
        if kind == _STRING:
            return self._string(value)
        if kind == _BOOLEAN:
            return self._boolean(value)
        return self._integer(value, kind == _UNSIGNED)

    def _string(self, value):
        if isinstance(value, str):
            return value[:MAX_STRING]
        if isinstance(value, (list, dict, bool)):
            self.unusable += 1
            return None
        return str(value)  # a number where text belongs

    def _boolean(self, value):
        if value is True or value is False:
            return value
        if value in ("true", 1, "1"):
            return True
        if value in ("false", 0, "0"):
            return False
        self.unusable += 1
        return None

    def _integer(self, value, unsigned):
        if isinstance(value, str):
            digits = value[1:] if value.startswith("-") else value
            value = int(value) if digits.isdigit() and len(digits) < 20 else None
        elif isinstance(value, float):
            value = int(value) if -1e15 < value < 1e15 and value == int(value) else None
        if not isinstance(value, int) or value is True or value is False:
            self.unusable += 1
            return None
        if unsigned and value < 0:
            self.unusable += 1
            return None
        return value


def _instances(tree):
    """The instances of a repeated complex element in all spellings that peers use."""
    if isinstance(tree, dict):
        return (tree,) if tree else ()
    if not isinstance(tree, list):
        return ()
    seen = set()
    for item in tree:
        if not isinstance(item, dict) or len(item) != 1:
            return tree  # canonical: arrays, or plain objects with several members
        for name in item:
            if name in seen:
                return tree  # [{"a":1},{"a":2}]: an entry each
            seen.add(name)
    return (tree,) if tree else ()  # [{"a":1},{"b":2}]: one entry given flat


# --- natural Python to EEBUS JSON ------------------------------------------------------------


def encode(out, type_index, value):
    """Append a complex element to `out` (spine.output), members in wire order, `[{…},{…}]`."""
    out.extend(b"[")
    separator = b'{"'
    remaining = len(value)
    for field in fields(type_index):
        if not remaining:
            break
        offset = _u16(_FIELDS, field)
        name = _NAMES[offset : offset + _NAMES[offset - 1]]
        item = value.get(str(name, "ascii"))
        if item is None:
            continue
        remaining -= 1
        out.extend(separator)
        out.extend(name)
        out.extend(b'":')
        _encode_field(out, _u16(_FIELDS, field + 2), item)
        out.extend(b"}")
        separator = b',{"'
    out.extend(b"]")


def _encode_field(out, code, value):
    kind = code & _TYPE
    if not code & _LIST:
        _encode_one(out, kind, value)
        return
    separator = b"["
    for item in value:
        out.extend(separator)
        _encode_one(out, kind, item)
        separator = b","
    out.extend(b"]" if value else b"[]")


def _encode_one(out, kind, value):
    if kind >= _FIRST_COMPLEX:
        encode(out, kind - _FIRST_COMPLEX, value)
    elif kind == _EMPTY:
        out.extend(b"[]")
    else:
        out.extend(json.dumps(value).encode())


def encode_function(out, function, value):
    """Append the data element of a command: `{"<function>":[…]}`."""
    entries = list_field(function)
    if entries >= 0:
        encode_list(out, function, value.get(field_name(entries), ()))
        return
    _open_function(out, function)
    encode(out, function_type(function), value)
    out.extend(b"}")


def encode_list(out, function, entries):
    """The same for a list function and any iterable of entries. No entry is written as `[]`."""
    _open_function(out, function)
    field = list_field(function)
    entry_type = field_type(field)
    first = True
    for entry in entries:
        if first:
            offset = _u16(_FIELDS, field)
            out.extend(b'[{"')
            out.extend(_NAMES[offset : offset + _NAMES[offset - 1]])
            out.extend(b'":[')
            first = False
        else:
            out.extend(b",")
        if entry_type < 0:  # specificationVersionListData alone has plain values
            out.extend(json.dumps(entry).encode())
        else:
            encode(out, entry_type, entry)
    out.extend(b"[]}" if first else b"]}]}")


def _open_function(out, function):
    offset = _u16(_FUNCTIONS, function)
    out.extend(b'{"')
    out.extend(_NAMES[offset : offset + _NAMES[offset - 1]])
    out.extend(b'":')
