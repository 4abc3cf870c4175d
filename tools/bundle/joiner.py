"""Rewrites the modules of a part into one tree.

Names become those of names.py, imports among the modules of a part disappear. What a part needs
from others it imports from them; constants it repeats, so that they are put in by the compiler.
BundleError names the line where modules are used as objects, where a name is missing, and where a
variable would be shared between parts that somebody assigns anew.
"""

import ast
import copy

from tools.bundle.names import bound
from tools.bundle.parts import BUNDLE
from tools.bundle.source import FUNCTIONS, IMPORTS, BundleError, Module, is_text


class Joiner:
    """Writes the parts of one bundle."""

    def __init__(self, modules: dict[str, Module], parts: dict[str, list[str]], names: dict):
        self.modules = modules
        self.names = names
        self.part_of = {name: part for part, members in parts.items() for name in members}
        self._parts = parts
        self._numbers = {name: number for number, name in enumerate(modules)}

    def tree(self, part: str) -> ast.Module:
        """The source of a part; statements have the name of their `file`. Raises BundleError."""
        needs = set()  # (module, name) of what is defined in other parts
        bodies = list(self._bodies(part, needs))
        constants = list(self._constants(part, needs))
        foreign = self._foreign_imports(part)
        if constants:
            foreign.add("from micropython import const")
        head = [*sorted(foreign), *self._own_imports(part, needs)]
        return ast.Module([*ast.parse("\n".join([*head, *constants])).body, *bodies], [])

    def _bodies(self, part, needs):
        """The definitions of all modules in order."""
        for name in self._parts[part]:
            module = self.modules[name]
            rewriter = _Rewriter(self, module, part, needs)
            for node in module.tree.body:
                if isinstance(node, ast.Assign):
                    node.value = rewriter.visit(node.value)
                    target = ast.Name(self.names[name, node.targets[0].id], ast.Store())
                    node = ast.copy_location(ast.Assign([target], node.value), node)
                elif isinstance(node, IMPORTS):
                    continue
                else:
                    node = rewriter.visit(node)
                node.file = module.file
                yield ast.fix_missing_locations(node)

    def _constants(self, part, needs):
        """Definitions of the constants of other parts, in the order of their modules."""
        done = {}
        while True:
            missing = [n for n in needs if n[1] in self.modules[n[0]].constants and n not in done]
            if not missing:
                break
            for owner, name in missing:
                value = copy.deepcopy(self.modules[owner].constants[name])
                place = (self._numbers[owner], value.lineno)
                value = _Rewriter(self, self.modules[owner], part, needs).visit(value)
                text = f"{self.names[owner, name]} = {ast.unparse(value)}"
                done[owner, name] = (place, text)
        needs.difference_update(done)
        return [text for _, text in sorted(done.values())]

    def _foreign_imports(self, part):
        """The imports of all that is not ours, each once."""
        imports = {}
        for name in self._parts[part]:
            for local, text in self.modules[name].foreign.items():
                if imports.setdefault(local, text) != text:
                    raise BundleError(f"{name}: {local} means another import elsewhere")
        return set(imports.values())

    def _own_imports(self, part, needs):
        """The imports of what other parts define."""
        shared = {}
        for owner, name in needs:
            shared.setdefault(self.part_of[owner], []).append(self.names[owner, name])
        for other, names in sorted(shared.items()):
            if part in self._shares(other):
                raise BundleError(f"{part} and {other} need each other")
            yield f"from {other} import {', '.join(sorted(names))}"

    def _shares(self, part):
        """The parts that a part imports from at the top, directly or not."""
        found, waiting = set(), [part]
        while waiting:
            for name in self._parts[waiting.pop()]:
                others = {self.part_of[needed] for needed in self.modules[name].needed()}
                waiting += others - found
                found |= others
        return found - {part}


