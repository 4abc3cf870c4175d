"""Fewer and shorter names in the joined text: names cost RAM and flash.

Each identifier that bytecode mentions takes 9 octets of RAM (in the interpreter's table of names
and in the module's), however short it is, and its letters in flash; MicroPython doubles its table
whenever that is full. So names are not only made short, they are shared: a method, a variable of a
module and an argument have nothing to do with each other and may have one name, and so may the
attributes of two classes, as long as no object has both.

What is renamed are definitions of the joined modules: functions, classes and variables of modules,
attributes and methods of classes, arguments. A name stays as it is

- if it belongs to others (foreign.py), begins with two underscores, or is a constant's;
- if an attribute's name occurs as a word in some string: it may reach `getattr`; a word that ends
  with an underscore, as `do_`, keeps all names that begin so;
- if it is a keyword in some call: the function may be a foreign one, or make a dictionary of it;
- if it is an argument of a function that is called with `**`;
- if it is an exception's class: people read it in logs.

Strings that look like identifiers, as most names of SPINE, are put among the names too: an object
for each takes 20 octets of RAM, a name 9, and nothing while there is room in the doubled table.

Attributes share a new name only if no class binds both, its bases and subclasses included; one
that is assigned from outside of its class shares with none.
"""

import ast
import builtins
import itertools
import keyword
import re
import string

from tools.bundle.source import FUNCTIONS, IMPORTS

_WORD = re.compile(r"[A-Za-z_]\w*")
_INTERNED = 10  # longest string that the compiler puts among the names


class Names:
    """old name → new name, for each kind; what keeps its name is missing."""

    def __init__(self, survey):
        self.attributes = _attributes(survey)
        self.arguments = _arguments(survey, self.attributes)
        self.globals = _globals(survey, self.attributes, self.arguments)


def shorten(parts: dict[str, ast.Module], foreign: set[str], exported: set[str]) -> Names:
    """Rename in place. `exported` are names that are imported from outside of the parts."""
    names = Names(_Survey(parts, foreign, exported))
    for tree in parts.values():
        _Renamer(parts, names).visit(tree)
    return names


def intern(tree: ast.Module) -> None:
    """Make names of the strings that look like some.

    The compiler puts short strings among the names by itself, and long ones if it has met them as
    identifiers before: here in a statement that it then leaves out.
    """
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    found = sorted(text for text in strings if _is_long(text) and _is_name(text))
    if found:
        names = [ast.Expr(ast.Name(text, ast.Load())) for text in found]
        tree.body.insert(0, ast.fix_missing_locations(ast.If(ast.Constant(0), names, [])))


def is_object(value) -> bool:
    """Whether a constant is a string that stays an object of its own."""
    return _is_long(value) and not _is_name(value)


def _is_long(value) -> bool:
    """Whether a constant is a string that the compiler does not put among the names by itself."""
    return isinstance(value, str) and len(value) > _INTERNED


def _is_name(text):
    return text.isidentifier() and not keyword.iskeyword(text)


# --- who uses which names for what -----------------------------------------------------------


