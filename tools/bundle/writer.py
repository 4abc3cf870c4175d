"""Source text from a tree, in as few lines as the grammar allows, and where each line came from.

Line numbers are a tenth of the bytecode: an octet for each line, two for each 2047 lines that a
function lies behind the first. So statements share a line where they may. A traceback through the
image names such lines; `origins` brings it back to the sources (tools/traceback.py).
"""

import ast

from tools.bundle.source import FUNCTIONS

_COMPOUND = (
    *FUNCTIONS,
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
)


class Writer:
    """`text` of a tree; `origins[n]` is (file, line, function) of its line n + 1, None if made.

    Of a line that holds several statements it is the first one's.
    """

    def __init__(self, tree: ast.Module):
        self._lines = []
        self.origins = []
        self._file = None
        self._function = ""
        for node in tree.body:
            self._file = getattr(node, "file", None)
            self._block([node], 0)
        self.text = "\n".join(self._lines) + "\n"

    def _add(self, text, depth, node):
        place = (self._file, node.lineno, self._function) if self._file else None
        for line in text.split("\n"):
            self._lines.append(" " * depth + line)
            self.origins.append(place)

    def _block(self, statements, depth):
        """Write statements one after the other, simple ones in one line."""
        waiting = []
        for node in [*statements, None]:
            if node is None or isinstance(node, _COMPOUND):
                if waiting:
                    self._add(_joined(waiting), depth, waiting[0])
                waiting = []
                if node:
                    self._compound(node, depth)
            else:
                waiting.append(node)

    def _suite(self, head, body, depth, node):
        """Write a head that ends with a colon, and its body: in one line if it is simple."""
        if any(isinstance(inner, _COMPOUND) for inner in body):
            self._add(head, depth, node)
            self._block(body, depth + 1)
        else:
            # What a function does happens in its body.
            place = body[0] if isinstance(node, FUNCTIONS) else node
            self._add(f"{head} {_joined(body)}", depth, place)

    def _compound(self, node, depth):
        outer = self._function
        self._function = getattr(node, "title", outer)
        self._suite(_head(node), node.body, depth, node)
        for handler in getattr(node, "handlers", ()):
            empty = ast.Try([ast.Pass()], [_emptied(handler)], [], [])
            self._suite(ast.unparse(empty).split("\n")[2], handler.body, depth, handler)
        rest = getattr(node, "orelse", [])
        if len(rest) == 1 and isinstance(rest[0], ast.If) and isinstance(node, ast.If):
            self._add_elif(rest[0], depth)
        elif rest:
            self._suite("else:", rest, depth, rest[0])
        if getattr(node, "finalbody", None):
            self._suite("finally:", node.finalbody, depth, node.finalbody[0])
        self._function = outer

    def _add_elif(self, node, depth):
        at = len(self._lines)
        self._compound(node, depth)
        self._lines[at] = " " * depth + "el" + self._lines[at].lstrip()


def _joined(statements):
    return "; ".join(ast.unparse(node) for node in statements)


def _head(node):
    """The lines of a compound statement up to the colon before its body."""
    if isinstance(node, ast.Try):
        return "try:"
    return ast.unparse(_emptied(node)).removesuffix("\n    pass")


def _emptied(node):
    fields = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    fields["body"] = [ast.Pass()]
    if "orelse" in fields:
        fields["orelse"] = []
    return type(node)(**fields, lineno=node.lineno)
