"""Names for what the modules define: unique in all parts, so that parts can share them.

A name stays as it is if nobody else means something by it.
"""

import ast
import builtins

from tools.bundle.source import FUNCTIONS, IMPORTS, Module

SCOPES = (*FUNCTIONS, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def choose_names(modules: dict[str, Module]) -> dict[tuple[str, str], str]:
    """(module, name) → name in the bundle; constants get a leading underscore."""
    taken = set(dir(builtins))
    owners = {}
    for module in modules.values():
        taken |= module.foreign.keys() | _other_names(module)
        for name in module.defined:
            owners.setdefault(name, []).append(module.name)
    chosen = {}
    for number, module in enumerate(modules.values()):
        for name in sorted(module.defined):
            fresh = "_" + name.lstrip("_") if name in module.constants else name
            if fresh in taken or len(owners[name]) > 1:
                fresh = f"{fresh}_{number}"
            while fresh in taken:
                fresh += "_"
            taken.add(fresh)
            chosen[module.name, name] = fresh
    return chosen


def _other_names(module):
    """Names by which some function of the module means a local, an argument or a built-in."""
    found = set()
    for scope in ast.walk(module.tree):
        if isinstance(scope, SCOPES):
            found |= bound(scope)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id not in module.defined:
            found.add(node.id)
    return found - module.own.keys()


def bound(scope) -> set[str]:
    """Names that are local to a function, lambda or comprehension, nested scopes excluded."""
    names, declared = set(), set()
    if isinstance(scope, (*FUNCTIONS, ast.Lambda)):
        names = {node.arg for node in ast.walk(scope.args) if isinstance(node, ast.arg)}
        inside = scope.body if isinstance(scope.body, list) else [scope.body]
    else:
        inside = [generator.target for generator in scope.generators]

    def walk(node):
        if isinstance(node, ast.Global):
            declared.update(node.names)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, IMPORTS):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        if not isinstance(node, (*SCOPES, ast.ClassDef)):
            for child in ast.iter_child_nodes(node):
                walk(child)

    for node in inside:
        walk(node)
    return names - declared
