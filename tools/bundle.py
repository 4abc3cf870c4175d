"""Join the firmware's modules into one, for images: less RAM and less flash for the same code.

A module costs RAM by itself: a dictionary, a slot for every name it imports, a table of the names
it uses. Seventy modules of a hundred lines are good to read and dear to run. This tool joins them
into one source text, as a linker does: in the order of their imports, names that would clash
renamed, imports among them resolved, annotations and docstrings left out. Constants become private
to the joined module, whichever module they are used in, so that the compiler puts in their values
and forgets their names.

What a function imports and nothing imports at the top (the arithmetic for making a key, say) stays
outside: it is loaded when that function runs, with whatever it needs, from modules of its own.

What may be bundled is checked; BundleError names the line: at module level only imports,
definitions and assignments to one name; own modules are imported with `from` and never used as
objects.
"""

import ast
import builtins
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLE = "pilotwire"  # name of the joined module

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_IMPORTS = (ast.Import, ast.ImportFrom)


class BundleError(Exception):
    """The sources cannot be bundled; the text says where and why."""


def bundle(entries: list[str], root: Path = ROOT) -> tuple[str, list[str]]:
    """Return the joined text of the entries and of all that they import at the top.

    The second value are the names of the modules outside, imported in functions, with all that
    those need. Raises BundleError.
    """
    modules = {}
    order = []
    for entry in entries:
        _collect(entry, root, modules, order, [])
    names = _choose_names(order, modules)
    text = "\n".join([*_foreign_imports(order, modules), *_bodies(order, modules, names)]) + "\n"
    outside = []
    for name in order:
        for needed in modules[name].imported_later - modules.keys():
            _collect(needed, root, {}, outside, [])
    return text, outside


# --- reading ---------------------------------------------------------------------------------


class Module:
    """One source module: what it defines at the top, and what its imported names stand for."""

    def __init__(self, name: str, root: Path):
        self.name = name
        self.root = root
        path = find(name, root)
        if path is None:
            raise BundleError(f"no module named {name}")
        self.tree = ast.parse(path.read_text(), str(path))
        self.defined = {}  # name → whether it is a constant
        self.own = {}  # imported name → (module, name), or (module, None) for the module itself
        self.foreign = {}  # imported name → text of the import
        for node in self.tree.body:
            self._read(node)
        self.imported_later = {
            target[0]
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and node not in self.tree.body
            for target in self.targets(node).values()
            if target
        }

    def _read(self, node):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            self.defined[node.name] = False
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            self.defined[node.targets[0].id] = _is_const(node.value)
        elif isinstance(node, _IMPORTS):
            for name, target in self.targets(node).items():
                if target:
                    self.own[name] = target
                else:
                    self.foreign[name] = ast.unparse(_only(node, name))
        elif not _is_dropped(node):
            raise BundleError(f"{self.name}:{node.lineno}: code at module level")

    def targets(self, node) -> dict:
        """What each name of an import statement stands for among own modules, None if foreign."""
        found = {}
        for alias in node.names:
            target = None
            if isinstance(node, ast.ImportFrom):
                if find(f"{node.module}.{alias.name}", self.root):
                    target = (f"{node.module}.{alias.name}", None)
                elif find(node.module, self.root):
                    target = (node.module, alias.name)
            elif find(alias.name, self.root):
                raise BundleError(f"{self.name}:{node.lineno}: import own modules with `from`")
            found[alias.asname or alias.name] = target
        return found


def find(name: str, root: Path) -> Path | None:
    """The file of an own module, None if there is none; packages have no code."""
    for base in (root, root / "lib"):
        path = base / (name.replace(".", "/") + ".py")
        if path.exists():
            return path
    return None


def _collect(name, root, modules, order, path):
    """Add a module behind all that it imports at the top."""
    if name in path:
        raise BundleError("imports in a circle: " + " -> ".join([*path, name]))
    if name not in modules:
        module = Module(name, root)
        for needed in sorted({owner for owner, _ in module.own.values()}):
            _collect(needed, root, modules, order, [*path, name])
        modules[name] = module
        order.append(name)


def _only(node, name):
    """The import statement reduced to the one name."""
    alias = next(a for a in node.names if (a.asname or a.name) == name)
    if isinstance(node, ast.ImportFrom):
        return ast.ImportFrom(node.module, [alias], node.level)
    return ast.Import([alias])


def _is_const(value):
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "const"


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_dropped(node):
    """Docstrings, set-up of the collector, and what runs only as a program."""
    if isinstance(node, ast.If):
        return "__name__" in ast.unparse(node.test)
    return _is_text(node) or ast.unparse(node).startswith("gc.threshold(")


# --- names -----------------------------------------------------------------------------------


