"""Names that belong to others: a definition of ours that has one of them keeps it.

Objects of the interpreter come to our code without a mark: what `stream.close()` calls is not
written there. So every name of the built-in types and of the foreign modules that the sources
import counts. From a module that is unknown here, as `machine`, any name may come: then all
attributes stay that are mentioned in the source files that import it.
"""

import ast
import builtins
import importlib
import io
import keyword
import sys
import types

from tools.bundle.source import IMPORTS, Module

_WITHOUT_TYPES = ("micropython",)  # modules unknown here that have nothing but functions

# What MicroPython's streams, sockets, hashes and tasks have beyond CPython's.
_MICROPYTHON = ("any", "coro", "ioctl", "ph_key", "readinto", "recvfrom", "setblocking", "wait")


def vocabulary(modules: dict[str, Module]) -> set[str]:
    """The names that others may mean by an attribute, an argument or a built-in."""
    found = {*keyword.kwlist, *dir(builtins), *_MICROPYTHON}
    for kind in (*vars(builtins).values(), *vars(types).values(), *vars(io).values()):
        if isinstance(kind, type):
            found.update(dir(kind))
    for module in modules.values():
        attributes = [node for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)]
        for node in ast.walk(module.tree):
            if isinstance(node, IMPORTS):
                for name in _foreign(module, node):
                    if name.split(".")[0] in sys.stdlib_module_names:
                        found |= _names_of(name)
                    elif name not in _WITHOUT_TYPES:
                        found.update(node.attr for node in attributes)
        for node in attributes:
            if isinstance(node.value, ast.Name) and node.value.id in module.foreign:
                found.add(node.attr)
    return found


def _foreign(module, node):
    """The names of the foreign modules in an import statement."""
    targets = module.targets(node)
    for alias in node.names:
        if targets[alias.asname or alias.name] is None:
            yield node.module if isinstance(node, ast.ImportFrom) else alias.name


def _names_of(module):
    """All names of a module and of its types."""
    module = importlib.import_module(module)
    found = set(dir(module))
    for kind in vars(module).values():
        if isinstance(kind, type):
            found.update(dir(kind))
    return found
