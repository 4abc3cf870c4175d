"""EEBUS JSON without a schema (SHIP 11.4, 11.5; IEC 63380-3 6.8): cut, read and write values.

A complex element is an array of one-member objects, `[{"phase":"ready"},{"waiting":60000}]`, so
that JSON keeps the order of the elements. `end_of_value` and `members` work on the text, without
building anything; `from_wire` turns a parsed tree into plain dicts and lists; `to_wire` writes.
What needs to know an element (lists of one complex item, numbers as text) is left to the reader.

Rules of this file: text comes as bytes or memoryview and is only read; what is no JSON raises
ValueError; whoever wants certainty about the commas and brackets of a value parses it afterwards.
"""

import json

from micropython import const

# Text that is beyond these raises ValueError.
MAX_NESTING = const(32)  # arrays and objects inside one another
MAX_NUMBER = const(64)  # octets: the time to read a number grows with the square of its length

# A memoryview cannot search, so text is looked at through copies of this size: a small one first,
# because most values are short.
_FIRST_WINDOW = const(64)
_WINDOW = const(512)


def end_of_value(text, start):
    """Index behind the JSON value at `start`; white space before it is allowed.

    Checks strings, nesting (`MAX_NESTING`), the length of numbers (`MAX_NUMBER`) and that every
    bracket is closed, not which bracket closes which. Raises ValueError.
    """
    start = skip_space(text, start)
    first = text[start] if start < len(text) else 0
    if first == 0x22:  # "
        return _end_of_string(text, start)
    if first != 0x7B and first != 0x5B:  # { [
        return _end_of_word(text, start)
    size = _FIRST_WINDOW
    depth = 0
    while True:
        at, depth = _scan(bytes(text[start : start + size]), depth)
        start += at
        if not depth:
            return start
        if start >= len(text):
            raise ValueError("bracket not closed")
        if at < size:  # the string here goes on behind the window
            start = _end_of_string(text, start)
        size = _WINDOW


def _scan(window, depth):
    """Follow brackets from `depth`; return (index, depth) where that ends.

    It ends behind the bracket that makes the depth 0, before a string that is not closed in the
    window, or at the end of the window.
    """
    at = digits = 0
    end = len(window)
    find = window.find
    while at < end:
        octet = window[at]
        at += 1
        if octet == 0x22:  # strings, most of the text, are left to `find`
            closing = find(b'"', at)
            if closing < 0 or window[closing - 1] == 0x5C:
                closing = _closing_quote(window, at)
                if closing < 0:
                    return at - 1, depth
            at = closing + 1
        elif octet > 0x5A:  # letters and digits of numbers, true, false, null pass as well
            if octet == 0x7B or octet == 0x5B:  # { [
                depth += 1
                if depth > MAX_NESTING:
                    raise ValueError("nested too deep")
            elif octet == 0x7D or octet == 0x5D:  # } ]
                depth -= 1
                if not depth:
                    break
        elif octet < 0x30:  # comma, space
            digits = 0
        else:  # colons count too: there are no more of them in a row than brackets
            digits += 1
            if digits > MAX_NUMBER:
                raise ValueError("number too long")
    return at, depth


def _closing_quote(window, at):
    """Index of the quote that closes the string whose content begins at `at`, or -1."""
    quote = window.find(b'"', at)
    while quote > 0:
        slash = quote - 1
        while window[slash] == 0x5C:  # ends at the opening quote at the latest
            slash -= 1
        if (quote - slash) & 1:  # an even number of backslashes: the quote is not escaped
            break
        quote = window.find(b'"', quote + 1)
    return quote


def _end_of_string(text, start):
    """Index behind the string whose opening quote is at `start`."""
    size = _FIRST_WINDOW
    while True:
        window = bytes(text[start : start + size])
        closing = _closing_quote(window, 1)
        if closing > 0:
            return start + closing + 1
        if len(window) < size:
            raise ValueError("string not closed")
        size *= 4


def _end_of_word(text, start):
    """Index behind a number, `true`, `false` or `null`."""
    at = start
    end = len(text)
    while at < end:
        octet = text[at]
        if octet <= 0x20 or octet == 0x2C or octet == 0x5D or octet == 0x7D:  # , ] }
            break
        at += 1
    if not 0 < at - start <= MAX_NUMBER:
        raise ValueError("value expected")
    return at


def skip_space(text, at):
    """Index of the first octet at or behind `at` that is no white space of JSON."""
    end = len(text)
    while at < end and text[at] <= 0x20 and text[at] in b" \t\r\n":
        at += 1
    return at


def members(text, start):
    """Yield (name, start, end) of each member of the complex element at `start`.

    Takes the array of one-member objects and the plain object that some peers write instead.
    Names are bytes, escapes in them are kept. Raises ValueError, also halfway.
    """
    at = skip_space(text, start)
    is_array = _octet(text, at) == 0x5B
    if is_array:
        at = skip_space(text, at + 1)
    while not is_array or _octet(text, at) != 0x5D:
        at = _behind(text, at, 0x7B)  # {
        while _octet(text, at) != 0x7D:  # }
            if _octet(text, at) != 0x22:  # "
                raise ValueError("name expected")
            end = _end_of_string(text, at)
            name = bytes(text[at + 1 : end - 1])
            at = _behind(text, end, 0x3A)  # :
            end = end_of_value(text, at)
            yield name, at, end
            at = _behind_comma(text, end, 0x7D)
        if not is_array:
            return
        at = _behind_comma(text, at + 1, 0x5D)


def _octet(text, at):
    return text[at] if at < len(text) else 0


def _behind(text, at, octet):
    """Index of what follows the octet that must be next."""
    at = skip_space(text, at)
    if _octet(text, at) != octet:
        raise ValueError("not the expected structure")
    return skip_space(text, at + 1)


def _behind_comma(text, at, closer):
    """Index of what follows a comma, or of the `closer` that may stand in its place."""
    at = skip_space(text, at)
    return at if _octet(text, at) == closer else _behind(text, at, 0x2C)


def from_wire(tree):
    """Plain form of a parsed value: complex elements as dict, repeated ones as list.

    An empty element and an empty list both come out as `{}`; empty instances in a list are left
    out (SHIP 11.5.2); a list of one complex item written without its own array comes out as dict.
    """
    if isinstance(tree, dict):
        return {name: from_wire(tree[name]) for name in tree}
    if not isinstance(tree, list):
        return tree
    merged = {}
    count = 0
    for item in tree:
        if isinstance(item, dict):
            merged.update(item)
            count += len(item) == 1
    if count == len(tree) == len(merged):  # one-member objects, all of different names
        return from_wire(merged)
    return [from_wire(item) for item in tree if item != []]


def to_wire(value):
    """Bytes of a value: a tuple of (name, value) pairs is a complex, a list a repeated element.

    The pairs keep their order, which a dict would lose on the board.
    """
    if isinstance(value, tuple):
        parts = [b"{%s:%s}" % (to_wire(name), to_wire(child)) for name, child in value]
        return b"[%s]" % b",".join(parts)
    if isinstance(value, list):
        return b"[%s]" % b",".join([to_wire(item) for item in value])
    return json.dumps(value).encode()