class _Survey(ast.NodeVisitor):
    """What all parts together mean by each name."""

    def __init__(self, parts, foreign, exported):
        self.globals = set()  # what may be renamed of the modules' names
        self.arguments = set()  # what may be renamed of the functions' names
        self.reserved = {*parts, *exported, *dir(builtins)}  # the others of both
        self.scopes = []  # the names in each outermost function
        self.families = {}  # attribute → classes that bind it, of each family the first
        self.outside = set()  # attributes bound from outside of a class
        self.attributes = set()  # all that are mentioned
        self.class_lookups = set()  # names that the bodies of classes look up
        self.strings = set()
        self.keywords = set()
        self._starred = set()  # functions called with **
        self._functions = []  # (name, its arguments)
        self._class = None
        self._parts = parts
        nodes = [node for tree in parts.values() for node in tree.body]
        self._family = _families([node for node in nodes if isinstance(node, ast.ClassDef)])
        for node in nodes:
            self._define(node)
            self.visit(node)
            for scope in node.body if isinstance(node, ast.ClassDef) else [node]:
                self.scopes.append(_names_in(scope))
        self._words = {word for text in self.strings for word in _WORD.findall(text)}
        self.fixed = foreign | self.keywords | self._words
        self.globals -= self.reserved
        self.arguments -= self.reserved | self.keywords
        if self._starred & self._family.keys():
            self._starred.add("__init__")
        for name, arguments in self._functions:
            if name in self._starred:
                self.arguments -= arguments
        for names in self.scopes:
            self.reserved |= names - self.globals - self.arguments

    def may_rename(self, attribute):
        """Whether an attribute is ours alone."""
        starts = {attribute[:at] for at in range(2, len(attribute)) if attribute[at - 1] == "_"}
        return not (attribute in self.fixed or attribute.startswith("__") or starts & self._words)

    def _define(self, node):
        """Sort out what a statement of a module binds."""
        if isinstance(node, FUNCTIONS):
            self.globals.add(node.name)
        elif isinstance(node, ast.ClassDef):
            is_exception = self._family[node.name].endswith(("Error", "Exception"))
            (self.reserved if is_exception else self.globals).add(node.name)
        elif isinstance(node, ast.Assign):
            (self.reserved if _is_constant(node) else self.globals).add(node.targets[0].id)
        elif not self._is_ours(node):
            self.reserved.update(alias.asname or alias.name for alias in node.names)

    def _is_ours(self, node):
        """Whether a statement imports from another part."""
        return isinstance(node, ast.ImportFrom) and node.module in self._parts

    def visit_ClassDef(self, node):
        self._class = node.name
        for statement in node.body:
            for name in _bound_in_class(statement):
                self._bind(name)
            self.class_lookups |= {name.id for name in _names_in_class(statement)}
        self.generic_visit(node)
        self._class = None

    def visit_FunctionDef(self, node):
        arguments = {inner.arg for inner in ast.walk(node.args) if isinstance(inner, ast.arg)}
        self._functions.append((node.name, arguments))
        for inner in ast.walk(node):
            if inner is not node and isinstance(inner, FUNCTIONS):
                self.reserved.add(inner.name)
            elif isinstance(inner, IMPORTS):
                for alias in inner.names:
                    if alias.asname or not self._is_ours(inner):
                        self.reserved.add(alias.asname or alias.name)
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arg(self, node):
        self.arguments.add(node.arg)

    def visit_Attribute(self, node):
        self.attributes.add(node.attr)
        if not isinstance(node.ctx, ast.Load):
            if self._class and isinstance(node.value, ast.Name) and node.value.id == "self":
                self._bind(node.attr)
            else:
                self.outside.add(node.attr)
        self.generic_visit(node)

    def visit_Call(self, node):
        for argument in node.keywords:
            if argument.arg:
                self.keywords.add(argument.arg)
            else:
                self._starred.add(getattr(node.func, "attr", getattr(node.func, "id", "")))
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, str):
            self.strings.add(node.value)

    def _bind(self, attribute):
        self.attributes.add(attribute)
        family = self._family.get(self._class, self._class)  # none for a class in a function
        self.families.setdefault(attribute, set()).add(family)


def _families(classes):
    """class → one class that stands for it and all classes related to it."""
    family = {node.name: node.name for node in classes}
    for node in classes:
        for base in node.bases:
            base = ast.unparse(base)
            joined = {family[node.name], family.get(base, base)}
            first = family.get(base, base)
            family = {name: first if of in joined else of for name, of in family.items()}
    return family


def _names_in(node):
    """All names in a statement or expression that are no attributes."""
    found = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.arg):
            found.add(inner.arg)
        elif isinstance(inner, ast.ExceptHandler) and inner.name:
            found.add(inner.name)
    return found


def _bound_in_class(statement):
    """The attributes that a statement in the body of a class makes."""
    if isinstance(statement, FUNCTIONS):
        return [statement.name]
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    nodes = [node for target in targets if target for node in ast.walk(target)]
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def _names_in_class(statement):
    """The nodes of the names that a statement looks up or binds in the body of its class."""
    parts = [statement]
    if isinstance(statement, FUNCTIONS):
        parts = [*statement.decorator_list, *statement.args.defaults, *statement.args.kw_defaults]
    nodes = [node for part in parts if part for node in ast.walk(part)]
    return [node for node in nodes if isinstance(node, ast.Name)]


