"""Reading EEBUS JSON piece by piece, without a tree of the whole (IEC 63380-3 5.3.1).

`Cursor` walks over the text; `members_of` gives a tree the same view. A complex element may be
written as `[{"a":…},{"b":…}]` (canonical), as `{"a":…,"b":…}`, or with one needless array around
it.
"""

import json

from eebus_json import end_of_value


def members_of(tree):
    """(name, value) of each member of a complex element given as a JSON tree."""
    if isinstance(tree, dict):
        for name in tree:
            yield name, tree[name]
    elif isinstance(tree, list):
        for item in tree:
            if isinstance(item, dict):
                for name in item:
                    yield name, item[name]
            elif isinstance(item, list) and len(tree) == 1:
                for member in members_of(item):
                    yield member


class Cursor:
    """A position in JSON text (bytes or memoryview). ValueError for what is no JSON.

    While a generator of this class is suspended the caller must consume exactly one value: with
    `skip`, `value`, or by running `members` or `items` to their end.
    """

    def __init__(self, text, at):
        self.text = text
        self.at = at

    def members(self):
        """Yield the name of each member of the complex element here."""
        opener = self._next()
        if opener == 0x7B:  # {
            for name in self._object():
                yield name
        elif opener == 0x5B:  # [
            while self._peek() != 0x5D:
                if self._peek() == 0x5B:
                    for name in self.members():
                        yield name
                else:
                    self._expect(0x7B)
                    for name in self._object():
                        yield name
                self._comma(0x5D)
            self.at += 1
        else:
            raise ValueError("element expected")

    def _object(self):
        """Yield the member names of an object whose brace has been read; read the closing one."""
        while self._peek() != 0x7D:
            self._expect(0x22)
            name = self._name()
            self._expect(0x3A)
            self._peek()
            yield name
            self._comma(0x7D)
        self.at += 1

    def _name(self):
        """The member name whose opening quote has been read; read the closing one."""
        text = self.text
        start = at = self.at
        end = len(text)
        while at < end and text[at] != 0x22:
            at += 1
        self.at = at + 1
        return str(bytes(text[start:at]), "utf-8")

    def items(self):
        """Yield once for each item of the array here."""
        self._expect(0x5B)
        while self._peek() != 0x5D:
            yield
            self._comma(0x5D)
        self.at += 1

    def skip(self):
        """Step over the value here."""
        self.at = end_of_value(self.text, self.at)

    def value(self):
        """The value here as a tree; step over it."""
        start = self.at
        self.skip()
        return json.loads(bytes(self.text[start : self.at]))

    def _peek(self):
        """The next character that is no white space, not consumed."""
        text = self.text
        at = self.at
        if at >= len(text):
            raise ValueError("text ends")
        while text[at] in b" \t\r\n":
            at += 1
            if at >= len(text):
                raise ValueError("text ends")
        self.at = at
        return text[at]

    def _next(self):
        character = self._peek()
        self.at += 1
        return character

    def _expect(self, character):
        if self._next() != character:
            raise ValueError("unexpected character")

    def _comma(self, closer):
        if self._peek() == 0x2C:
            self.at += 1
        elif self.text[self.at] != closer:
            raise ValueError("comma expected")
