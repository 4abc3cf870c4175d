"""The texts of exceptions, cut out of one long text when they are raised.

A string that is too long to be a name is an object of 20 octets of RAM, from the start and for
good, though the words of most errors are never said. As part of one text they cost nothing until
then. Only what a `raise` says is treated so: it is rare, and memory is needed for the exception
anyway.
"""

import ast

from tools.bundle.shorten import is_object

_IMPORT = "from micropython import const"  # it makes the text part of the code that uses it


def gather(tree: ast.Module) -> None:
    """Rewrite a part in place."""
    name = "_TEXTS"
    while any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree)):
        name += "_"
    cutter = _Cutter(name)
    cutter.visit(tree)
    if cutter.text:
        lines = ast.parse(f"{_IMPORT}\n{name} = const({cutter.text!r})").body
        tree.body = [*lines, *(node for node in tree.body if ast.unparse(node) != _IMPORT)]


class _Cutter(ast.NodeTransformer):
    """Replaces the strings below `raise` by slices of `text`, a constant of this name."""

    def __init__(self, name):
        self.text = ""
        self._name = name
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
        cut = ast.Subscript(ast.Name(self._name, ast.Load()), cut, ast.Load())
        return ast.fix_missing_locations(ast.copy_location(cut, node))
