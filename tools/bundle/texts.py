"""The texts of exceptions, cut out of one long text when they are raised.

A string that is too long to be a name is an object of 20 octets of RAM, from the start and for
good, though the words of most errors are never said. As part of one text they cost nothing until
then. Only what a `raise` says is treated so: it is rare, and memory is needed for the exception
anyway.
"""

import ast

from tools.bundle.shorten import is_object

_NAME = "_TEXTS"  # of the constant; `const` makes it part of the code that uses it


def gather(tree: ast.Module) -> None:
    """Rewrite a part in place."""
    cutter = _Cutter()
    cutter.visit(tree)
    if cutter.text:
        lines = f"from micropython import const\n{_NAME} = const({cutter.text!r})"
        tree.body[:0] = ast.parse(lines).body


class _Cutter(ast.NodeTransformer):
    """Replaces the strings below `raise` by slices of `text`."""

    def __init__(self):
        self.text = ""
        self._is_raised = False

    def visit_Raise(self, node):
        self._is_raised = True
        self.generic_visit(node)
        self._is_raised = False
        return node

    def visit_Constant(self, node):
        text = node.value
        if not (self._is_raised and is_object(text) and text.isascii()):
            return node
        if text not in self.text:
            self.text += text
        start = self.text.index(text)
        cut = ast.Slice(ast.Constant(start), ast.Constant(start + len(text)))
        cut = ast.Subscript(ast.Name(_NAME, ast.Load()), cut, ast.Load())
        return ast.fix_missing_locations(ast.copy_location(cut, node))
