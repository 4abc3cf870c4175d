"""The modules that are to be joined: what each defines, imports, and imports later.

What may be joined is checked; BundleError names the line: at module level only imports,
definitions and assignments to one name; own modules are imported with `from`.
"""

import ast
import copy
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)


class BundleError(Exception):
    """The sources cannot be bundled; the text says where and why."""


class Module:
    """One source module: what it defines at the top, and what its imported names stand for.

    `later` are the sets of own modules imported inside functions, one for each block.
    """

    def __init__(self, name: str, root: Path, text: "str | None" = None):
        self.name = name
        self.root = root
        path = find(name, root)
        if path is None:
            raise BundleError(f"no module named {name}")
        self.file = str(path.relative_to(root))
        self.tree = ast.parse(text or path.read_text(), str(path))
        self.tree.body = [node for node in self.tree.body if not _is_dropped(node)]
        self.defined = set()
        self.constants = {}  # name → what const() is called with; names of `defined`
        self.own = {}  # imported name → (module, name), or (module, None) for the module itself
        self.foreign = {}  # imported name → text of the import
        for node in self.tree.body:
            self._read(node)
        self._entitle(self.tree, "")
        self.later = list(self._blocks())
        self.rebound = {
            name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Global)
            for name in node.names
        }

    def _read(self, node):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            self.defined.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            self.defined.add(name)
            if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "const":
                self.constants[name] = copy.deepcopy(node.value)
        elif isinstance(node, IMPORTS):
            for name, target in self.targets(node).items():
                if target:
                    self.own[name] = target
                else:
                    self.foreign[name] = ast.unparse(_only(node, name))
        else:
            raise BundleError(f"{self.name}:{node.lineno}: code at module level")

    def _blocks(self):
        """What is imported inside functions: one set of modules for each block of statements."""
        for node in ast.walk(self.tree):
            for field in ("body", "orelse", "finalbody"):
                block = getattr(node, field, None)
                if isinstance(block, list) and node is not self.tree:
                    found = {
                        target[0]
                        for statement in block
                        if isinstance(statement, IMPORTS)
                        for target in self.targets(statement).values()
                        if target
                    }
                    if found:
                        yield found

    def _entitle(self, node, outer):
        """Give each class and function its full name as `title`; names will change."""
        for inner in ast.iter_child_nodes(node):
            title = outer
            if isinstance(inner, (*FUNCTIONS, ast.ClassDef)):
                title = inner.title = f"{outer}.{inner.name}" if outer else inner.name
            self._entitle(inner, title)

    def needed(self) -> list:
        """The own modules that this one imports at the top."""
        return sorted({owner for owner, _ in self.own.values()})

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


def collect(
    entries: list[str], root: Path, texts: dict[str, str]
) -> tuple[dict[str, Module], set[str]]:
    """Read the entries and all that they import, now or later.

    Returns the modules by name, each behind those it imports at the top, and the names of those
    that are loaded at the start. `texts` stand in place of the files of some modules. Raises
    BundleError.
    """
    modules = {}
    for entry in entries:
        _collect(entry, root, texts, modules, [])
    start = set(modules)
    seen = 0
    while seen < len(modules):
        for later in list(modules.values())[seen].later:
            for name in sorted(later):
                _collect(name, root, texts, modules, [])
        seen += 1
    return modules, start


def _collect(name, root, texts, modules, path):
    """Add a module behind all that it imports at the top."""
    if name in path:
        raise BundleError("imports in a circle: " + " -> ".join([*path, name]))
    if name not in modules:
        module = Module(name, root, texts.get(name))
        for needed in module.needed():
            _collect(needed, root, texts, modules, [*path, name])
        modules[name] = module


def _only(node, name):
    """The import statement reduced to the one name."""
    alias = next(a for a in node.names if (a.asname or a.name) == name)
    if isinstance(node, ast.ImportFrom):
        return ast.ImportFrom(node.module, [alias], node.level)
    return ast.Import([alias])


def is_text(node) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_dropped(node):
    """Docstrings, set-up of the collector, and what runs only as a program."""
    if isinstance(node, ast.If):
        return "__name__" in ast.unparse(node.test)
    return is_text(node) or ast.unparse(node).startswith("gc.threshold(")