class _Rewriter(ast.NodeTransformer):
    """Renames what the functions of one module mean by global names, and resolves imports.

    Adds to `needs` what other parts define.
    """

    def __init__(self, joiner, module, part, needs):
        self._joiner = joiner
        self._module = module
        self._part = part
        self._needs = needs
        self._scopes = []  # name → what it was imported from, None: a local; innermost last
        self._used = {}  # name imported in the present function → its attributes used there

    def _meaning(self, name):
        """(module, name) that a name stands for here, None for locals, built-ins and foreign."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if name in self._module.defined:
            return self._module.name, name
        return self._module.own.get(name)

    def _name(self, target, node, is_later=False):
        """The name in the bundle of what some module defines.

        Unless it `is_later` imported in the function, the part will have it from the start.
        """
        owner, name = target
        if target not in self._joiner.names:
            raise self._error(node, f"{owner} does not define {name}")
        if self._is_undefined_constant(owner, name):
            raise self._error(node, f"constant {name} is imported in a function: do it at the top")
        if self._joiner.part_of[owner] != self._part and not is_later:
            if name in self._joiner.modules[owner].rebound:
                raise self._error(node, f"{name} is assigned anew in another part")
            self._needs.add(target)
        return self._joiner.names[target]

    def _is_undefined_constant(self, owner, name):
        """Whether a constant stands further down in the same part, where it comes too late."""
        if self._joiner.part_of[owner] != self._part:
            return False
        if name not in self._joiner.modules[owner].constants:
            return False
        numbers = self._joiner._numbers
        return numbers[owner] > numbers[self._module.name]

    def _is_later(self, name, target):
        """Whether a name stands for what a function has to load."""
        at_top = self._module.own.get(name)
        return at_top not in (target, (target[0], None)) and not self._is_loaded(target)

    def _error(self, node, text):
        return BundleError(f"{self._module.name}:{node.lineno}: {text}")

    def _is_loaded(self, target):
        """Whether something is there before the functions of this part run, or is a constant."""
        owner, name = target
        if name in self._joiner.modules[owner].constants:
            return True
        return self._joiner.part_of[owner] in (self._part, BUNDLE)

    def visit_Name(self, node):
        meaning = self._meaning(node.id)
        if meaning:
            if meaning[1] is None:
                raise self._error(node, f"module {node.id} is used as an object")
            node.id = self._name(meaning, node, self._is_later(node.id, meaning))
        return node

    def visit_Attribute(self, node):
        meaning = self._meaning(node.value.id) if isinstance(node.value, ast.Name) else None
        if not meaning or meaning[1] is not None:
            return self.generic_visit(node)
        target = (meaning[0], node.attr)
        name = self._name(target, node, self._is_later(node.value.id, target))
        return ast.copy_location(ast.Name(name, node.ctx), node)

    def visit_Global(self, node):
        node.names = [self._joiner.names[self._module.name, name] for name in node.names]
        return node

    def visit_ImportFrom(self, node):
        """Inside a function: what is loaded needs no import any more, the rest is in a part."""
        statements = []
        for alias in node.names:
            local = alias.asname or alias.name
            target = self._module.targets(node)[local]
            if target is None:
                statements.append(ast.ImportFrom(node.module, [alias], 0))
                continue
            owner, name = target
            if self._meaning(local) is None:  # one of several things with that local name
                statements.append(self._assign(local, target, node))
                continue
            later = [(owner, name)] if name else [(owner, name) for name in self._used[local]]
            found = [t for t in later if self._is_later(local, t)]
            if found:
                names = [ast.alias(self._name(t, node, is_later=True)) for t in found]
                statements.append(ast.ImportFrom(self._joiner.part_of[owner], names, 0))
        return statements or ast.Pass()

    def _imported(self, scope):
        """local name → what it is imported from, or assigned (None), in a function."""
        found = {}
        for node in ast.walk(scope):
            if isinstance(node, ast.ImportFrom):
                for name, target in self._module.targets(node).items():
                    found.setdefault(name, set()).add(target)
        for node in ast.walk(scope):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in found:
                found[node.id].add(None)
        return found

    def _assign(self, local, target, node):
        """A statement that makes a local variable of what is imported."""
        if target[1] is None:
            raise self._error(node, f"{local} stands for a module and for something else")
        if self._is_later(local, target):
            alias = ast.alias(self._name(target, node, is_later=True), local)
            return ast.ImportFrom(self._joiner.part_of[target[0]], [alias], 0)
        value = ast.Name(self._name(target, node), ast.Load())
        return ast.Assign([ast.Name(local, ast.Store())], value)

    def visit_ClassDef(self, node):
        """Names bound in the body of a class are attributes: only its own statements see them."""
        if not self._scopes:
            node.name = self._joiner.names[self._module.name, node.name]
        node.bases = [self.visit(base) for base in node.bases]
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                statement.value = self.visit(statement.value)
            elif isinstance(statement, FUNCTIONS):
                self._function(statement)
        node.body = _without_texts(node.body)
        return node

    def _visit_function(self, node):
        if not self._scopes:
            node.name = self._joiner.names[self._module.name, node.name]
        return self._function(node)

    def _function(self, node):
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        node.body = _without_texts(node.body)
        return self._scope(node)

    def _scope(self, node):
        """Visit a scope with its locals in force; defaults of arguments belong outside."""
        if hasattr(node, "args"):
            node.args.defaults = [self.visit(default) for default in node.args.defaults]
            node.args.kw_defaults = [d and self.visit(d) for d in node.args.kw_defaults]
        scope = dict.fromkeys(bound(node))
        for name, targets in self._imported(node).items():
            if len(targets) == 1:
                scope[name] = targets.pop()
                self._used[name] = _attributes_of(name, node)
        self._scopes.append(scope)
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            body = node.body
            if isinstance(body, list):
                node.body = ast.NodeTransformer.generic_visit(self, ast.Module(body, [])).body
            else:
                node.body = self.visit(body)
        else:
            self.generic_visit(node)
        self._scopes.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function
    visit_Lambda = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _scope


def _without_texts(body):
    return [node for node in body if not is_text(node)] or [ast.Pass()]


def _attributes_of(name, node):
    return sorted(
        {
            inner.attr
            for inner in ast.walk(node)
            if isinstance(inner, ast.Attribute) and ast.unparse(inner.value) == name
        }
    )