def _is_constant(node):
    """Whether an assignment is one that the compiler keeps to itself."""
    return ast.unparse(node.value).startswith("const(")


# --- new names -------------------------------------------------------------------------------


def _attributes(survey):
    everywhere = set().union(*survey.families.values())
    places = {
        name: everywhere if name in survey.outside else families
        for name, families in survey.families.items()
        if survey.may_rename(name)
    }
    return _share(places, _candidates([], survey.attributes - places.keys() | survey.fixed))


def _arguments(survey, attributes):
    places = {name: set() for name in survey.arguments}
    for number, names in enumerate(survey.scopes):
        for name in names & survey.arguments:
            places[name].add(number)
    return _share(places, _candidates(attributes.values(), survey.reserved))


def _globals(survey, attributes, arguments):
    """A name of its own for each, if possible one that is there for something else too."""
    kept = survey.attributes - attributes.keys()
    there = [*kept, *survey.keywords, *(text for text in survey.strings if len(text) <= _INTERNED)]
    there = [*attributes.values(), *sorted(text for text in there if text.isidentifier())]
    reserved = survey.reserved.union(arguments.values(), keyword.kwlist)
    chosen = {}
    # In the body of a class the names of attributes hide those of the module.
    pool = _candidates([], reserved.union(there))
    for name in sorted(survey.globals & survey.class_lookups):
        chosen[name] = next(pool)
    pool = _candidates(there, reserved.union(chosen.values()))
    for name in sorted(survey.globals - survey.class_lookups):
        chosen[name] = next(pool)
    return chosen


def _share(places, candidates):
    """Choose names so that two are alike only if they have no place in common."""
    used = []
    chosen = {}
    for name in sorted(places, key=lambda name: (-len(places[name]), name)):
        free = [entry for entry in used if not entry[1] & places[name]]
        if not free:
            free = [(next(candidates), set())]
            used += free
        chosen[name] = free[0][0]
        free[0][1].update(places[name])
    return chosen


def _candidates(preferred, reserved):
    """Yield each preferred name, then short ones for ever, but no reserved ones."""
    seen = set(reserved)
    lengths = (itertools.product(string.ascii_letters, repeat=n) for n in itertools.count(1))
    for letters in itertools.chain(preferred, itertools.chain.from_iterable(lengths)):
        name = "".join(letters)
        if name not in seen and not keyword.iskeyword(name):
            seen.add(name)
            yield name


# --- renaming --------------------------------------------------------------------------------


class _Renamer(ast.NodeTransformer):
    """Puts in the new names."""

    def __init__(self, parts, names):
        self._parts = parts
        self._attributes = names.attributes
        self._names = {**names.globals, **names.arguments}  # they have no name in common
        self._done = set()  # nodes that name an attribute in the body of its class

    def visit_ClassDef(self, node):
        own = {name for statement in node.body for name in _bound_in_class(statement)}
        for statement in node.body:
            for name in _names_in_class(statement):
                if name.id in own:
                    name.id = self._attributes.get(name.id, name.id)
                    self._done.add(name)
            if isinstance(statement, FUNCTIONS):
                statement.name = self._attributes.get(statement.name, statement.name)
                self.generic_visit(statement)
            else:
                self.visit(statement)
        node.name = self._names.get(node.name, node.name)
        node.bases = [self.visit(base) for base in node.bases]
        return node

    def visit_FunctionDef(self, node):
        node.name = self._names.get(node.name, node.name)
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arg(self, node):
        node.arg = self._names.get(node.arg, node.arg)
        return node

    def visit_Name(self, node):
        if node not in self._done:
            node.id = self._names.get(node.id, node.id)
        return node

    def visit_Attribute(self, node):
        node.attr = self._attributes.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_Global(self, node):
        node.names = [self._names.get(name, name) for name in node.names]
        return node

    visit_Nonlocal = visit_Global

    def visit_ExceptHandler(self, node):
        node.name = self._names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_ImportFrom(self, node):
        if node.module in self._parts:
            for alias in node.names:
                alias.name = self._names.get(alias.name, alias.name)
        return node