def _choose_names(order, modules):
    """(module, name) → name in the bundle. A name stays if nobody else means something by it."""
    taken = set(dir(builtins))
    owners = {}
    for module in modules.values():
        taken |= module.foreign.keys() | _other_names(module)
        for name in module.defined:
            owners.setdefault(name, []).append(module.name)
    chosen = {}
    for number, module in enumerate(modules[name] for name in order):
        for name, is_const in module.defined.items():
            fresh = "_" + name.lstrip("_") if is_const else name
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
        if isinstance(scope, _SCOPES):
            found |= _bound(scope)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id not in module.defined:
            found.add(node.id)
    return found - module.own.keys()


def _bound(scope):
    """Names that are local to a function, lambda or comprehension, nested scopes excluded."""
    bound, declared = set(), set()
    if isinstance(scope, (*_FUNCTIONS, ast.Lambda)):
        bound = {node.arg for node in ast.walk(scope.args) if isinstance(node, ast.arg)}
        inside = scope.body if isinstance(scope.body, list) else [scope.body]
    else:
        inside = [generator.target for generator in scope.generators]

    def walk(node):
        if isinstance(node, ast.Global):
            declared.update(node.names)
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, _IMPORTS):
            bound.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
        if not isinstance(node, (*_SCOPES, ast.ClassDef)):
            for child in ast.iter_child_nodes(node):
                walk(child)

    for node in inside:
        walk(node)
    return bound - declared


# --- rewriting -------------------------------------------------------------------------------


class _Rewriter(ast.NodeTransformer):
    """Renames what the functions of one module mean by global names, and resolves imports."""

    def __init__(self, module, modules, names):
        self._module = module
        self._modules = modules
        self._names = names
        self._scopes = []  # name → what it was imported from, None: a local; innermost last

    def _meaning(self, name):
        """(module, name) that a name stands for here, None for locals, built-ins and foreign."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if name in self._module.defined:
            return self._module.name, name
        return self._module.own.get(name)

    def visit_Name(self, node):
        meaning = self._meaning(node.id)
        if meaning:
            if meaning[1] is None:
                where = f"{self._module.name}:{node.lineno}"
                raise BundleError(f"{where}: module {node.id} is used as an object")
            node.id = self._names[meaning]
        return node

    def visit_Attribute(self, node):
        meaning = self._meaning(node.value.id) if isinstance(node.value, ast.Name) else None
        if meaning and meaning[1] is None:
            return ast.Name(self._names[meaning[0], node.attr], node.ctx)
        return self.generic_visit(node)

    def visit_Global(self, node):
        node.names = [self._names[self._module.name, name] for name in node.names]
        return node

    def visit_ImportFrom(self, node):
        """Inside a function: what is in the bundle needs no import any more."""
        targets = self._module.targets(node)
        node.names = [
            alias
            for alias in node.names
            if not self._is_bundled(targets[alias.asname or alias.name])
        ]
        return node if node.names else ast.Pass()

    def _is_bundled(self, target):
        return target is not None and target[0] in self._modules

    def visit_ClassDef(self, node):
        """Names bound in the body of a class are attributes: only its own statements see them."""
        if not self._scopes:
            node.name = self._names[self._module.name, node.name]
        node.bases = [self.visit(base) for base in node.bases]
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                statement.value = self.visit(statement.value)
            elif isinstance(statement, _FUNCTIONS):
                self._function(statement)
        node.body = _without_texts(node.body)
        return node

    def _visit_function(self, node):
        if not self._scopes:
            node.name = self._names[self._module.name, node.name]
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
        scope = dict.fromkeys(_bound(node))
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom):
                for name, target in self._module.targets(inner).items():
                    if self._is_bundled(target):
                        scope[name] = target
        self._scopes.append(scope)
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            body = node.body
            is_block = isinstance(body, list)
            node.body = [self.visit(part) for part in body] if is_block else self.visit(body)
        else:
            self.generic_visit(node)
        self._scopes.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function
    visit_Lambda = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _scope


def _without_texts(body):
    return [node for node in body if not _is_text(node)] or [ast.Pass()]


# --- writing ---------------------------------------------------------------------------------


def _foreign_imports(order, modules):
    """The imports of all that is not ours, each once."""
    imports = {}
    for name in order:
        for local, text in modules[name].foreign.items():
            if imports.setdefault(local, text) != text:
                raise BundleError(f"{name}: {local} means another import elsewhere")
    return sorted(set(imports.values()))


def _bodies(order, modules, names):
    """The definitions of all modules in order."""
    for name in order:
        module = modules[name]
        rewriter = _Rewriter(module, modules, names)
        yield f"# {name}"
        for node in module.tree.body:
            if isinstance(node, ast.Assign):
                node.value = rewriter.visit(node.value)
                node.targets = [ast.Name(names[name, node.targets[0].id], ast.Store())]
            elif isinstance(node, _IMPORTS) or _is_dropped(node):
                continue
            else:
                node = rewriter.visit(node)
            yield ast.unparse(ast.fix_missing_locations(node))
